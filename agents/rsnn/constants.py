"""The constants of the spiking network's dynamics, shared by its definition, its kernel and backpropagation."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class LIFConstants:
    """Constants of leaky integrate-and-fire neurons with exponential synapses, advanced in substeps.

    Attributes:
        dt: Simulated time of a substep, ms.
        substeps: Number of substeps in an environment step.
        decay_syn: What is left of a synaptic current after a substep, e^(−dt/τ_syn).
        decay_mem: What is left of a membrane potential after a substep, e^(−dt/τ_mem).
        decay_out: What is left of a firing rate after a substep, e^(−dt/τ_out).
        r_in: Resistance of the input.
        r_hidden: Resistance of the recurrence.
        r_out: Resistance of the readout.
        threshold: Membrane potential above which a neuron fires.
    """

    dt: float
    substeps: int
    decay_syn: float
    decay_mem: float
    decay_out: float
    r_in: float
    r_hidden: float
    r_out: float
    threshold: float

    @property
    def gain_mem(self) -> np.float32:
        """What a current adds to a membrane potential in a substep, 1 − decay_mem, rounded as kernels round it."""
        return np.float32(1) - np.float32(self.decay_mem)

    @property
    def decay_rate(self) -> float:
        """What is left of a firing rate after an environment step."""
        return self.decay_out**self.substeps

    @cached_property
    def spike_rates(self) -> np.ndarray:
        """What a spike in each substep adds to the firing rate at the end of the step, (substeps,) float32.

        Kernels let rates decay once in a step, and add for each spike what will be left of it at the end.
        """
        left = self.decay_out ** np.arange(self.substeps - 1, -1, -1)
        return (left * (1 - self.decay_out) / self.dt).astype(np.float32)


def decay(dt: float, tau: float) -> float:
    """Returns what is left after `dt` of something with time constant `tau`, both ms, rounded to float32."""
    return float(np.float32(math.exp(-dt / tau)))
