"""What agents of ordinary units have in common: hidden units that start at zero, and weights that start alike."""

from abc import abstractmethod
from dataclasses import dataclass, fields
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from numba import types
from torch.nn.functional import pad

from agents.agent import count_active
from agents.arguments import check_generator, name_device
from agents.compiled_agent import CompiledAgent
from native.arguments import check_whole
from native.warp_device import find_device

STEP_SIGNATURE = types.void(types.int64, types.int64, types.int64, types.int64)
"""Signature of the C function of a step: context, slot, observation, action."""


@dataclass
class HiddenState:
    """State of B slots, updated in place; `output` is the readout of the last step before clipping."""

    h: torch.Tensor  # (B, n) float32 hidden units
    output: torch.Tensor  # (B, act_length) float32


def context_dtype(*scratch: str, constants: tuple[str, ...] = ()) -> np.dtype:
    """Returns the type of the record that the C function of such an agent reads.

    Args:
        *scratch: Names of arrays besides solutions, members, hidden units and output.
        constants: Names of float32 numbers.
    """
    addresses = ("solutions", "members", "h", "output", *scratch)
    sizes = ("obs_length", "act_length", "num_neurons", "solution_length")
    return np.dtype(
        [(name, np.int64) for name in (*addresses, *sizes)] + [(name, np.float32) for name in constants], align=True
    )


class HiddenAgent(CompiledAgent):
    """An agent whose state is zero at the beginning of an episode, whatever the seed."""

    STATE: ClassVar[type] = HiddenState

    def __init__(
        self, obs_length: int, act_length: int, num_neurons: int, connections: str, backend: str, device: str | None
    ):
        super().__init__(obs_length, act_length, num_neurons, connections, backend)
        self._device = None if device is None else self._name_device(device)

    def _name_device(self, device: str) -> str:
        if self._backend == "numba":
            raise ValueError(f"device: expected none with backend='numba', got {device!r}")
        try:
            return name_device(device)
        except ImportError as error:
            raise ValueError(f"device: expected None, got {device!r}, but {error}") from error

    def initial_state(self, batch_size: int, *, generator: torch.Generator | None = None):
        """Makes hidden units of zero in B slots, on the generator's device or else the agent's; nothing is drawn."""
        batch_size = check_whole("batch_size", batch_size)
        if generator is not None:
            check_generator(generator)
        device = self._device if generator is None else generator.device
        widths = {field.name: self.num_neurons for field in fields(self.STATE)} | {"output": self.act_length}
        zeros = partial(torch.zeros, dtype=torch.float32, device=device)
        return self.STATE(**{name: zeros(batch_size, width) for name, width in widths.items()})

    def reset(self, state, slots, seeds) -> None:
        """Begins an episode in some slots, whose state becomes zero.

        Args:
            state: The state of all slots, changed in place in these slots only.
            slots: Indices of the slots.
            seeds: Seeds of the episodes, which make no difference.
        """
        slots, _ = self._check_reset(state, slots, seeds)
        for field in fields(state):
            getattr(state, field.name)[slots] = 0

    def draw_starts(self, seeds) -> torch.Tensor:
        """Returns what is random in the states with which episodes begin: nothing, (n episodes, 0) float32."""
        return torch.empty(len(seeds), 0, dtype=torch.float32)

    def on_device(self, num_slots: int):
        """Makes slots on the agent's device for a loop that stays there: it launches steps, and a graph captures them.

        Args:
            num_slots: Number of slots B. Each has a network of its own, none until one is loaded, and rests.

        Returns:
            `agents.device.dense_networks.DenseNetworks`.

        Raises:
            ValueError: If the agent was given no device, or B is not a positive whole number.
        """
        if self._device is None:
            raise ValueError("on_device: expected an agent with a device, got one without")
        from agents.device.dense_networks import DenseNetworks  # Warp is an extra

        return DenseNetworks(self, check_whole("num_slots", num_slots), find_device(self._device))

    def initial_solutions(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draws (count, L) solutions: kernels from N(0, 1 / rows) and biases of 0; fair bits; or numbers from N(0, 1).

        Real weights are drawn the first way, boolean connections the second, "sign" connections the third. The variance
        of the kernels is LeCun's, the default of flax (https://flax.readthedocs.io). Deviation: flax draws orthogonal
        recurrent kernels; here they are normal like the others.
        """
        count = self._check_count(count, generator)
        shape, device = (count, self.solution_length), generator.device
        if self.dtype == torch.bool:
            return torch.rand(shape, generator=generator, device=device, dtype=torch.float32) < 0.5
        solutions = torch.randn(shape, generator=generator, device=device, dtype=torch.float32)
        if self.connections == "real":
            for name, part in self.split(solutions).items():
                part *= self.parameter_shapes[name][0] ** -0.5 if part.ndim == 3 else 0.0
        return solutions

    def unroll(self, solution: torch.Tensor, observations: torch.Tensor, memory, lengths: torch.Tensor) -> torch.Tensor:
        """Computes what `Agent.unroll` does; input and readout of all steps are one matrix product each."""
        self._check_sequences(solution, observations, memory, lengths)
        parameters = self._trainable(solution)
        memory = tuple(part.detach() for part in memory)
        h = self._unroll_hidden(parameters, observations, memory, count_active(lengths, len(observations)))
        outputs = self._read_out(parameters, h)
        going_on = torch.arange(len(observations), device=lengths.device)[:, None] < lengths
        return outputs.where(going_on[..., None], 0.0)

    def _unroll_hidden(self, parameters, observations, memory, active: list[int]) -> torch.Tensor:
        """Returns (T, S, n) hidden units of sequences, `active[t]` of which have a step t; past their end, anything."""
        hidden = []
        for from_in, count in zip(self._take_in(parameters, observations), active, strict=True):
            memory = self._recur(parameters, from_in[:count], *(part[:count] for part in memory))
            hidden.append(pad(memory[0], (0, 0, 0, len(from_in) - count)))
        return torch.stack(hidden)

    def _advance(self, parameters, x, *state):
        hidden = self._recur(parameters, self._take_in(parameters, x), *state[:-1])
        return *hidden, self._read_out(parameters, hidden[0])

    @abstractmethod
    def _take_in(self, parameters, x: torch.Tensor) -> torch.Tensor:
        """Returns the part of a step that depends on the observations alone."""

    @abstractmethod
    def _recur(self, parameters, from_in: torch.Tensor, *hidden: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Returns the hidden parts of the next state, beginning with the units that are read out."""

    @abstractmethod
    def _read_out(self, parameters, h: torch.Tensor) -> torch.Tensor:
        """Returns the output that hidden units give."""

    def _native_arrays(self, batch_size: int) -> dict[str, np.ndarray]:
        return {name: np.empty((batch_size, width), dtype=np.float32) for name, width in self._scratch_widths().items()}

    @abstractmethod
    def _scratch_widths(self) -> dict[str, int]:
        """Returns the widths of the float32 arrays that the C function works in, by name."""


def multiply(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Multiplies (B, rows) by a (B, rows, columns) kernel for each slot, or (…, rows) by one (rows, columns) kernel."""
    return x @ kernel if kernel.ndim == 2 else torch.einsum("bi,bij->bj", x, kernel)
