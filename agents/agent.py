"""What all agents have in common: the layout of a solution, and the checks of what a step is given."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from torch.nn.functional import pad
from torch.utils._pytree import tree_map

from agents.arguments import (
    check_form,
    check_generator,
    check_members,
    check_observations,
    check_slots,
    check_tensor,
    describe,
    form_of,
)
from agents.native_step import NativeStep
from native.arguments import check_whole


class Agent(ABC):
    """A network with a state, batched over slots: each slot acts with one row of a population of solutions.

    A solution is the arrays of `parameter_shapes` in order, each flattened row-major, without what `connection_mask`
    excludes. The first index of a kernel is the presynaptic one.

    Attributes:
        obs_length: Number of observations.
        act_length: Number of actions.
        dtype: Data type of a solution: `torch.bool` or `torch.float32`.
        parameter_shapes: Shapes of the arrays in a solution, by name.
        connection_mask: Name -> bool array in the shape of each kernel, False for what is no part of a solution; None
            where all is.

    Args:
        obs_length: Number of observations.
        act_length: Number of actions.
        dtype: Data type of a solution.

    Raises:
        ValueError: If a number is not a positive whole number.
    """

    def __init__(self, obs_length: int, act_length: int, dtype: torch.dtype):
        self.obs_length = check_whole("obs_length", obs_length)
        self.act_length = check_whole("act_length", act_length)
        self.dtype = dtype
        self.parameter_shapes: dict[str, tuple[int, ...]] = {}
        self.connection_mask: dict[str, np.ndarray] | None = None

    @property
    def solution_length(self) -> int:
        """The number of parameters in a solution, L."""
        return sum(self._sizes())

    def split(self, solutions: torch.Tensor) -> dict[str, torch.Tensor]:
        """Returns the arrays of (B, L) solutions by name, each of shape (B, *shape).

        They hold 0 where `connection_mask` says that there is no part of a solution. Without a mask they are views.

        Raises:
            ValueError: If it is no tensor of such a shape.
        """
        if not isinstance(solutions, torch.Tensor) or solutions.shape[1:] != (self.solution_length,):
            raise ValueError(f"solutions: expected shape (N, {self.solution_length}), got {describe(solutions)}")
        parts = self._whole(solutions).split(self._sizes(), dim=1)
        return {
            name: part.reshape(-1, *shape)
            for (name, shape), part in zip(self.parameter_shapes.items(), parts, strict=True)
        }

    def join(self, arrays: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Returns the (B, L) solutions of arrays by name, each of shape (B, *shape): the reverse of `split`."""
        return torch.cat([arrays[name].flatten(start_dim=1) for name in self.parameter_shapes], dim=1)

    def places(self) -> dict[str, np.ndarray]:
        """Returns where in a solution the entries of each array are, by name; −1 for what is no part of a solution."""
        numbered = self.split(torch.arange(1, self.solution_length + 1)[None])
        return {name: part[0].numpy() - 1 for name, part in numbered.items()}

    def solution_blocks(self) -> dict[str, np.ndarray]:
        """Returns where in a solution the entries of each block are, by name: (k,) int64 places; here of each array."""
        return {name: places[places >= 0] for name, places in self.places().items()}

    @abstractmethod
    def initial_state(self, batch_size: int, *, generator: torch.Generator | None = None):
        """Makes the state of slots in which nothing has happened yet.

        Args:
            batch_size: Number of slots B.
            generator: Source of random numbers, where the state needs any. The state is made on its device, or on the
                CPU if it is None.
        """

    @abstractmethod
    def initial_solutions(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draws (count, L) solutions that are a sensible start for a search."""

    @abstractmethod
    def reset(self, state, slots, seeds) -> None:
        """Begins an episode in some slots, whose state becomes a function of the episode's seed alone.

        Args:
            state: The state of all slots, changed in place in these slots only.
            slots: Indices of the slots.
            seeds: The seeds of their episodes, non-negative integers.
        """

    def readout(self, state) -> torch.Tensor:
        """Returns the (B, act_length) output of the last step before it was clipped to [−1, 1]."""
        self._check_state(state)
        return state.output

    def native(self, solutions: torch.Tensor, members: np.ndarray, state) -> NativeStep | None:
        """Returns this agent's step as a C function on these arrays, or None where there is none."""
        return None

    @abstractmethod
    def memory(self, state):
        """Returns what the next step depends on: (B, …) tensors, possibly nested in tuples and dictionaries."""

    def unroll(self, solution: torch.Tensor, observations: torch.Tensor, memory, lengths: torch.Tensor) -> torch.Tensor:
        """Computes the outputs of one solution over sequences of steps, for backpropagation through time.

        The outputs are those that `readout` returns after each `step`. Their gradient flows to `solution`, and not to
        `memory`.

        Args:
            solution: (L,) float32 parameters.
            observations: (T, S, obs_length) float32 observations of S sequences of up to T steps.
            memory: What `memory` returns of S slots before the first step of each sequence. It is not changed.
            lengths: (S,) int64 numbers of steps in [1, T], from the longest sequence to the shortest.

        Returns:
            (T, S, act_length) float32 outputs before clipping; 0 after the end of a sequence.

        Raises:
            ValueError: If a shape is wrong, or the agent's solutions are bits, which have no gradient.
        """
        self._check_sequences(solution, observations, memory, lengths)
        parameters, memory = self._trainable(solution), tree_map(torch.detach, memory)
        outputs = []
        for x, active in zip(observations, count_active(lengths, len(observations)), strict=True):
            memory = tree_map(lambda leaf, kept=active: leaf[:kept], memory)
            output, memory = self._advance_one(parameters, x[:active], memory)
            outputs.append(pad(output, (0, 0, 0, len(x) - active)))
        return torch.stack(outputs)

    def _trainable(self, solution: torch.Tensor):
        """Returns the arrays of one (L,) solution by name, without a leading dimension, for `_advance_one`."""
        return {name: part[0] for name, part in self.split(solution[None]).items()}

    @abstractmethod
    def _advance_one(self, parameters, x: torch.Tensor, memory) -> tuple[torch.Tensor, object]:
        """Returns the (S, act_length) outputs of S slots that share one solution, and their memory after the step."""

    def step(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        """Acts for one environment step in every slot.

        Args:
            solutions: (N, L) solutions of the agent's data type.
            members: (B,) integers, the row of `solutions` that acts in each slot; a slot with a negative member rests.
            obs: (B, obs_length) observations, a tensor or an array, converted to float32.
            state: The state of the B slots, updated in place.

        Returns:
            (B, act_length) float32 actions in [−1, 1]; 0 for a resting slot.

        Raises:
            ValueError: If a shape or data type is wrong.
        """
        return self._act(solutions, *self._check_step(solutions, members, obs, state), state)

    @abstractmethod
    def _act(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        """Does what `step` does, with arguments that have been checked."""

    def _check_step(self, solutions, members, obs, state) -> tuple[np.ndarray, torch.Tensor | np.ndarray]:
        """Checks what a step is given, and returns members, (B,) int64, and observations (B, obs_length)."""
        self._check_solutions(solutions)
        batch_size = self._check_state(state)
        obs = check_observations(obs, (batch_size, self.obs_length))
        return check_members(members, batch_size, len(solutions)), obs

    def _check_reset(self, state, slots, seeds) -> tuple[torch.Tensor, list[int]]:
        """Checks what `reset` is given, and returns slots, (n,) int64, and seeds."""
        return check_slots(slots, seeds, self._check_state(state))

    def _check_count(self, count: int, generator: torch.Generator) -> int:
        """Checks what `initial_solutions` is given, and returns the count."""
        check_generator(generator)
        return check_whole("count", count, minimum=0)

    def _check_state(self, state) -> int:
        """Checks that a state is one of this agent, and returns its number of slots.

        Raises:
            ValueError: If it is not.
        """
        output = getattr(state, "output", None)
        is_numbers = isinstance(output, torch.Tensor) and output.dtype == torch.float32
        if not is_numbers or output.ndim != 2 or output.shape[1] != self.act_length:
            got = describe(state) if output is None else f"one with an output {describe(output)}"
            raise ValueError(f"state: expected what initial_state of this agent returns, got {got}")
        check_form("state", self.memory(state), self._memory_form, len(output), "initial_state")
        return len(output)

    @cached_property
    def _memory_form(self) -> list:
        return form_of(self.memory(self.initial_state(1)))

    def _check_solutions(self, solutions: torch.Tensor) -> None:
        check_tensor("solutions", solutions, self.dtype, f"(N, {self.solution_length})")
        if solutions.ndim != 2 or solutions.shape[1] != self.solution_length:
            raise ValueError(f"solutions: expected shape (N, {self.solution_length}), got {tuple(solutions.shape)}")

    def _check_sequences(self, solution, observations, memory, lengths) -> None:
        if self.dtype != torch.float32:
            raise ValueError(f"solution: expected real numbers, which have a gradient; this agent's are {self.dtype}")
        for name, value, dtype, shape in (
            ("solution", solution, torch.float32, f"({self.solution_length},)"),
            ("observations", observations, torch.float32, f"(T, S, {self.obs_length})"),
            ("lengths", lengths, torch.int64, "(S,)"),
        ):
            check_tensor(name, value, dtype, shape)
        if solution.shape != (self.solution_length,):
            raise ValueError(f"solution: expected shape ({self.solution_length},), got {tuple(solution.shape)}")
        if observations.ndim != 3 or observations.shape[2] != self.obs_length:
            raise ValueError(f"observations: expected shape (T, S, {self.obs_length}), got {tuple(observations.shape)}")
        most, count = observations.shape[:2]
        falling = lengths.shape == (count,) and bool((lengths[:-1] >= lengths[1:]).all())
        if not falling or lengths.min() < 1 or lengths.max() > most:
            raise ValueError(f"lengths: expected {count} falling numbers in [1, {most}], got {lengths.tolist()}")
        form = [(None, shape) for _, shape in self._memory_form]  # spikes may be real numbers here, with a gradient
        check_form("memory", memory, form, count, "memory")

    def _whole(self, solutions: torch.Tensor) -> torch.Tensor:
        """Returns (N, L) solutions with all entries of the arrays, in their order."""
        return solutions

    def _sizes(self) -> list[int]:
        return [math.prod(shape) for shape in self.parameter_shapes.values()]


def count_active(lengths: torch.Tensor, steps: int) -> list[int]:
    """Returns how many of the sequences have a step t, for each t below `steps`."""
    return (lengths > torch.arange(steps, device=lengths.device)[:, None]).sum(dim=1).tolist()
