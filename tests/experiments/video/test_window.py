"""A window shows the episodes of evaluate in real time, and can be left; without a display one line says what to do."""

from types import SimpleNamespace

import pytest

from experiments.cli import main
from experiments.errors import UserError
from experiments.evaluation.episodes import episode_seed, play_episode
from experiments.evaluation.plain_env import open_env
from experiments.run_folder.policy import load_policy
from experiments.video import window as window_module
from experiments.video.window import watch

SEEDS = [episode_seed(0, 0), episode_seed(0, 1)]


@pytest.fixture
def clock(monkeypatch):
    """A display, and time that passes by sleeping alone."""
    monkeypatch.setattr(window_module, "has_display", lambda variables: True)
    monkeypatch.setattr(window_module, "shows_windows", lambda: True)
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now, sleep=lambda seconds: advance(seconds))

    def advance(seconds):
        clock.now += seconds

    monkeypatch.setattr(window_module, "time", clock)
    return clock


class Keyboard:
    """Stands for GLFW, whose window has the same functions."""

    PRESS, RELEASE, KEY_ESCAPE, KEY_SPACE, KEY_RIGHT, KEY_H, KEY_TAB = 1, 0, 256, 32, 262, 72, 258

    def __init__(self):
        self.closed, self.passed_on, self.callback = False, [], None

    def get_current_context(self):
        return "window"

    def set_key_callback(self, window, callback):
        self.callback = callback
        return lambda window, key, *_: self.passed_on.append(key)

    def window_should_close(self, window):
        return self.closed

    def set_window_should_close(self, window, closed):
        self.closed = closed

    def press(self, key):
        self.callback("window", key, 0, self.PRESS, 0)
        self.callback("window", key, 0, self.RELEASE, 0)


@pytest.fixture
def mujoco_window(finished_run, clock, monkeypatch):
    """A policy of a MuJoCo environment whose window is a fake: policy, keys, what happens at a drawing, times."""
    keyboard, calls, drawn = Keyboard(), {}, []
    monkeypatch.setattr(window_module, "glfw", keyboard)
    saved = load_policy(finished_run)
    with open_env(saved) as env:
        kind = type(env.unwrapped)

    def render(env):
        assert env.render_mode == "human"
        drawn.append(env.data.time)
        calls.pop(len(drawn), lambda: None)()

    monkeypatch.setattr(kind, "render", render)
    return saved, keyboard, calls, drawn


@pytest.mark.parametrize("variables", [{}, {"DISPLAY": ":987"}])
def test_without_a_display_one_line_says_to_film(variables, finished_run, monkeypatch, capsys):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["watch", str(finished_run)]) == 2
    line = "ec-evotorch: error: there is no display to open a window on: ec-evotorch video writes a film without one\n"
    assert capsys.readouterr() == ("", line)


def test_watched_episodes_are_those_of_evaluate_in_real_time(make_policy, clock):
    saved, played = make_policy(), []
    watch(saved, SEEDS, say=played.append)
    with open_env(saved) as env:
        assert [(one.total, one.steps) for one in played] == [play_episode(env, saved.policy, seed) for seed in SEEDS]
    assert clock.now == pytest.approx(sum(one.seconds for one in played))


def test_an_environment_that_cannot_be_drawn_is_refused(make_policy, clock):
    with pytest.raises(UserError, match=r"^tests/Blind-v0 cannot be drawn: expected the render mode human or rgb"):
        watch(make_policy(env={"id": "tests/Blind-v0"}), SEEDS)


def test_mujoco_plays_every_step_and_draws_those_that_the_screen_can_show(mujoco_window, clock, finished_run):
    saved, _, _, drawn = mujoco_window
    played = []
    watch(saved, SEEDS, say=played.append)
    with open_env(saved) as env:
        assert [(one.total, one.steps) for one in played] == [play_episode(env, saved.policy, seed) for seed in SEEDS]
    assert clock.now == pytest.approx(sum(one.seconds for one in played))
    assert len(drawn) == sum(one.steps + 1 for one in played)  # 25 steps in a second
    assert window_module.FPS > 25


def test_a_fast_environment_is_not_drawn_at_every_step(mujoco_window, monkeypatch):
    saved, _, _, drawn = mujoco_window
    monkeypatch.setattr(window_module, "FPS", 5)
    played = []
    watch(saved, SEEDS[:1], say=played.append)
    (one,) = played
    assert len(drawn) == one.steps // 5 + 1


def test_leaving_ends_the_episode_before_the_closed_window_is_drawn(mujoco_window):
    saved, keyboard, calls, drawn = mujoco_window
    calls[5] = lambda: keyboard.press(keyboard.KEY_ESCAPE)
    played = []
    watch(saved, SEEDS, say=played.append)
    assert [(one.steps, one.is_whole) for one in played] == [(4, False)]
    assert len(drawn) == 5


def test_the_space_bar_pauses_and_the_arrow_plays_a_step(mujoco_window, clock):
    saved, keyboard, calls, drawn = mujoco_window
    calls[3] = lambda: keyboard.press(keyboard.KEY_SPACE)  # after 2 steps
    calls[6] = lambda: keyboard.press(keyboard.KEY_RIGHT)
    calls[9] = lambda: keyboard.press(keyboard.KEY_SPACE)
    played = []
    watch(saved, SEEDS[:1], say=played.append)
    (one,) = played
    assert drawn[2:6] == [drawn[2]] * 4
    assert drawn[6:9] == [drawn[6]] * 3
    assert drawn[2] < drawn[6] < drawn[9]
    assert len(drawn) == one.steps + 1 + 5
    assert clock.now == pytest.approx(one.seconds + 5 * window_module.SECONDS_PAUSED)


def test_other_keys_are_those_of_gymnasium(mujoco_window):
    saved, keyboard, calls, _ = mujoco_window
    calls[3] = lambda: keyboard.press(keyboard.KEY_TAB)
    calls[4] = lambda: keyboard.press(keyboard.KEY_ESCAPE)
    watch(saved, SEEDS[:1])
    assert keyboard.passed_on == [keyboard.KEY_H, keyboard.KEY_TAB, keyboard.KEY_TAB]
