"""Watching a policy in a window, in real time."""

import os
import time
from collections.abc import Callable, Mapping, Sequence

import glfw
import gymnasium

from ec_evotorch.threads import one_torch_thread
from experiments.errors import UserError
from experiments.evaluation.episodes import play_episode
from experiments.run_folder.policy import SavedPolicy
from experiments.video.frame_clock import FrameClock
from experiments.video.mujoco_camera import follow_body, set_size
from experiments.video.opengl import has_display, shows_windows
from experiments.video.stage import PlayedEpisode, Stage, Watched, open_stage, read_stage

MODES = ("human", "rgb_array")  # Gymnasium opens a window for an environment that has only the latter
FPS = 50  # of MuJoCo, which waits for the screen at each picture: with one for each step it would be too slow
WIDTH, HEIGHT = 960, 720  # of MuJoCo's window, pixels
SECONDS_PAUSED = 0.02  # between two looks at whether the pause is over


def watch(
    saved: SavedPolicy,
    seeds: Sequence[int],
    max_seconds: float | None = None,
    say: Callable[[PlayedEpisode], None] = lambda episode: None,
) -> None:
    """Shows episodes of a policy in a window, in real time, until the last is over or the window is closed.

    Args:
        saved: The policy.
        seeds: Seeds of `episode_seed`.
        max_seconds: Cuts episodes off after this time; None for whole episodes.
        say: Called with each episode after it.

    Raises:
        UserError: If there is no display, or the environment cannot be made, played or shown.

    Warns:
        ResultsWarning: If the environment simulates another model than in training.
    """
    if not has_display(os.environ) or not shows_windows():
        raise UserError("there is no display to open a window on: ec-evotorch video writes a film without one")
    stage = read_stage(saved, MODES, max_seconds)
    with open_stage(saved, MODES[0]) as env:
        if stage.is_mujoco:
            set_size(env, WIDTH, HEIGHT)
            follow_body(env, saved.env, in_window=True)
        window = _MuJoCoWindow(env, stage) if stage.is_mujoco else _Window(env, stage)
        for seed in seeds:
            with one_torch_thread():
                total, steps = play_episode(window, saved.policy, seed)
            say(PlayedEpisode(seed, total, steps, steps / stage.steps_per_second, window.is_whole))
            if window.has_left:
                return


class _Window(Watched):
    """Lets an environment show itself, no faster than real time.

    Args:
        env: The environment, made with the render mode "human".
        stage: What is known of it.
    """

    def __init__(self, env: gymnasium.Env, stage: Stage):
        super().__init__(env, stage.most_steps)
        self._steps_per_second = stage.steps_per_second
        self._began = 0.0

    def show(self, steps: int, total: float, info: Mapping, over: bool) -> None:
        """Waits until it is time for the next step."""
        if steps == 0:
            self._began = time.monotonic()
        time.sleep(max(0.0, self._began + steps / self._steps_per_second - time.monotonic()))


class _MuJoCoWindow(_Window):
    """Shows as many steps as the screen can, and knows when the window is closed.

    Gymnasium's window fails when it is drawn after it was closed, so that its keys to leave and to pause are read here.
    """

    def __init__(self, env: gymnasium.Env, stage: Stage):
        super().__init__(env, stage)
        self._clock = FrameClock(FPS, stage.steps_per_second)
        self._window = None
        self._pause_after: int | None = None  # steps

    def reset(self, **kwargs):
        """Begins an episode."""
        self._let_draw(True)
        return super().reset(**kwargs)

    def step(self, action):
        """Plays a step."""
        self._let_draw(self._clock.frames_of(self._steps + 1) > 0)
        return super().step(action)

    def show(self, steps: int, total: float, info: Mapping, over: bool) -> None:
        """Waits until it is time for the next step, or while the pause lasts."""
        if self._window is None:
            self._window = glfw.get_current_context()
            self._other_keys = glfw.set_key_callback(self._window, self._press)
            self._other_keys(self._window, glfw.KEY_H, 0, glfw.RELEASE, 0)  # hides the menu, which hides the body
        super().show(steps, total, info, over)
        self._let_draw(True)
        while self._pause_after is not None and self._pause_after <= steps and not self._is_closed():
            self.env.render()
            time.sleep(SECONDS_PAUSED)
            self._began = time.monotonic() - steps / self._steps_per_second
        self.has_left = self._is_closed()

    def _let_draw(self, draws: bool) -> None:
        self.env.unwrapped.render_mode = "human" if draws else None

    def _is_closed(self) -> bool:
        return bool(glfw.window_should_close(self._window))

    def _press(self, window, key: int, scancode: int, action: int, mods: int) -> None:
        if action == glfw.PRESS and key == glfw.KEY_ESCAPE:
            glfw.set_window_should_close(window, True)
        elif action == glfw.PRESS and key == glfw.KEY_SPACE:
            self._pause_after = 0 if self._pause_after is None else None
        elif action == glfw.PRESS and key == glfw.KEY_RIGHT:
            self._pause_after = self._steps + 1
        elif key not in (glfw.KEY_ESCAPE, glfw.KEY_SPACE, glfw.KEY_RIGHT):
            self._other_keys(window, key, scancode, action, mods)
