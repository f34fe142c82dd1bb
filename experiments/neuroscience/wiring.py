"""The connections of one network, by kind of neuron."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

KINDS = ("E", "I")
BLOCKS = ("in→E", "in→I", "E→E", "E→I", "I→E", "I→I", "E→out", "I→out")


@dataclass(frozen=True)
class Wiring:
    """Connections between inputs, neurons and outputs; presynaptic index first.

    Attributes:
        kernel_in: (inputs, n) connections from inputs to neurons: bool, or probabilities ρ in [0, 1].
        kernel_h: (n, n) connections between neurons, of the same dtype; a neuron may connect to itself.
        kernel_out: (n, outputs) connections from neurons to outputs, of the same dtype.
        num_excitatory: How many neurons are excitatory; they are the first.
    """

    kernel_in: np.ndarray
    kernel_h: np.ndarray
    kernel_out: np.ndarray
    num_excitatory: int

    @classmethod
    def of(cls, kernels: Mapping[str, np.ndarray], num_excitatory: int) -> "Wiring":
        """Returns the wiring of three kernels by name."""
        return cls(kernels["kernel_in"], kernels["kernel_h"], kernels["kernel_out"], num_excitatory)

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
        e, i = slice(None, self.num_excitatory), slice(self.num_excitatory, None)
        kernel_h = self.kernel_h
        parts = (self.kernel_in[:, e], self.kernel_in[:, i], kernel_h[e, e], kernel_h[e, i], kernel_h[i, e])
        return dict(zip(BLOCKS, (*parts, kernel_h[i, i], self.kernel_out[e], self.kernel_out[i]), strict=True))

    def copy(self) -> "Wiring":
        """Returns a wiring with kernels of its own."""
        return Wiring(self.kernel_in.copy(), self.kernel_h.copy(), self.kernel_out.copy(), self.num_excitatory)

    def flatten(self) -> np.ndarray:
        """Returns the kernels as a solution (L,), in the order of the agent's `parameter_shapes`."""
        return np.concatenate([kernel.ravel() for kernel in (self.kernel_in, self.kernel_h, self.kernel_out)])
