"""What all agents have in common: the layout of a solution, and checks of what a step is given."""

from abc import ABC, abstractmethod

import numpy as np
import torch

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

    def _sizes(self) -> list[int]:
        return [int(np.prod(shape)) for shape in self.parameter_shapes.values()]


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
