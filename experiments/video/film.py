"""Filming a policy: the episodes of `evaluate`, with the body, the activity of the network, return and speed."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
from gymnasium.error import DependencyNotInstalled

from ec_evotorch.threads import one_torch_thread
from experiments.errors import UserError
from experiments.evaluation.episodes import play_episode
from experiments.run_folder.policy import SavedPolicy
from experiments.video.activity import ActivityScroll, bands_of
from experiments.video.frame_clock import FrameClock
from experiments.video.mujoco_camera import follow_body, set_size
from experiments.video.opengl import choose_backend, drawing_with
from experiments.video.picture import Composer, Facts
from experiments.video.recorder import Recorder, has_activity
from experiments.video.stage import PlayedEpisode, Stage, Watched, open_stage, read_stage
from experiments.video.video_file import MOST_FPS, open_video

MODE = "rgb_array"
WIDTH, WIDTH_OF_BODY_ALONE, HEIGHT = 960, 540, 540  # pixels, unless others are asked for
SPEED_OVER = 0.5  # seconds over which the speed is averaged


def film(
    saved: SavedPolicy,
    path: Path,
    seeds: Sequence[int],
    fps: int | None = None,
    width: int | None = None,
    height: int | None = None,
    max_seconds: float | None = None,
    advance: Callable[[int, int], None] = lambda steps, of: None,
) -> list[PlayedEpisode]:
    """Films episodes of a policy in real time, one after another.

    Each is the episode that `play_episode` plays with this seed. Spikes and hidden units are shown of agents that have
    them, the body alone of others.

    Args:
        saved: The policy.
        path: Path of the film, which ends in .mp4 or .gif.
        seeds: Seeds of `episode_seed`.
        fps: Frames per second; None for the steps that the environment has per second, but at most 50 in an MP4 and 25
            in a GIF.
        width: Width of the picture, pixels; None for 960, or 540 with the body alone.
        height: Height of the picture, pixels; None for 540.
        max_seconds: Cuts episodes off after this time; None for whole episodes.
        advance: Called after each step with the number of steps so far, and how many there are at most.

    Returns:
        What was played.

    Raises:
        UserError: If the environment cannot be made, played or drawn, or the film cannot be written.

    Warns:
        ResultsWarning: If the environment simulates another model than in training.
    """
    stage = read_stage(saved, (MODE,), max_seconds)
    agent = saved.policy.agent
    bands = bands_of(agent) if has_activity(agent) else []
    fps = fps or max(1, min(MOST_FPS[path.suffix], round(stage.steps_per_second)))
    width, height = width or (WIDTH if bands else WIDTH_OF_BODY_ALONE), height or HEIGHT
    composer = Composer(stage.name, width, height, bands)
    played = []
    drawing = drawing_with(choose_backend(os.environ)) if stage.is_mujoco else nullcontext()
    with open_video(path, fps) as video, drawing, open_stage(saved, MODE) as env:
        if stage.is_mujoco:
            set_size(env, *composer.body_size)
            follow_body(env, saved.env, in_window=False)
        camera = _Camera(env, stage, composer, FrameClock(fps, stage.steps_per_second), video.add)
        try:
            if bands:
                saved.policy.agent = camera.watch_network(agent)
            for number, seed in enumerate(seeds):
                camera.label = f"episode {number + 1} of {len(seeds)}" if len(seeds) > 1 else ""
                camera.advance = partial(_advance, advance, number, len(seeds), stage.most_steps)
                with one_torch_thread():
                    total, steps = play_episode(camera, saved.policy, seed)
                played.append(PlayedEpisode(seed, total, steps, steps / stage.steps_per_second, camera.is_whole))
        finally:
            saved.policy.agent = agent
    return played


def _advance(advance: Callable, episode: int, episodes: int, most_steps: int, steps: int) -> None:
    advance(episode * most_steps + steps, episodes * most_steps)


class _Camera(Watched):
    """Films what is played.

    Attributes:
        label: Which episode it is, for the header.
        advance: Called with the number of steps after each.
    """

    def __init__(self, env: gymnasium.Env, stage: Stage, composer: Composer, clock: FrameClock, add: Callable):
        super().__init__(env, stage.most_steps)
        self.label, self.advance = "", lambda steps: None
        self._stage, self._composer, self._clock, self._add = stage, composer, clock, add
        self._recorder: Recorder | None = None
        self._scroll: ActivityScroll | None = None
        self._speed = Speed(stage.steps_per_second)

    def watch_network(self, agent) -> Recorder:
        """Shows the activity of an agent, in whose place the recorder that is returned must act."""
        self._recorder = Recorder(agent)
        self._scroll = ActivityScroll(agent, self._stage.steps_per_second, self._composer.activity_width)
        self._composer.draw_axis(self._scroll.seconds)
        return self._recorder

    def show(self, steps: int, total: float, info: Mapping, over: bool) -> None:
        """Adds the frames that show a state."""
        if steps == 0:
            self._speed.clear()
            if self._scroll is not None:
                self._scroll.clear()
        else:
            self._speed.add(info)
            if self._scroll is not None:
                self._scroll.add(self._recorder.latest)
        count = max(self._clock.frames_of(steps), int(over))
        if count:
            facts = Facts(self.label, total, self._speed.mean, steps / self._stage.steps_per_second)
            body = draw(self.env, self._stage.name)
            self._add(self._composer.compose(body, facts, self._scroll), count)
        self.advance(steps)


class Speed:
    """The mean speed over the latest half second, of an environment that tells its velocity or place along x.

    Args:
        steps_per_second: Environment steps in a second of real time.
    """

    def __init__(self, steps_per_second: float):
        self._steps_per_second = steps_per_second
        self._velocities: deque[float] = deque(maxlen=max(1, round(SPEED_OVER * steps_per_second)))
        self._place: float | None = None

    @property
    def mean(self) -> float | None:
        """The mean speed, m/s; None where nothing is known of it."""
        return sum(self._velocities) / len(self._velocities) if self._velocities else None

    def clear(self) -> None:
        """Forgets everything, for the next episode."""
        self._velocities.clear()
        self._place = None

    def add(self, info: Mapping) -> None:
        """Takes what the environment says besides the observation after a step."""
        before, self._place = self._place, info.get("x_position")
        if "x_velocity" in info:
            self._velocities.append(float(info["x_velocity"]))
        elif before is not None and self._place is not None:
            self._velocities.append(float(self._place - before) * self._steps_per_second)


def draw(env: gymnasium.Env, name: str) -> np.ndarray:
    """Returns an environment's picture of itself, (height, width, 3) uint8.

    Args:
        env: The environment, made with the render mode "rgb_array".
        name: Its name, for an error.

    Raises:
        UserError: If it cannot draw.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Gymnasium warns of is refused below
            picture = env.render()
    except DependencyNotInstalled as error:
        raise UserError(f"{name} cannot be drawn: {error}") from error
    except Exception as error:  # whatever the environment's author did not think of
        raise UserError(f"{name} cannot be drawn: {type(error).__name__}: {error}") from error
    is_picture = isinstance(picture, np.ndarray) and picture.dtype == np.uint8
    if not is_picture or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        got = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else repr(picture)
        raise UserError(f"{name} cannot be drawn: expected render() to return (height, width, 3) uint8; got {got}")
    return picture
