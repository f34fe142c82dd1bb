"""A vector environment of any spaces as one of vectors, as agents need it."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Space

from ec_evotorch.rollout.spaces import (
    action_bounds,
    flatten_observations,
    is_vector,
    observation_length,
    takes_numbers,
    to_actions,
)
from ec_evotorch.rollout.vector_calls import name_of, spec_of

_OFFERED = ("rest", "limit_episodes", "diverged", "model_digest", "unwrapped", "closed")  # where the environment does


def is_flat(env) -> bool:
    """Returns whether observations and actions of a vector environment are vectors, the actions bounded, already."""
    observations, actions = env.single_observation_space, env.single_action_space
    if not (is_vector(observations) and takes_numbers(actions)):
        return False
    low, high = action_bounds(actions)
    return np.array_equal(low, actions.low) and np.array_equal(high, actions.high)


def spaces_of(env) -> tuple[Space, Space]:
    """Returns the spaces of an observation and of an action of a vector environment, before they became vectors."""
    return getattr(env, "spaces_inside", (env.single_observation_space, env.single_action_space))


class FlatEnv:
    """A vector environment whose observations are flattened, and whose actions are made from vectors.

    See `ec_evotorch.rollout.spaces`. It offers what the environment inside offers, but is not played natively.

    Attributes:
        single_observation_space: (obs_length,) `Box` of float64.
        single_action_space: (act_length,) `Box` of the numbers that an action is made from.
        spaces_inside: The two spaces of the environment inside.

    Args:
        env: A vector environment.

    Raises:
        ValueError: If its observations are no vectors, or its actions cannot be made from numbers.
    """

    def __init__(self, env):
        self._env = env
        self.spaces_inside = self._observations, self._actions = spaces_of(env)
        self.num_envs = env.num_envs
        length, (low, high) = observation_length(self._observations), action_bounds(self._actions)
        if not length or not low.size:
            empty = f"observation space {self._observations}" if not length else f"action space {self._actions}"
            raise ValueError(f"expected at least one number, got the {empty}")
        self.single_observation_space = Box(-np.inf, np.inf, (length,), np.float64)
        self.single_action_space = Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)
        self.metadata, self.spec = getattr(env, "metadata", {}), spec_of(env)

    def __getattr__(self, name: str) -> Any:
        if name in _OFFERED:
            return getattr(self._env, name)
        raise AttributeError(f"a {type(self).__name__} has no attribute {name}")

    def reset(self, *, seed=None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins episodes as the environment inside does; returns observations (B, obs_length) and `info`."""
        returned = self._env.reset(seed=seed, options=options)
        if not isinstance(returned, tuple) or len(returned) != 2:
            return returned  # which is refused where it is used
        return self._flat("reset", returned[0]), returned[1]

    def step(self, actions: np.ndarray):
        """Takes a step as the environment inside does.

        Args:
            actions: (B, act_length) float32.

        Returns:
            What that returns, with observations (B, obs_length).
        """
        returned = self._env.step(to_actions(self._actions, actions))
        if not isinstance(returned, tuple) or len(returned) != 5:
            return returned
        return self._flat("step", returned[0]), *returned[1:]

    def close(self, **kwargs: Any) -> None:
        """Closes the environment inside."""
        self._env.close(**kwargs)

    def _flat(self, method: str, observations: object) -> np.ndarray:
        try:
            return flatten_observations(self._observations, observations, (self.num_envs,))
        except ValueError as error:
            raise ValueError(f"env: {method} of {name_of(self._env)} returned wrong observations: {error}") from error
