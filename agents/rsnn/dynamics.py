"""The recurrent spiking network as readable functions of tensors: the definition that the kernel is tested against.

Batched over slots (B) on any device. All state is float32 and every elementwise operation is rounded by itself (no
fused multiply-add), in the order written here. The two sums over many terms that are not integers, the input and, with
real connections, the recurrent one, are added in float64 and rounded once: their order then does not show, and the
kernel, which adds in another order, fires the same spikes.

Source: paper, Eq. 3 to 7; the discretisation is that of the published code (networks/conn_snn.py).
"""

import torch


def weighted_sum(values: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """(B, pre) values through (B, pre, post) kernels, added in float64: (B, post) float32."""
    return torch.einsum("bi,bij->bj", values.double(), kernels.double()).float()


def lerp(target: torch.Tensor, value: torch.Tensor, decay: float) -> torch.Tensor:
    """Exponential approach of ``value`` to ``target``; ``decay`` is what is left of the difference."""
    return target * (1.0 - decay) + value * decay


def lif_step(v_mem, i_syn, spikes, i_in, kernel_h, *, decay_mem, decay_syn, r_hidden, threshold):
    """One substep of leaky integrate-and-fire neurons (B, n) with exponential synapses.

    Args:
        v_mem: (B, n) membrane potential.
        i_syn: (B, n) synaptic current.
        spikes: (B, n) spikes of the last substep, signed by Dale's law where that holds.
        i_in: (B, n) input current, which enters the membrane directly.
        kernel_h: (B, n, n) recurrent connections, presynaptic index first.

    Returns:
        v_mem, i_syn, fired (B, n) bool.
    """
    i_syn = i_syn * decay_syn + r_hidden * weighted_sum(spikes, kernel_h)
    v_mem = lerp(i_syn + i_in, v_mem, decay_mem)
    fired = v_mem > threshold
    return torch.where(fired, 0.0, v_mem), i_syn, fired
