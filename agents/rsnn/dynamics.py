"""The recurrent spiking network as readable functions of tensors: the definition that the kernel is tested against.

The functions are batched over slots (B) and work on any device. All state is float32, and every elementwise operation
is rounded by itself (no fused multiply-add), in the order written here. Two sums have many terms that are not integers:
the input and, with real connections, the recurrence. They are added in float64 and rounded once. The order of addition
then makes no difference, and the kernel, which adds in another order, fires the same spikes.

Source: paper, Eq. 3 to 7; the discretisation is that of the published code (networks/conn_snn.py).
"""

import torch

from agents.rsnn.constants import LIFConstants


def weighted_sum(values: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Multiplies (B, pre) values by (B, pre, post) kernels, or one (pre, post) for all, adding in float64.

    Returns:
        (B, post) float32.
    """
    values, kernels = values.double(), kernels.double()
    return (values @ kernels if kernels.ndim == 2 else torch.einsum("bi,bij->bj", values, kernels)).float()


def lerp(target: torch.Tensor, value: torch.Tensor, decay: float) -> torch.Tensor:
    """Lets `value` approach `target` exponentially; `decay` is what is left of the difference."""
    return target * (1.0 - decay) + value * decay


def lif_step(v_mem, i_syn, spikes, i_in, kernel_h, constants: LIFConstants):
    """Advances (B, n) leaky integrate-and-fire neurons with exponential synapses by one substep.

    Args:
        v_mem: (B, n) membrane potentials.
        i_syn: (B, n) synaptic currents.
        spikes: (B, n) spikes of the last substep, signed where Dale's law holds.
        i_in: (B, n) input currents, which enter the membranes directly.
        kernel_h: (B, n, n) recurrent connections, or (n, n) of all slots; presynaptic index first.
        constants: Constants of the dynamics.

    Returns:
        The next membrane potentials and synaptic currents, and (B, n) bool, whether each neuron fired.
    """
    i_syn = i_syn * constants.decay_syn + constants.r_hidden * weighted_sum(spikes, kernel_h)
    v_mem = lerp(i_syn + i_in, v_mem, constants.decay_mem)
    fired = v_mem > constants.threshold
    return torch.where(fired, 0.0, v_mem), i_syn, fired
