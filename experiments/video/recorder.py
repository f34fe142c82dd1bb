"""Stands in a policy for its agent, and keeps what the units of the network did in the latest step."""

import numpy as np
import torch

from agents import RSNN
from agents.dense_agent import HiddenAgent


class Recorder:
    """Acts as the agent does, and keeps the activity of its only slot.

    Attributes:
        latest: (time steps in an environment step, n): of a spiking network int8, not 0 where a neuron fired in a
            substep; of any other (1, n) float32 hidden units after the step. None before the first step.
    """

    def __init__(self, agent: RSNN | HiddenAgent):
        self._agent = agent
        self.latest: np.ndarray | None = None

    def reset(self, state, slots, seeds) -> None:
        """Begins an episode, as the agent does."""
        self._agent.reset(state, slots, seeds)

    def step(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        """Acts, as the agent does."""
        if isinstance(self._agent, RSNN):
            self.latest = self._agent.spike_trains(solutions, members, obs, state)[:, 0].numpy()
            return self._agent.step(solutions, members, obs, state)
        action = self._agent.step(solutions, members, obs, state)
        self.latest = state.h.numpy().copy()
        return action


def has_activity(agent) -> bool:
    """Returns whether `Recorder` knows the units of an agent: spiking neurons, or hidden units between −1 and 1."""
    return isinstance(agent, RSNN | HiddenAgent)
