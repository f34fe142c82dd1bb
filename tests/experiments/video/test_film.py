"""A film shows the episode that evaluate plays, is the same every time, and is whole or not there."""

import resource
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from PIL import Image

from experiments.cli import main
from experiments.errors import UserError
from experiments.evaluation.episodes import episode_seed, evaluate, play_episode
from experiments.evaluation.plain_env import open_env
from experiments.video import film as film_module
from experiments.video import video_file
from experiments.video.activity import BACKGROUND
from experiments.video.film import Speed, film
from experiments.video.picture import PAPER

ID, STEPS_PER_SECOND, STEPS = "tests/Painted-v0", 20, 16  # of the environment in conftest.py
SEEDS = [episode_seed(0, 0), episode_seed(0, 1)]
SMALL = {"width": 200, "height": 160}
AGENTS = [("RSNN", {}), ("RSNN", {"connections": "real"}), ("LSTM", {}), ("RNN", {"connections": "boolean"})]


def frames_of(path) -> list[np.ndarray]:
    with Image.open(path) as gif:
        return [np.asarray((gif.seek(number), gif.convert("RGB"))[1]) for number in range(gif.n_frames)]


def milliseconds_of(path) -> int:
    with Image.open(path) as gif:
        return sum((gif.seek(number), gif.info["duration"])[1] for number in range(gif.n_frames))


@pytest.mark.parametrize(("kind", "given"), AGENTS)
def test_filmed_episodes_are_those_of_evaluate(kind, given, make_policy):
    saved = make_policy(kind, **given)
    played = film(saved, Path("a.gif"), SEEDS, **SMALL)
    with open_env(saved) as env:
        assert [(one.total, one.steps) for one in played] == [play_episode(env, saved.policy, seed) for seed in SEEDS]
    assert all(one.is_whole for one in played)


def test_the_same_seed_gives_the_same_file_and_another_seed_another_one(make_policy, working_directory):
    for name in ("a.gif", "b.gif", "a.mp4", "b.mp4"):
        film(make_policy(), working_directory / name, SEEDS[:1], **SMALL)
    film(make_policy(), working_directory / "c.gif", SEEDS[1:], **SMALL)
    contents = {path.name: path.read_bytes() for path in working_directory.iterdir()}
    assert sorted(contents) == ["a.gif", "a.mp4", "b.gif", "b.mp4", "c.gif"]
    assert contents["a.gif"] == contents["b.gif"] != contents["c.gif"]
    assert contents["a.mp4"] == contents["b.mp4"]
    assert contents["a.mp4"][4:8] == b"ftyp"


@pytest.mark.parametrize("fps", [None, 7, 30])
def test_a_film_lasts_as_long_as_the_episode(fps, make_policy, working_directory):
    (one,) = film(make_policy(), working_directory / "a.gif", SEEDS[:1], fps, **SMALL)
    assert one.seconds == STEPS / STEPS_PER_SECOND
    first_and_last = 2 / (fps or STEPS_PER_SECOND) + 1 / STEPS_PER_SECOND  # are seen as well
    assert one.seconds <= milliseconds_of("a.gif") / 1000 <= one.seconds + first_and_last


def test_frames_show_what_happens(make_policy, working_directory):
    film(make_policy(), working_directory / "a.gif", SEEDS[:1], **SMALL)
    frames = frames_of("a.gif")
    assert len(frames) == STEPS + 1
    assert all(frame.shape == (160, 200, 3) for frame in frames)
    body = [int(frame[90, 45].mean()) for frame in frames]  # which the environment paints by the number of steps
    assert np.abs(np.array(body) - 15 * np.arange(STEPS + 1)).max() < 20  # a GIF has few colours
    assert all(tuple(frame[2, 2]) == PAPER for frame in frames)
    assert all((frame == BACKGROUND).all(axis=2).any() for frame in frames)
    colored = [int((np.ptp(frame[:, 100:].astype(int), axis=2) > 60).sum()) for frame in frames]  # beside the body
    assert colored[-1] > colored[1] > colored[0]  # at first there are only the names of the bands


def test_an_episode_is_cut_off_where_asked(make_policy, working_directory):
    saved = make_policy()
    for one in film(saved, working_directory / "a.gif", SEEDS, max_seconds=0.5, **SMALL):
        assert (one.steps, one.is_whole) == (10, False)
        assert "cut off" in one.outcome
    assert len(frames_of("a.gif")) == 2 * 11


def test_an_agent_without_known_units_is_filmed_alone(make_policy, working_directory, monkeypatch):
    monkeypatch.setattr(film_module, "has_activity", lambda agent: False)
    film(make_policy(), working_directory / "a.gif", SEEDS[:1], height=160, max_seconds=0.1)
    assert frames_of("a.gif")[0].shape == (160, 540, 3)


