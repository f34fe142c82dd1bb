"""The environment of a saved policy, made to be drawn, and what must be known of it before."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import gymnasium

from experiments.errors import UserError
from experiments.evaluation.plain_env import open_env, warn_of_other_model
from experiments.run_folder.policy import SavedPolicy

RENDER_MODE = "render_mode"  # keyword of `gymnasium.make`
USUAL_STEPS_PER_SECOND = 30.0  # of an environment that does not say how fast it is
LONGEST_WITHOUT_LIMIT = 60.0  # seconds of an episode that the environment itself may never end


@dataclass(frozen=True)
class Stage:
    """What a film or a window must know of an environment.

    Attributes:
        name: Id of the environment.
        steps_per_second: Environment steps in a second of real time.
        most_steps: Environment steps of an episode at most.
        is_mujoco: Whether it draws with MuJoCo, as environments derived from Gymnasium's `MujocoEnv` do.
    """

    name: str
    steps_per_second: float
    most_steps: int
    is_mujoco: bool


@dataclass(frozen=True)
class PlayedEpisode:
    """An episode that was shown.

    Attributes:
        seed: Its seed, of `episode_seed`.
        total: Sum of its rewards, in the environment's own reward: the return, if it was played to its end.
        steps: Its environment steps.
        seconds: Real time of these.
        is_whole: Whether it was played to its end.
    """

    seed: int
    total: float
    steps: int
    seconds: float
    is_whole: bool

    @property
    def outcome(self) -> str:
        """What came of it, as a text."""
        outcome = f"{self.total:,.1f} in {self.steps:,} steps ({self.seconds:.1f} s)"
        return f"return {outcome}" if self.is_whole else f"rewards of {outcome}, cut off"


def read_stage(saved: SavedPolicy, modes: tuple[str, ...], max_seconds: float | None) -> Stage:
    """Makes the environment of a policy once, and returns what it says of itself.

    Args:
        saved: The policy.
        modes: Render modes of Gymnasium, one of which the environment must have.
        max_seconds: Real time of an episode at most; None for all of it.

    Raises:
        UserError: If the environment cannot be made, or has none of these render modes.

    Warns:
        ResultsWarning: If the environment simulates another model than in training.
    """
    unseen = {key: value for key, value in saved.env.items() if key != RENDER_MODE}
    with open_env(replace(saved, env=unseen)) as env:
        warn_of_other_model(saved, env)
        name, known = saved.env["id"], env.metadata.get("render_modes")
        if known is not None and not set(modes) & set(known):
            raise UserError(
                f"{name} cannot be drawn: expected the render mode {' or '.join(modes)} in its metadata; "
                f"got {', '.join(map(str, known)) or 'none'}"
            )
        steps_per_second = float(env.metadata.get("render_fps") or USUAL_STEPS_PER_SECOND)
        limit = env.spec.max_episode_steps if env.spec is not None else None
        if limit is None and max_seconds is None:
            max_seconds = LONGEST_WITHOUT_LIMIT
        limits = [] if limit is None else [limit]
        if max_seconds is not None:
            limits.append(max(1, round(max_seconds * steps_per_second)))
        return Stage(name, steps_per_second, min(limits), hasattr(env.unwrapped, "mujoco_renderer"))


@contextmanager
def open_stage(saved: SavedPolicy, mode: str) -> Iterator[gymnasium.Env]:
    """Makes the environment of a policy in a render mode; it is closed at the end of the block.

    Args:
        saved: The policy.
        mode: The render mode.

    Raises:
        UserError: As `open_env`.
    """
    with open_env(replace(saved, env={**saved.env, RENDER_MODE: mode})) as env:
        yield env


class Watched(gymnasium.Wrapper):
    """Plays exactly as an environment does, before an audience that is shown each state and may leave.

    Attributes:
        is_whole: Whether the environment itself has ended the episode.
        has_left: Whether the audience has seen enough, so that the episode ends with the next step.

    Args:
        env: The environment.
        most_steps: After so many an episode is cut off, as if it had been truncated.
    """

    def __init__(self, env: gymnasium.Env, most_steps: int):
        super().__init__(env)
        self.is_whole, self.has_left = False, False
        self._most_steps, self._steps, self._total = most_steps, 0, 0.0

    def reset(self, **kwargs):
        """Begins an episode."""
        observation, info = self.env.reset(**kwargs)
        self.is_whole, self._steps, self._total = False, 0, 0.0
        self.show(0, 0.0, info, over=False)
        return observation, info

    def step(self, action):
        """Plays a step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._steps += 1
        self._total += float(reward)
        self.is_whole = bool(terminated or truncated)
        is_cut = self._steps >= self._most_steps
        self.show(self._steps, self._total, info, over=self.is_whole or is_cut)
        return observation, reward, terminated, truncated or is_cut or self.has_left, info

    def show(self, steps: int, total: float, info: Mapping, over: bool) -> None:
        """Shows a state.

        Args:
            steps: Environment steps so far.
            total: Sum of the rewards so far.
            info: What the environment says besides.
            over: Whether the episode ends here.
        """
        raise NotImplementedError
