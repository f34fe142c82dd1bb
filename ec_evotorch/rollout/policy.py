"""One trained solution as a callable for a plain Gymnasium loop."""

import numpy as np
import torch
from evotorch import Solution

from ec_evotorch.rollout.normalizer import action_scale, normalize_row, rescale_row


class Policy:
    """Agent, solution, observation statistics and action bounds: everything needed to act.

    Example:
        >>> policy.reset(seed=seed)
        >>> observation, _ = env.reset(seed=seed)
        >>> observation, reward, terminated, truncated, _ = env.step(policy(observation))

    Args:
        agent: An agent (``initial_state``, ``reset``, ``step``).
        solution: (L,) tensor or array in the agent's dtype, or an EvoTorch ``Solution``.
        action_low: (act_length,) bounds of the action space.
        action_high: likewise.
        observation_mean: (obs_length,) float64, or None for no normalisation.
        observation_stdev: likewise.
    """

    def __init__(self, agent, solution, action_low, action_high, observation_mean=None, observation_stdev=None):
        self.agent = agent
        self.solution = as_solution(agent, solution).clone()
        self.action_low = np.asarray(action_low)
        self.action_high = np.asarray(action_high)
        self.observation_mean = _statistic(observation_mean)
        self.observation_stdev = _statistic(observation_stdev)
        self._middle, self._half_range = action_scale(action_low, action_high)
        self._solutions = self.solution[None]
        self._members = np.zeros(1, dtype=np.int64)
        self._state = agent.initial_state(1, generator=torch.Generator().manual_seed(0))
        self.reset(seed=0)

    def reset(self, seed: int) -> None:
        """Begin an episode; the agent's initial state is a function of the episode's seed."""
        self.agent.reset(self._state, [0], [seed])

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """(obs_length,) observation -> (act_length,) float32 action within the bounds."""
        observation = np.asarray(observation, dtype=np.float64)
        inputs = np.empty((1, observation.size), dtype=np.float32)
        if self.observation_mean is None:
            inputs[0] = observation
        else:
            normalize_row(observation, self.observation_mean, self.observation_stdev, inputs[0])
        action = self.agent.step(self._solutions, self._members, inputs, self._state)
        out = np.empty(self._middle.size, dtype=np.float32)
        rescale_row(action[0].numpy(), self._middle, self._half_range, out)
        return out


def as_solution(agent, solution) -> torch.Tensor:
    """Returns a solution as a plain tensor.

    Args:
        agent: whose solution it is.
        solution: (L,) tensor or array in the agent's dtype, or an EvoTorch ``Solution``.

    Raises:
        ValueError: if it has another shape or dtype.
    """
    values = solution.values if isinstance(solution, Solution) else solution
    values = torch.as_tensor(values).as_subclass(torch.Tensor)
    if values.shape != (agent.solution_length,):
        raise ValueError(f"solution: expected shape ({agent.solution_length},), got {tuple(values.shape)}")
    if values.dtype != agent.dtype:
        raise ValueError(f"solution: expected {agent.dtype}, got {values.dtype}")
    return values


def _statistic(values) -> np.ndarray | None:
    return None if values is None else np.array(values, dtype=np.float64)
