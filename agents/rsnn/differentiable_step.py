"""A step of the spiking network with snnTorch's neurons, through which autograd can go back: it defines the gradient.

All sequences share one network. The neurons fire the same spikes as those of `agents.rsnn.dynamics`, whose order of
operations is kept.
"""

import torch
from snntorch import Leaky, SpikingNeuron

from agents.rsnn.constants import LIFConstants
from agents.rsnn.dynamics import lerp
from agents.rsnn.surrogate import Surrogate


def make_neuron(decay_mem: float, threshold: float, surrogate: Surrogate) -> Leaky:
    """Makes leaky integrate-and-fire neurons.

    They do not reset themselves: `advance` does that, so that the reset can be detached.

    Args:
        decay_mem: What is left of a membrane potential after a substep.
        threshold: Membrane potential above which a neuron fires.
        surrogate: Derivative of a spike.
    """
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
    constants: LIFConstants,
    *,
    signs: torch.Tensor,
    detach_reset: bool,
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Advances S slots by one environment step.

    Sums are added in float64 and rounded once, as in `agents.rsnn.dynamics`.

    Args:
        neuron: What `make_neuron` returns.
        kernels: Float32 arrays kernel_in (inputs, n), kernel_h (n, n) and kernel_out (n, act_length) by name.
        x: (S, inputs) float32 input.
        memory: v_mem, i_syn, rate and spikes, each (S, n).
        constants: Constants of the dynamics.
        signs: (n,) signs of the neurons: 1 for excitatory, −1 for inhibitory.
        detach_reset: Whether no gradient passes through the reset of a membrane.

    Returns:
        The (S, act_length) output before clipping, and the memory after the step.
    """
    neuron.to(x.device)
    kernel_h = kernels["kernel_h"].double()
    v_mem, i_syn, rate, spikes = memory
    spikes = spikes.float()
    i_in = constants.r_in * (x.double() @ kernels["kernel_in"].double()).float()
    for _ in range(constants.substeps):
        i_syn = i_syn * constants.decay_syn + constants.r_hidden * (spikes.double() @ kernel_h).float()
        fired, v_mem = neuron((i_syn + i_in) * (1.0 - constants.decay_mem), v_mem)
        v_mem = v_mem - v_mem * (fired.detach() if detach_reset else fired)
        spikes = fired * signs
        rate = lerp(spikes / constants.dt, rate, constants.decay_out)
    neuron.mem = neuron.reset = None  # they would keep the graph of these substeps alive
    output = constants.r_out * (rate.double() @ kernels["kernel_out"].double()).float()
    return output, (v_mem, i_syn, rate, spikes)
