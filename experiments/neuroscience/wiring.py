"""The connections of one network, by kind of neuron."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agents.rsnn import anatomy
from agents.rsnn.anatomy import arrow, block_views

KERNELS = ("kernel_in", "kernel_h", "kernel_out")
BLOCKS = tuple(arrow(block) for block in anatomy.BLOCKS)
RECURRENT = BLOCKS[2:6]


@dataclass(frozen=True)
class Wiring:
    """Connections between inputs, neurons and outputs; presynaptic index first.

    Attributes:
        kernel_in: (inputs, n) connections from inputs to neurons: bool, or probabilities ρ in [0, 1].
        kernel_h: (n, n) connections between neurons, of the same dtype; a neuron may connect to itself.
        kernel_out: (n, outputs) connections from neurons to outputs, of the same dtype.
        num_excitatory: How many neurons are excitatory; they are the first.
        possible: Which connections can exist, as bool; None where all can. Others are never drawn, flipped or counted.
    """

    kernel_in: np.ndarray
    kernel_h: np.ndarray
    kernel_out: np.ndarray
    num_excitatory: int
    possible: "Wiring | None" = None

    @classmethod
    def of(
        cls, kernels: Mapping[str, np.ndarray], num_excitatory: int, mask: Mapping[str, np.ndarray] | None = None
    ) -> "Wiring":
        """Returns the wiring of three kernels by name, and of a `connection_mask` of an agent."""
        possible = None if mask is None else cls.of(mask, num_excitatory)
        return cls(*(kernels[name] for name in KERNELS), num_excitatory, possible)

    @property
    def kernels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The arrays of `KERNELS`."""
        return self.kernel_in, self.kernel_h, self.kernel_out

    @property
    def num_neurons(self) -> int:
        """Number of neurons n."""
        return len(self.kernel_h)

    @property
    def signs(self) -> np.ndarray:
        """(n,) float64: 1 for an excitatory neuron, −1 for an inhibitory one (Dale's law)."""
        return np.where(np.arange(self.num_neurons) < self.num_excitatory, 1.0, -1.0)

    @property
    def blocks(self) -> dict[str, np.ndarray]:
        """The blocks of `BLOCKS`: views of the kernels."""
        views = block_views(dict(zip(KERNELS, self.kernels, strict=True)), self.num_excitatory)
        return {arrow(block): view for block, view in views.items()}

    def copy(self) -> "Wiring":
        """Returns a wiring with kernels of its own."""
        return self.with_kernels(*(kernel.copy() for kernel in self.kernels))

    def with_kernels(self, kernel_in: np.ndarray, kernel_h: np.ndarray, kernel_out: np.ndarray) -> "Wiring":
        """Returns other connections between the same inputs, neurons and outputs."""
        return Wiring(kernel_in, kernel_h, kernel_out, self.num_excitatory, self.possible)

    def searched(self, block: str) -> np.ndarray:
        """Returns those entries of a block that can be connections, in order."""
        return self.blocks[block].ravel() if self.possible is None else self.blocks[block][self.possible.blocks[block]]

    def flatten(self) -> np.ndarray:
        """Returns the kernels as a solution (L,) of the agent: what can be a connection, in order."""
        kernels = np.concatenate([kernel.ravel() for kernel in self.kernels])
        return kernels if self.possible is None else kernels[self.possible.flatten()]
