"""Agents whose step is defined in torch and compiled to a C function for the CPU."""

from abc import abstractmethod
from dataclasses import fields
from typing import ClassVar

import numpy as np
import torch
from snntorch.surrogate import straight_through_estimator

from agents.agent import Agent, check_whole
from agents.native_step import NativeStep, step_slots

DTYPES = {"boolean": torch.bool, "real": torch.float32, "sign": torch.float32}
"""Kinds of connections and the dtype of their solutions; "sign" connections exist where the number is positive."""


class CompiledAgent(Agent):
    """A network of ``num_neurons`` neurons whose state is a dataclass of tensors with a row for each slot.

    The subclass says how the state advances, in torch as the definition and as a C function. That function reads a
    record of ``CONTEXT``: each field of it is the address of an array (of the state, of :meth:`_native_arrays`,
    ``solutions`` or ``members``) or else an attribute of the agent.
    """

    CONTEXT: ClassVar[np.dtype]

    def __init__(self, obs_length: int, act_length: int, num_neurons: int, connections: str, backend: str):
        check_whole(num_neurons=num_neurons)
        if connections not in DTYPES:
            raise ValueError(f"connections: expected one of {sorted(DTYPES)}, got {connections!r}")
        if backend not in ("auto", "numba", "torch"):
            raise ValueError(f"backend: expected 'auto', 'numba' or 'torch', got {backend!r}")
        super().__init__(obs_length, act_length, DTYPES[connections])
        self.num_neurons, self.connections = num_neurons, connections
        self._backend = backend

    def native(self, solutions: torch.Tensor, members: np.ndarray, state) -> NativeStep | None:
        """This agent's step as a C function on these arrays, or None when they are not on the CPU.

        Args:
            solutions: (N, L) in the agent's dtype. With "sign" connections the signs are those of now.
            members: (B,) int64, C-contiguous. Read, unchecked, at every call: the caller may change it in place between
                calls, and keeps its rows below N and does not step a slot whose member is negative.
            state: Of B slots, updated in place.

        Raises:
            ValueError: a wrong shape or dtype.
        """
        if self._backend == "torch" or solutions.device.type != "cpu":
            return None
        self._check_solutions(solutions)
        _check_members(members, len(state.output))
        arrays = {field.name: getattr(state, field.name).numpy() for field in fields(state)}
        arrays |= self._native_arrays(len(state.output))
        arrays["solutions"] = self._connect(solutions.detach()).contiguous().as_subclass(torch.Tensor).numpy()
        arrays["members"] = members
        context = np.zeros(1, dtype=self.CONTEXT)
        for name in self.CONTEXT.names:
            context[0][name] = arrays[name].ctypes.data if name in arrays else getattr(self, name)
        function = self._native_function()
        return NativeStep(function.address, context.ctypes.data, (context, arrays, function))

    def memory(self, state) -> tuple[torch.Tensor, ...]:
        """The parts of the state but for its output, in their order."""
        return tuple(getattr(state, field.name) for field in fields(state) if field.name != "output")

    def _trainable(self, solution: torch.Tensor) -> dict[str, torch.Tensor]:
        return super()._trainable(_connect_through(solution) if self.connections == "sign" else solution)

    def _advance_one(self, parameters, x, memory):
        *memory, output = self._advance(parameters, x, *memory, None)
        return output, tuple(memory)

    def _act(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        if self._backend == "torch" or (self._backend == "auto" and solutions.device.type != "cpu"):
            return self._step_torch(solutions, torch.as_tensor(members), torch.as_tensor(obs), state)
        if solutions.device.type != "cpu":
            raise ValueError(f"solutions: expected a tensor on the CPU with backend='numba', got {solutions.device}")
        rows, members = self._rows_in_use(solutions, np.ascontiguousarray(members, dtype=np.int64))
        observations = np.ascontiguousarray(obs, dtype=np.float32)
        actions = np.empty((len(members), self.act_length), dtype=np.float32)
        native = self.native(rows, members, state)
        step_slots(native.function, native.context, members, observations, actions)
        return torch.from_numpy(actions)

    @abstractmethod
    def _native_function(self):
        """The compiled C function."""

    @abstractmethod
    def _native_arrays(self, batch_size: int) -> dict[str, np.ndarray]:
        """Arrays besides the state that the C function works in or reads."""

    @abstractmethod
    def _advance(self, parameters: dict[str, torch.Tensor], x: torch.Tensor, *state: torch.Tensor) -> tuple:
        """The definition of a step: from the parts of a state, each (B, …), to the parts of the next one.

        Args:
            parameters: Name -> (B, *shape), a network for each slot; or (*shape), one for all.
            x: (B, obs_length) observations.
            state: The parts of the state in their order; the last, the output, is not read.
        """

    def _connect(self, solutions: torch.Tensor) -> torch.Tensor:
        """Solutions as the network uses them."""
        return solutions > 0 if self.connections == "sign" else solutions

    def _rows_in_use(self, solutions: torch.Tensor, members: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
        """The same networks with fewer rows, where it would cost something to look at all."""
        if self.connections != "sign":
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
        for name, value in zip(names, self._advance(parameters, obs[active].float(), *before), strict=True):
            getattr(state, name)[active] = value
        actions = state.output.new_zeros(len(members), self.act_length)
        actions[active] = state.output[active].clamp(-1.0, 1.0)
        return actions


_connect_through = straight_through_estimator()
"""Real numbers -> 1.0 where positive, else 0.0; the gradient passes as it is (https://arxiv.org/abs/1308.3432)."""


def _check_members(members, batch_size: int) -> None:
    if not isinstance(members, np.ndarray):
        raise ValueError(f"members: expected a NumPy array, got {type(members).__name__}")
    if members.dtype != np.int64 or members.shape != (batch_size,) or not members.flags.c_contiguous:
        raise ValueError(
            f"members: expected a C-contiguous int64 array of shape ({batch_size},), got {members.dtype} of shape"
            f" {members.shape}"
        )
