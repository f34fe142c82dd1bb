"""Currents that neurons receive from excitatory and from inhibitory ones, and from the input."""

import numpy as np
from scipy.signal import lfilter

from agents.rsnn.constants import LIFConstants
from experiments.neuroscience.wiring import Wiring


def synaptic_currents(spikes: np.ndarray, wiring: Wiring, constants: LIFConstants) -> tuple[np.ndarray, np.ndarray]:
    """Returns the recurrent currents of the episode, excitatory and inhibitory (both at least 0).

    I(t) = e^(−dt/τ_syn) I(t − 1) + r_hidden Σ_j s_j(t − 1) W_ji, over the excitatory j or over the inhibitory ones; the
    synaptic current of the network is their difference (paper, Eq. 3 and 4).

    Args:
        spikes: (time steps, n), not 0 where a neuron fires.
        wiring: The network.
        constants: Constants of the dynamics.

    Returns:
        Two arrays (time steps, n) float32.
    """
    fired = (spikes != 0).astype(np.float32)
    before = np.concatenate([np.zeros_like(fired[:1]), fired[:-1]])
    kernel = wiring.kernel_h.astype(np.float32)
    parts = []
    for part in (slice(None, wiring.num_excitatory), slice(wiring.num_excitatory, None)):
        drive = constants.r_hidden * (before[:, part] @ kernel[part])
        parts.append(lfilter([1.0], [1.0, -constants.decay_syn], drive, axis=0).astype(np.float32))
    return parts[0], parts[1]


def input_currents(inputs: np.ndarray, wiring: Wiring, constants: LIFConstants) -> np.ndarray:
    """Returns the currents from the observation, r_in [x, −x] W_in; (steps, n) float64.

    Args:
        inputs: (steps, obs_length) observations as the network sees them.
        wiring: The network.
        constants: Constants of the dynamics.
    """
    return constants.r_in * (np.concatenate([inputs, -inputs], axis=1) @ wiring.kernel_in.astype(np.float64))


def balance(excitation: np.ndarray, inhibition: np.ndarray, external: np.ndarray) -> dict[str, float]:
    """Returns how excitation and inhibition of neurons compare.

    Args:
        excitation: (time steps, n) excitatory recurrent currents.
        inhibition: (time steps, n) inhibitory recurrent currents.
        external: (steps, n) currents from the observation, of either sign.

    Returns:
        - I/E ratio: Mean inhibitory over mean excitatory current; NaN without excitation.
        - E-I correlation: Mean over neurons of the correlation over time of the two; NaN where neither varies.
        - recurrent share: Mean of both over the mean of both and |external|; NaN where nothing flows.
    """
    recurrent, outside = float(excitation.mean() + inhibition.mean()), float(np.abs(external).mean())
    e, i = excitation - excitation.mean(axis=0), inhibition - inhibition.mean(axis=0)
    scale = np.sqrt((e.astype(np.float64) ** 2).sum(axis=0) * (i.astype(np.float64) ** 2).sum(axis=0))
    varies = scale > 0
    together = (e * i).sum(axis=0, dtype=np.float64)[varies] / scale[varies]
    return {
        "I/E ratio": float(inhibition.mean() / excitation.mean()) if excitation.any() else np.nan,
        "E-I correlation": float(together.mean()) if varies.any() else np.nan,
        "recurrent share": recurrent / (recurrent + outside) if recurrent + outside else np.nan,
    }
