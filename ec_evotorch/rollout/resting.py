"""Finished slots that rest, and episodes of limited length, for vector environments that offer neither."""

from typing import Any

import numpy as np
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from ec_evotorch.rollout.flat_env import spaces_of
from ec_evotorch.rollout.normalizer import action_scale
from ec_evotorch.rollout.vector_calls import reset_env, spec_of, step_env


def steps_finished_slots(env) -> bool:
    """Returns whether a vector environment without autoreset is one of Gymnasium's, which cannot let a slot rest."""
    inner = getattr(env, "unwrapped", env)
    return isinstance(inner, SyncVectorEnv | AsyncVectorEnv) and not hasattr(inner, "rest")


class RestingSlots:
    """A vector environment in which a finished slot rests until it is reset, as `RolloutProblem` needs it.

    The environment inside steps all of its slots at each call. Those that rest are stepped along unseen, and are begun
    anew with seed 0 when they must be: an episode is a function of its own seed, so that this changes none.

    Args:
        env: A vector environment without autoreset and with partial reset.
        max_episode_steps: Steps after which an episode is truncated; None for no limit besides the environment's own.
    """

    def __init__(self, env, max_episode_steps: int | None = None):
        self._env = env
        self._limit = max_episode_steps
        self.num_envs = env.num_envs
        self.single_observation_space = env.single_observation_space
        self.single_action_space = env.single_action_space
        self.spaces_inside = spaces_of(env)
        self.metadata, self.spec = getattr(env, "metadata", {}), spec_of(env)
        self._middle, _ = action_scale(self.single_action_space.low, self.single_action_space.high)
        self._observations: np.ndarray | None = None  # None before the first reset
        self._terminated = np.ones(self.num_envs, dtype=bool)  # nothing runs before the first reset
        self._truncated = np.zeros(self.num_envs, dtype=bool)
        self._ended_inside = np.zeros(self.num_envs, dtype=bool)
        self._diverged = np.zeros(self.num_envs, dtype=bool)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)

    @property
    def closed(self) -> bool:
        """Whether the environment is closed."""
        return getattr(self._env, "closed", False)

    @property
    def diverged(self) -> np.ndarray:
        """Slots whose physics became unstable in the current episode, (B,) bool, where the environment tells."""
        return self._diverged

    def rest(self) -> None:
        """Ends all episodes."""
        self._terminated[:] = True

    def reset(self, *, seed=None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins episodes in the slots of the (B,) bool array `options["reset_mask"]`, or in all.

        Args:
            seed: List of B seeds.
            options: See above.
        """
        mask = np.ones(self.num_envs, dtype=bool) if options is None else options["reset_mask"]
        if self._observations is None:  # Gymnasium's cannot begin with some of their slots
            seeds = [one if begins else 0 for one, begins in zip(seed, mask, strict=True)]
            self._observations = np.array(reset_env(self._env, seed=seeds))
            self._ended_inside[:] = False
        else:
            observations = reset_env(self._env, seed=seed, options={"reset_mask": mask.copy()})
            self._observations[mask] = observations[mask]
            self._ended_inside[mask] = False
        self._terminated[mask] = self._truncated[mask] = self._diverged[mask] = False
        self._lengths[mask] = 0
        return self._observations.copy(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Takes a step in every slot that does not rest; the others keep observation and flags, and pay 0.

        Args:
            actions: (B, act_length) actions.
        """
        running = ~(self._terminated | self._truncated)
        rewards = np.zeros(self.num_envs)
        if not running.any():
            return self._observations.copy(), rewards, self._terminated.copy(), self._truncated.copy(), {}
        if self._ended_inside.any():
            seeds = [0 if ended else None for ended in self._ended_inside]
            reset_env(self._env, seed=seeds, options={"reset_mask": self._ended_inside.copy()})
        actions = np.where(running[:, None], actions, self._middle).astype(actions.dtype)
        observations, paid, terminated, truncated = step_env(self._env, actions)
        self._ended_inside = terminated | truncated
        self._lengths += running
        self._observations[running] = observations[running]
        rewards[running] = paid[running]
        self._terminated[running] = terminated[running]
        self._truncated[running] = truncated[running]
        if self._limit is not None:
            self._truncated[running] |= self._lengths[running] >= self._limit
        if hasattr(self._env, "diverged"):
            self._diverged[running] = np.asarray(self._env.diverged)[running]
        return self._observations.copy(), rewards, self._terminated.copy(), self._truncated.copy(), {}

    def close(self, **kwargs: Any) -> None:
        """Closes the environment."""
        self._env.close(**kwargs)
