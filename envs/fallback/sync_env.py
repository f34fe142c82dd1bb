"""Any other Gymnasium environment in this process, with the contract of `envs.make_vec`."""

import copy
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array, iterate
from gymnasium.wrappers import TimeLimit

from envs.model_digest import model_digest
from envs.remaking import Remade
from envs.vector_contract import check_actions, check_open, check_step, expand_seeds, reset_mask


class FallbackVectorEnv(Remade, SyncVectorEnv):
    """Gymnasium's `SyncVectorEnv` without autoreset, in which a finished sub-environment rests until it is reset.

    Attributes:
        model_digest: Which MuJoCo model of the user's own is simulated, see `envs.model_digest`.

    Args:
        make_env: Function without arguments that makes one environment.
        num_envs: Number of sub-environments.
    """

    def __init__(self, make_env, num_envs: int):
        super().__init__([make_env] * num_envs, autoreset_mode=AutoresetMode.DISABLED)
        self.spec = self.envs[0].spec
        self.model_digest = model_digest(self.envs[0])
        zeros = create_empty_array(self.single_observation_space, n=num_envs, fn=np.zeros)
        self._env_obs = list(iterate(self.observation_space, zeros))  # Gymnasium's None cannot be put together
        self.rest()  # nothing runs before the first reset

    def rest(self) -> None:
        """Ends all episodes, so that no sub-environment runs until it is reset."""
        self._terminations[:] = True

    def limit_episodes(self, max_episode_steps: int) -> None:
        """Truncates every episode from now on after so many steps, if it has not ended before."""
        self.envs = [TimeLimit(env, max_episode_steps) for env in self.envs]
        self.limit = max_episode_steps if self.limit is None else min(self.limit, max_episode_steps)

    def reset(self, *, seed=None, options: dict[str, Any] | None = None):
        """Starts episodes in all sub-environments, or in those of the (B,) bool array `options["reset_mask"]`."""
        check_open(self)
        mask = reset_mask(options, self.num_envs)
        return super().reset(seed=expand_seeds(seed, self.num_envs), options={**(options or {}), "reset_mask": mask})

    def step(self, actions):
        """Advances every running sub-environment; finished ones keep observation and flags and pay 0.

        Raises:
            ValueError: If actions have a wrong shape, or are NaN or infinite in a running sub-environment; or if an
                environment returns something else than Gymnasium's interface asks for.
        """
        check_open(self)
        running = ~(self._terminations | self._truncations)
        actions = check_actions(actions, self.action_space, running)
        infos: dict[str, Any] = {}
        self._rewards[:] = 0
        for i in np.flatnonzero(running):
            returned = self.envs[i].step(actions[i])
            check_step(self.spec.id, self.single_observation_space, returned)
            self._env_obs[i], self._rewards[i], self._terminations[i], self._truncations[i], info = returned
            infos = self._add_info(infos, info, i)
        self._observations = concatenate(self.single_observation_space, self._env_obs, self._observations)
        return (
            copy.deepcopy(self._observations),
            self._rewards.copy(),
            self._terminations.copy(),
            self._truncations.copy(),
            infos,
        )
