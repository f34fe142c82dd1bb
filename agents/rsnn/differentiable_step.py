"""A step of the spiking network in snnTorch's neurons, which autograd can go back through: it defines the gradient.

One network is shared by all sequences. The neurons fire the same spikes as :mod:`agents.rsnn.dynamics`, whose order of
operations is kept.
"""

import torch
from snntorch import Leaky, SpikingNeuron

from agents.rsnn.dynamics import lerp
from agents.rsnn.surrogate import Surrogate


def make_neuron(decay_mem: float, threshold: float, surrogate: Surrogate) -> Leaky:
    """Leaky integrate-and-fire neurons that are not reset: :func:`advance` does that, so that it can be detached."""
    neuron = Leaky(
        torch.tensor(decay_mem, dtype=torch.float32),
        threshold=torch.tensor(threshold, dtype=torch.float32),
        spike_grad=surrogate.spike,
        reset_mechanism="none",
    )
    SpikingNeuron.instances.remove(neuron)  # which would keep it alive for ever
    return neuron


def advance(
    neuron: Leaky,
    kernels: dict[str, torch.Tensor],
    x: torch.Tensor,
    memory: tuple[torch.Tensor, ...],
    *,
    signs: torch.Tensor,
    substeps: int,
    decay_mem: float,
    decay_syn: float,
    decay_out: float,
    r_in: float,
    r_hidden: float,
    r_out: float,
    dt: float,
    detach_reset: bool,
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """One environment step of S slots.

    Sums are added in float64 and rounded once, as in :mod:`agents.rsnn.dynamics`.

    Args:
        neuron: Of :func:`make_neuron`.
        kernels: kernel_in (inputs, n), kernel_h (n, n) and kernel_out (n, act_length), float32.
        x: (S, inputs) float32.
        memory: v_mem, i_syn, rate and spikes, each (S, n).
        signs: (n,) 1 where a neuron is excitatory, −1 where inhibitory.

    Returns:
        Output (S, act_length) before clipping, and the memory after the step.
    """
    neuron.to(x.device)
    kernel_h = kernels["kernel_h"].double()
    v_mem, i_syn, rate, spikes = memory
    spikes = spikes.float()
    i_in = r_in * (x.double() @ kernels["kernel_in"].double()).float()
    for _ in range(substeps):
        i_syn = i_syn * decay_syn + r_hidden * (spikes.double() @ kernel_h).float()
        fired, v_mem = neuron((i_syn + i_in) * (1.0 - decay_mem), v_mem)
        v_mem = v_mem - v_mem * (fired.detach() if detach_reset else fired)
        spikes = fired * signs
        rate = lerp(spikes / dt, rate, decay_out)
    neuron.mem = neuron.reset = None  # they would keep the graph of these substeps alive
    output = r_out * (rate.double() @ kernels["kernel_out"].double()).float()
    return output, (v_mem, i_syn, rate, spikes)
