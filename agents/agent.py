"""What all agents have in common: the layout of a solution, and checks of what a step is given."""

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
from torch.nn.functional import pad
from torch.utils._pytree import tree_map

from agents.native_step import NativeStep


class Agent(ABC):
    """A network with a state, batched over slots: each slot acts with one row of a population of solutions.

    A solution is the arrays of ``parameter_shapes`` flattened row-major and in order; kernels have the presynaptic
    index first.

    Attributes:
        obs_length: Observations.
        act_length: Actions.
        dtype: Of a solution: ``torch.bool`` or ``torch.float32``.
        parameter_shapes: Name -> shape of the arrays in a solution.
    """

    def __init__(self, obs_length: int, act_length: int, dtype: torch.dtype):
        check_whole(obs_length=obs_length, act_length=act_length)
        self.obs_length, self.act_length, self.dtype = obs_length, act_length, dtype
        self.parameter_shapes: dict[str, tuple[int, ...]] = {}

    @property
    def solution_length(self) -> int:
        """Numbers in a solution, L."""
        return sum(self._sizes())

    def split(self, solutions: torch.Tensor) -> dict[str, torch.Tensor]:
        """The arrays of (B, L) solutions by name, each (B, *shape)."""
        parts = solutions.split(self._sizes(), dim=1)
        return {
            name: part.reshape(-1, *shape)
            for (name, shape), part in zip(self.parameter_shapes.items(), parts, strict=True)
        }

    @abstractmethod
    def initial_state(self, batch_size: int, *, generator: torch.Generator | None = None):
        """The state of B slots in which nothing has happened yet."""

    @abstractmethod
    def initial_solutions(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """(count, L) solutions from which a search sensibly starts, drawn from ``generator``."""

    @abstractmethod
    def reset(self, state, slots, seeds) -> None:
        """Begin an episode in some slots; their state is a function of the episode's seed alone.

        Args:
            state: Changed in place, in these slots only.
            slots: Indices.
            seeds: As many non-negative integers.
        """

    def readout(self, state) -> torch.Tensor:
        """(B, act_length) output of the last step, before it was clipped to [−1, 1]."""
        return state.output

    def native(self, solutions: torch.Tensor, members: np.ndarray, state) -> NativeStep | None:
        """This agent's step as a C function on these arrays, or None where there is none."""
        return None

    @abstractmethod
    def memory(self, state):
        """What of ``state`` the next step depends on: tensors (B, …), nested in tuples and dictionaries as may be."""

    def unroll(self, solution: torch.Tensor, observations: torch.Tensor, memory, lengths: torch.Tensor) -> torch.Tensor:
        """Outputs of one solution over sequences of steps, with a gradient: what backpropagation through time needs.

        The outputs are those of :meth:`readout` after each :meth:`step`. No gradient flows into ``memory``.

        Args:
            solution: (L,) float32.
            observations: (T, S, obs_length) float32.
            memory: :meth:`memory` of S slots before the first step of each sequence; left as it is.
            lengths: (S,) int64 steps of each sequence, falling, in [1, T].

        Returns:
            (T, S, act_length) float32, not clipped; 0 after the end of a sequence.

        Raises:
            ValueError: a wrong shape, or solutions that have no gradient (bits).
        """
        self._check_sequences(solution, observations, lengths)
        parameters, memory = self._trainable(solution), tree_map(torch.detach, memory)
        outputs = []
        for x, active in zip(observations, count_active(lengths, len(observations)), strict=True):
            memory = tree_map(lambda leaf, kept=active: leaf[:kept], memory)
            output, memory = self._advance_one(parameters, x[:active], memory)
            outputs.append(pad(output, (0, 0, 0, len(x) - active)))
        return torch.stack(outputs)

    def _trainable(self, solution: torch.Tensor):
        """The arrays of (L,) one solution by name, without a leading dimension, as :meth:`_advance_one` uses them."""
        return {name: part[0] for name, part in self.split(solution[None]).items()}

    @abstractmethod
    def _advance_one(self, parameters, x: torch.Tensor, memory) -> tuple[torch.Tensor, object]:
        """A step of S slots with the parameters of one solution: output (S, act_length), and the memory after it."""

    def step(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        """Act: one environment step of every slot.

        Args:
            solutions: (N, L) in the agent's dtype.
            members: (B,) integers, row of each slot; a slot with a negative member rests.
            obs: (B, obs_length) tensor or array; float32, or converted to it.
            state: Updated in place.

        Returns:
            (B, act_length) float32 in [−1, 1]; 0 for a resting slot.

        Raises:
            ValueError: a wrong shape or dtype.
        """
        self._check_solutions(solutions)
        batch_size = len(state.output)
        if tuple(obs.shape) != (batch_size, self.obs_length):
            raise ValueError(f"obs: expected shape ({batch_size}, {self.obs_length}), got {tuple(obs.shape)}")
        if len(members) != batch_size:
            raise ValueError(f"members: expected {batch_size} rows, one for each slot, got {len(members)}")
        highest = int(torch.as_tensor(members).max())
        if highest >= len(solutions):
            raise ValueError(f"members: expected rows below {len(solutions)}, got {highest}")
        return self._act(solutions, members, obs, state)

    @abstractmethod
    def _act(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        """:meth:`step` with arguments that have been checked."""

    def _check_solutions(self, solutions: torch.Tensor) -> None:
        if solutions.dtype != self.dtype:
            raise ValueError(f"solutions: expected {self.dtype}, got {solutions.dtype}")
        if solutions.ndim != 2 or solutions.shape[1] != self.solution_length:
            raise ValueError(f"solutions: expected shape (N, {self.solution_length}), got {tuple(solutions.shape)}")

    def _check_sequences(self, solution: torch.Tensor, observations: torch.Tensor, lengths: torch.Tensor) -> None:
        if self.dtype != torch.float32:
            raise ValueError(f"solution: expected real numbers, which have a gradient; this agent's are {self.dtype}")
        if solution.dtype != self.dtype or solution.shape != (self.solution_length,):
            raise ValueError(
                f"solution: expected {self.dtype} of shape ({self.solution_length},), got {solution.dtype} of shape"
                f" {tuple(solution.shape)}"
            )
        if observations.ndim != 3 or observations.shape[2] != self.obs_length:
            raise ValueError(f"observations: expected shape (T, S, {self.obs_length}), got {tuple(observations.shape)}")
        most, count = observations.shape[:2]
        falling = lengths.shape == (count,) and bool((lengths[:-1] >= lengths[1:]).all())
        if not falling or lengths.min() < 1 or lengths.max() > most:
            raise ValueError(f"lengths: expected {count} falling numbers in [1, {most}], got {lengths.tolist()}")

    def _sizes(self) -> list[int]:
        return [math.prod(shape) for shape in self.parameter_shapes.values()]


def count_active(lengths: torch.Tensor, steps: int) -> list[int]:
    """How many of the sequences have a step t, for t = 0, 1, …"""
    return (lengths > torch.arange(steps, device=lengths.device)[:, None]).sum(dim=1).tolist()


def check_whole(**values: int) -> None:
    """Check that keyword arguments are positive whole numbers.

    Raises:
        ValueError: naming the first that is not.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: expected a positive whole number, got {value!r}")


def check_positive(**values: float) -> None:
    """Check that keyword arguments are positive numbers.

    Raises:
        ValueError: naming the first that is not.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise ValueError(f"{name}: expected a positive number, got {value!r}")