def test_the_policy_acts_as_before_after_a_film(make_policy, working_directory):
    saved = make_policy()
    agent = saved.policy.agent
    film(saved, working_directory / "a.gif", SEEDS[:1], max_seconds=0.1, **SMALL)
    assert saved.policy.agent is agent


class TestWhatCannotBeFilmed:
    """Leaves no file, and the one that was there before stays."""

    @pytest.fixture(params=["a.gif", "a.mp4"])
    def path(self, request, working_directory):
        path = working_directory / request.param
        path.write_bytes(b"a film from before")
        yield path
        assert path.read_bytes() == b"a film from before"
        assert list(working_directory.iterdir()) == [path]

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("picture", [7, np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)])
    def test_an_environment_that_returns_no_picture(self, picture, path, make_policy):
        with pytest.raises(UserError, match=r"^tests/Painted-v0 cannot be drawn: expected render\(\) to return"):
            film(make_policy(env={"picture": picture}), path, SEEDS)

    def test_an_environment_without_the_render_mode(self, path, make_policy):
        with pytest.raises(
            UserError, match=r"^tests/Blind-v0 cannot be drawn: expected the render mode rgb_array .* none$"
        ):
            film(make_policy(env={"id": "tests/Blind-v0"}), path, SEEDS)

    def test_a_film_that_is_interrupted(self, path, make_policy, monkeypatch, capfd):
        def stop(steps, of):
            if steps == 10:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            film(make_policy(), path, SEEDS, advance=stop, **SMALL)
        assert capfd.readouterr().err == ""

    def test_a_film_that_the_disk_has_no_room_for(self, path, make_policy, capfd):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, hard))  # bytes of a file
        try:
            with pytest.raises(UserError, match=rf"^cannot write '{path}': (File too large|FFmpeg has stopped)"):
                film(make_policy(), path, SEEDS, **SMALL)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert capfd.readouterr().err == ""

    def test_a_package_that_is_missing(self, path, make_policy, monkeypatch):
        def render(env):
            raise gymnasium.error.DependencyNotInstalled("pygame is not installed, run `pip install pygame`")

        monkeypatch.setattr(gymnasium.spec(ID).entry_point, "render", render)
        with pytest.raises(UserError, match="cannot be drawn: pygame is not installed, run `pip install pygame`"):
            film(make_policy(), path, SEEDS)


def test_an_mp4_without_its_package_is_refused_in_one_line(make_policy, monkeypatch):
    monkeypatch.setattr(video_file, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=r"^'a.mp4': an MP4 needs imageio-ffmpeg: pip install imageio-ffmpeg, or write"):
        film(make_policy(), Path("a.mp4"), SEEDS)


@pytest.mark.parametrize("name", ["a.gif", "a.mp4"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_played(name, make_policy):
    with pytest.raises(UserError, match=f"^cannot write 'nowhere/{name}': No such file or directory$"):
        film(make_policy(), Path("nowhere", name), SEEDS, advance=lambda *_: pytest.fail("played"))


def test_a_run_is_filmed_by_mujoco_or_one_line_says_what_to_install(finished_run, backend, capsys):
    if backend is None:
        assert main(["video", str(finished_run), "-o", "a.gif"]) == 2
        assert capsys.readouterr().err.startswith("ec-evotorch: error: MuJoCo cannot draw here: expected a display, or")
        return
    words = ["--width", "200", "--height", "160", "--fps", "5", "--seed", "3"]
    assert main(["video", str(finished_run), "-o", "a.gif", *words]) == 0
    (total,) = evaluate(finished_run, 1, seed=3)["return"]
    out, err = capsys.readouterr()
    assert (out[: len("a.gif: InvertedPendulum-v5, return ")], err) == ("a.gif: InvertedPendulum-v5, return ", "")
    assert f"return {total:,.1f} in " in out
    frames = frames_of("a.gif")
    assert {frame.shape for frame in frames} == {(160, 200, 3)}
    assert len(np.unique(frames[0][40:, :90].reshape(-1, 3), axis=0)) > 5  # the pendulum, and not a black picture


def test_speed_is_the_mean_over_half_a_second():
    speed = Speed(steps_per_second=4)
    assert speed.mean is None
    for velocity in (100.0, 1.0, 3.0):
        speed.add({"x_velocity": velocity})
    assert speed.mean == 2.0
    speed.clear()
    assert speed.mean is None


def test_speed_is_found_from_places_too():
    speed = Speed(steps_per_second=4)
    speed.add({"x_position": 1.0})
    assert speed.mean is None
    speed.add({"x_position": 1.5})
    assert speed.mean == 2.0
    speed.add({})
    assert speed.mean == 2.0
