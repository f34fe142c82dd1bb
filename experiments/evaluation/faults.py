"""Faults of a network as functions of its solution, and noise on what it observes.

Connections are the entries of the arrays that have two dimensions; biases are none. Which ones are damaged follows from
(seed, fault, draw) alone: they are the first of an order of all, so that a larger damage includes every smaller one.
"""

from collections.abc import Sequence

import numpy as np
import torch

from agents.compiled_agent import CompiledAgent

FLIP, SILENCE, NOISE = FAULTS = ("flip", "silence", "noise")
DAMAGE = 0xFA17  # purpose of the generator that orders connections or neurons
OBSERVATION_NOISE = 0x0153  # purpose of the generators of noise
FROM_NEURONS = ("kernel_h", "kernel_out")  # arrays whose rows are neurons


def flip_connections(agent, solution: torch.Tensor, connections: Sequence[int]) -> torch.Tensor:
    """Returns a solution in which some connections are flipped.

    A bit becomes the other one. A real number changes its sign; so a "sign" connection that was absent exists, and one
    that existed is absent.

    Args:
        agent: An agent with `parameter_shapes`.
        solution: (L,) bool or float32.
        connections: Numbers of connections, below `count_connections(agent)`: all entries of all arrays of two
            dimensions that are part of a solution, in its order.

    Returns:
        (L,) tensor of the same data type.
    """
    places = torch.from_numpy(_places_of_connections(agent)[np.asarray(connections, dtype=np.int64)])
    flipped = solution.clone()
    flipped[places] = ~solution[places] if solution.dtype == torch.bool else -solution[places]
    return flipped


def silence_neurons(agent: CompiledAgent, solution: torch.Tensor, neurons: Sequence[int]) -> torch.Tensor:
    """Returns a solution in which some neurons reach nothing: as if their spikes, or their outputs, were always 0.

    Args:
        agent: An `RSNN`, `RNN`, `GRU` or `LSTM`.
        solution: (L,) bool or float32.
        neurons: Numbers of neurons, below `agent.num_neurons`.

    Returns:
        (L,) tensor of the same data type, without the connections that leave these neurons.
    """
    silenced, places = solution.clone(), agent.places()
    for name in FROM_NEURONS:
        leaving = places[name][np.asarray(neurons, dtype=np.int64)]
        silenced[torch.from_numpy(leaving[leaving >= 0])] = 0
    return silenced


def count_connections(agent) -> int:
    """Returns how many connections an agent may have, with those that do not exist."""
    return len(_places_of_connections(agent))


def damaged_parts(fault: str, count: int, share: float, seed: int, draw: int) -> np.ndarray:
    """Draws which connections or neurons are damaged.

    Args:
        fault: One of `FAULTS`.
        count: How many connections or neurons there are.
        share: Share of them that is damaged, in [0, 1]; round(share · count) are.
        seed: Seed of the evaluation.
        draw: Number of the draw, from 0.

    Returns:
        Their numbers, int64.
    """
    order = np.random.default_rng([DAMAGE, seed, FAULTS.index(fault), draw]).permutation(count)
    return order[: round(share * count)]


class NoisyAgent:
    """Acts as another agent does that sees Gaussian noise on its observations.

    The noise is a function of the episode's seed, the draw and the step.

    Attributes:
        stdev: Standard deviation of the noise, in units of what the agent sees: where observations are normalised, in
            standard deviations of each of them.
        draw: Number of the draw, from 0; takes effect when an episode begins.

    Args:
        agent: The agent.
    """

    def __init__(self, agent):
        self._agent = agent
        self.stdev, self.draw = 0.0, 0
        self.obs_length, self.act_length = agent.obs_length, agent.act_length
        self.solution_length, self.dtype = agent.solution_length, agent.dtype
        self.initial_state = agent.initial_state
        self._generators: dict[int, np.random.Generator] = {}

    def reset(self, state, slots, seeds) -> None:
        """Begins an episode in some slots, as the agent does."""
        self._agent.reset(state, slots, seeds)
        for slot, seed in zip(slots, seeds, strict=True):
            self._generators[int(slot)] = np.random.default_rng([OBSERVATION_NOISE, int(seed), self.draw])

    def step(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        """Acts as the agent does, on observations with noise."""
        seen = np.array(obs, dtype=np.float32)
        for slot in np.flatnonzero(np.asarray(members) >= 0):
            seen[slot] += np.float32(self.stdev) * self._generators[int(slot)].standard_normal(
                seen.shape[1], np.float32
            )
        return self._agent.step(solutions, members, seen, state)


def _places_of_connections(agent) -> np.ndarray:
    """Returns the places of all connections in a solution, in order."""
    places = np.concatenate([part.ravel() for part in agent.places().values() if part.ndim == 2])
    return places[places >= 0]
