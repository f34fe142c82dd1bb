"""Agents whose step is defined in torch and compiled to a C function for the CPU."""

from abc import abstractmethod
from dataclasses import fields
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from snntorch.surrogate import straight_through_estimator

from agents.agent import Agent
from agents.arguments import as_float32
from agents.native_step import NativeStep
from native.arguments import check_choice, check_whole
from native.step_slots import step_slots

DTYPES = {"boolean": torch.bool, "real": torch.float32, "sign": torch.float32}
"""Data types of solutions by the kind of connections; a "sign" connection exists where its number is positive."""


class CompiledAgent(Agent):
    """A network of neurons whose state is a dataclass of tensors with a row for each slot.

    A subclass says twice how the state advances: in torch, which is the definition, and in a C function. That function
    reads a record of the type `CONTEXT`. Each field of the record is the address of an array or else a number: the
    arrays are those of the state and of `_native_arrays`, `solutions` and `members`; the numbers are those of
    `_native_numbers`.

    Attributes:
        num_neurons: Number of neurons n.
        connections: Kind of connections.

    Args:
        obs_length: Number of observations.
        act_length: Number of actions.
        num_neurons: Number of neurons n.
        connections: Kind of connections: "boolean", "real" or "sign".
        backend: "numba", "torch", or "auto" for numba where tensors are on the CPU.

    Raises:
        ValueError: If an argument is out of range.
    """

    CONTEXT: ClassVar[np.dtype]
    BACKENDS: ClassVar[tuple[str, ...]] = ("auto", "numba", "torch")

    def __init__(self, obs_length: int, act_length: int, num_neurons: int, connections: str, backend: str):
        super().__init__(obs_length, act_length, DTYPES[check_choice("connections", connections, DTYPES)])
        self.num_neurons, self.connections = check_whole("num_neurons", num_neurons), connections
        self._backend = check_choice("backend", backend, self.BACKENDS)

    def native(self, solutions: torch.Tensor, members: np.ndarray, state) -> NativeStep | None:
        """Returns this agent's step as a C function on these arrays, or None if it acts otherwise on them.

        Args:
            solutions: (N, L) solutions of the agent's data type. Those of "sign" connections, or with a
                `connection_mask`, are read now, once.
            members: (B,) int64 C-contiguous rows of `solutions`. The function reads them at every call without checks:
                the caller may change them in place between calls, and must keep them below N and must not step a slot
                whose member is negative.
            state: The state of B slots, which the function updates in place.

        Raises:
            ValueError: If a shape or data type is wrong.
        """
        self._check_solutions(solutions)
        if self._backend not in ("auto", "numba") or solutions.device.type != "cpu":
            return None
        _check_members(members, self._check_state(state))
        return self._make_native(solutions, members, state)

    def _make_native(self, solutions: torch.Tensor, members: np.ndarray, state) -> NativeStep:
        arrays = {field.name: getattr(state, field.name).numpy() for field in fields(state)}
        if not all(array.flags.c_contiguous for array in arrays.values()):
            raise ValueError("state: expected contiguous tensors, as initial_state returns them")
        arrays |= self._native_arrays(len(state.output))
        rows = self._whole(self._connect(solutions.detach())).contiguous()
        arrays["solutions"] = rows.as_subclass(torch.Tensor).numpy()
        arrays["members"] = members
        context, numbers = np.zeros(1, dtype=self.CONTEXT), self._native_numbers()
        for name in self.CONTEXT.names:
            context[0][name] = arrays[name].ctypes.data if name in arrays else numbers[name]
        function = self._native_function()
        return NativeStep(function.address, context.ctypes.data, (context, arrays, function))

    def _check_state(self, state) -> int:
        try:
            batch_size = len(state.output)
            for name, dtype, width in self._state_form:
                part = getattr(state, name)
                if part.dtype != dtype or part.shape != (batch_size, width):
                    break
            else:
                return batch_size
        except (AttributeError, TypeError):
            pass
        return super()._check_state(state)  # which says what is wrong

    @cached_property
    def _state_form(self) -> list[tuple[str, torch.dtype, int]]:
        state = self.initial_state(1)
        return [(f.name, getattr(state, f.name).dtype, getattr(state, f.name).shape[1]) for f in fields(state)]

    def memory(self, state) -> tuple[torch.Tensor, ...]:
        """Returns the parts of the state except its output, in their order."""
        return tuple(getattr(state, field.name) for field in fields(state) if field.name != "output")

    def _trainable(self, solution: torch.Tensor) -> dict[str, torch.Tensor]:
        return super()._trainable(_connect_through(solution) if self.connections == "sign" else solution)

    def pure_step(
        self, parameters: dict[str, torch.Tensor], x: torch.Tensor, memory: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Computes a step in torch as a function of its arguments that changes nothing: what an export can trace.

        Args:
            parameters: Arrays of one network by name, of the shapes in `parameter_shapes`, or (B, …) those of a network
                in each slot. Where connections are bits, the numbers 0 and 1 may stand for them.
            x: (B, obs_length) float32 observations.
            memory: What `memory` returns of the slots before the step.

        Returns:
            The (B, act_length) float32 output before clipping, and the memory after the step.
        """
        *memory, output = self._advance(parameters, x, *memory, None)
        return output, tuple(memory)

    def _advance_one(self, parameters, x, memory):
        *memory, output = self._advance(parameters, x, *memory, None)
        return output, tuple(memory)

    def _act(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        if self._backend == "torch" or (self._backend == "auto" and solutions.device.type != "cpu"):
            return self._step_torch(solutions, torch.tensor(members), as_float32(obs).to(state.output.device), state)
        if solutions.device.type != "cpu":
            raise ValueError(f"solutions: expected a tensor on the CPU with backend='numba', got {solutions.device}")
        rows, members = self._rows_in_use(solutions, members)
        observations = np.ascontiguousarray(obs, dtype=np.float32)
        actions = np.empty((len(members), self.act_length), dtype=np.float32)
        native = self._make_native(rows, members, state)
        step_slots(native.function, native.context, members, observations, actions)
        return torch.from_numpy(actions)

    @abstractmethod
    def _native_function(self):
        """Returns the C function."""

    @abstractmethod
    def _native_arrays(self, batch_size: int) -> dict[str, np.ndarray]:
        """Returns the arrays besides the state that the C function works in or reads, by name."""

    def _native_numbers(self) -> dict[str, float]:
        """Returns the sizes and constants that the C function reads, by name."""
        return {
            "obs_length": self.obs_length,
            "act_length": self.act_length,
            "num_neurons": self.num_neurons,
            "solution_length": sum(self._sizes()),  # of the rows that the C function reads, which are whole
        }

    @abstractmethod
    def _advance(self, parameters: dict[str, torch.Tensor], x: torch.Tensor, *state: torch.Tensor) -> tuple:
        """Defines a step: returns the parts of the next state, each (B, …), in their order.

        Args:
            parameters: Arrays of the network by name: (B, *shape) for a network in each slot, or (*shape) for one that
                all slots share.
            x: (B, obs_length) observations.
            *state: Parts of the state in their order. The last one, the output, is not read.
        """

    def _connect(self, solutions: torch.Tensor) -> torch.Tensor:
        """Returns solutions as the network uses them."""
        return solutions > 0 if self.connections == "sign" else solutions

    def _rows_in_use(self, solutions: torch.Tensor, members: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
        """Returns the same networks with fewer rows, where it would cost something to look at all of them."""
        if self.connections != "sign" and self.connection_mask is None:
            return solutions, members
        used, renumbered = np.unique(members[members >= 0], return_inverse=True)
        new_members = members.copy()
        new_members[members >= 0] = renumbered
        return solutions[torch.from_numpy(used)], new_members

    def _step_torch(self, solutions, members, obs, state) -> torch.Tensor:
        active = torch.nonzero(members >= 0)[:, 0]
        parameters = self.split(self._connect(solutions[members[active]]))
        names = [field.name for field in fields(state)]
        before = [getattr(state, name)[active] for name in names]
        for name, value in zip(names, self._advance(parameters, obs[active], *before), strict=True):
            getattr(state, name)[active] = value
        actions = state.output.new_zeros(len(members), self.act_length)
        actions[active] = state.output[active].clamp(-1.0, 1.0)
        return actions


_connect_through = straight_through_estimator()
"""Maps positive numbers to 1.0 and others to 0.0, and passes the gradient unchanged (arXiv:1308.3432)."""


def _check_members(members, batch_size: int) -> None:
    if not isinstance(members, np.ndarray):
        raise ValueError(f"members: expected a NumPy array, got {type(members).__name__}")
    if members.dtype != np.int64 or members.shape != (batch_size,) or not members.flags.c_contiguous:
        raise ValueError(
            f"members: expected a C-contiguous int64 array of shape ({batch_size},), got {members.dtype} of shape"
            f" {members.shape}"
        )
