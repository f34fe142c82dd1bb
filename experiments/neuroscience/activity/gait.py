"""The rhythm of a movement, and at which phase of it neurons fire."""

import numpy as np
from scipy.signal import hilbert

FEWEST_CYCLES = 3


def autocorrelation(signal: np.ndarray) -> np.ndarray:
    """Returns the autocorrelation of a signal (steps,) at lags 0, 1, …; all 0 where it never changes."""
    centred = signal - signal.mean()
    full = np.correlate(centred, centred, "full")[len(signal) - 1 :]
    return full / full[0] if full[0] > 0 else np.zeros(len(signal))


def find_period(signal: np.ndarray) -> tuple[int, float]:
    """Returns the period of a signal in steps, and the autocorrelation there; (0, 0.0) where there is no rhythm.

    It is the highest local maximum of the autocorrelation after its first zero, up to a third of the signal.

    Args:
        signal: (steps,) numbers, such as a joint's angle.
    """
    values = autocorrelation(signal)[: len(signal) // FEWEST_CYCLES + 1]
    negative = np.flatnonzero(values < 0)
    if not len(negative):
        return 0, 0.0
    lags = np.arange(max(1, negative[0]), len(values) - 1)
    peaks = lags[(values[lags] >= values[lags - 1]) & (values[lags] > values[lags + 1]) & (values[lags] > 0)]
    if not len(peaks):
        return 0, 0.0
    best = peaks[np.argmax(values[peaks])]
    return int(best), float(values[best])


def phases(signal: np.ndarray, period: int) -> np.ndarray:
    """Returns (steps,) phases in radians: of the analytic signal, of what a running mean over a period leaves.

    Args:
        signal: (steps,) numbers.
        period: Steps of a period.
    """
    slow = np.convolve(np.pad(signal, period // 2, "edge"), np.ones(period) / period, "same")
    slow = slow[period // 2 : period // 2 + len(signal)]
    return np.angle(hilbert(signal - slow))


def tuning(counts: np.ndarray, phase: np.ndarray, period: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns how neurons follow a rhythm.

    The vector strength is |Σ_t c_t e^(iφ_t)| / Σ_t c_t: 1 where all spikes have one phase, 0 where they have all alike.
    Because spikes of a cycle are no independent draws, its p-value is Rayleigh's over cycles, each of which counts with
    the mean phase of its spikes: p = exp(√(1 + 4n + 4n²(1 − r²)) − 1 − 2n), with r the length of the mean of n unit
    vectors.

    Args:
        counts: (steps, n) numbers of spikes.
        phase: (steps,) phases in radians.
        period: Steps of a period, by which the episode is cut into cycles.

    Returns:
        Vector strengths, preferred phases (radians) and p-values, (n,) each; NaN where no spike falls into a whole
        cycle.

    Source: Zar (2010), "Biostatistical analysis", Eq. 27.4, for the p-value.
    """
    cycles = len(counts) // period
    vectors = counts[: cycles * period] * np.exp(1j * phase[: cycles * period])[:, None]
    total, spikes = vectors.sum(axis=0), counts[: cycles * period].sum(axis=0)
    fires = spikes > 0
    mean = np.where(fires, total / np.maximum(spikes, 1), np.nan)
    each = vectors.reshape(cycles, period, -1).sum(axis=1)
    length = np.abs(each)
    sound = length > 1e-9
    n = sound.sum(axis=0)
    units = np.where(sound, each / np.where(sound, length, 1.0), 0.0)
    r = np.abs(units.sum(axis=0)) / np.maximum(n, 1)
    p = np.exp(np.sqrt(1 + 4 * n + 4 * n**2 * (1 - np.minimum(r, 1.0) ** 2)) - 1 - 2 * n)
    return np.abs(mean), np.angle(mean), np.where(fires & (n > 0), np.minimum(p, 1.0), np.nan)
