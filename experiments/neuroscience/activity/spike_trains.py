"""Statistics of spike trains: rates, regularity, variability, correlations and dimension."""

import numpy as np

from experiments.neuroscience.structure import participation_ratio


def rates(spikes: np.ndarray, dt: float) -> np.ndarray:
    """Returns (n,) firing rates in Hz.

    Args:
        spikes: (time steps, n), not 0 where a neuron fires.
        dt: Duration of a time step, ms.
    """
    return (spikes != 0).sum(axis=0) / (len(spikes) * dt / 1000)


def interval_cv(spikes: np.ndarray) -> np.ndarray:
    """Returns (n,) coefficients of variation of the intervals between a neuron's spikes.

    It is std / mean: 0 for a clock, 1 for a Poisson process in continuous time (and √(1 − p) for one with probability p
    in each time step). NaN for neurons with fewer than three spikes.

    Args:
        spikes: (time steps, n), not 0 where a neuron fires.

    Source: Softky and Koch (1993), https://doi.org/10.1523/JNEUROSCI.13-01-00334.1993.
    """
    cv = np.full(spikes.shape[1], np.nan)
    for neuron, train in enumerate((spikes != 0).T):
        intervals = np.diff(np.flatnonzero(train))
        if len(intervals) > 1:
            cv[neuron] = intervals.std() / intervals.mean()
    return cv


def bin_counts(spikes: np.ndarray, width: int) -> np.ndarray:
    """Returns (bins, n) int64 numbers of spikes in bins of so many time steps; what is left at the end is dropped."""
    bins = len(spikes) // width
    fired = (spikes[: bins * width] != 0).reshape(bins, width, -1)
    return fired.sum(axis=1, dtype=np.int64)


def fano_factors(counts: np.ndarray) -> np.ndarray:
    """Returns (n,) variances of spike counts over their means: 1 for a Poisson process; NaN for a silent neuron.

    Args:
        counts: (bins, n) numbers of spikes.
    """
    mean = counts.mean(axis=0)
    return np.divide(counts.var(axis=0), mean, out=np.full(counts.shape[1], np.nan), where=mean > 0)


def correlations(counts: np.ndarray) -> np.ndarray:
    """Returns (n, n) Pearson's correlations of spike counts; NaN with a neuron whose count never changes.

    Args:
        counts: (bins, n) numbers of spikes.
    """
    centred = counts - counts.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    scale = np.outer(norms, norms)
    return np.divide(centred.T @ centred, scale, out=np.full(scale.shape, np.nan), where=scale > 0)


def correlation_by_kind(correlation: np.ndarray, num_excitatory: int) -> dict[str, float]:
    """Returns the mean correlation over pairs of different neurons within and between kinds, "E-E", "E-I" and "I-I".

    Args:
        correlation: (n, n) of `correlations`.
        num_excitatory: How many neurons are excitatory; they are the first.
    """
    excitatory = np.arange(len(correlation)) < num_excitatory
    pairs = np.triu(np.isfinite(correlation), 1)
    kinds = {"E-E": (True, True), "E-I": (True, False), "I-I": (False, False)}
    means = {}
    for name, (one, other) in kinds.items():
        values = correlation[pairs & (excitatory[:, None] == one) & (excitatory[None] == other)]
        means[name] = float(values.mean()) if values.size else np.nan
    return means


def shifted(counts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Returns counts in which every neuron's are moved in time by a random amount of its own, around the end.

    What each neuron does for itself stays, and who fires together does not: the null model of correlations.

    Args:
        counts: (bins, n) numbers of spikes.
        generator: Draws the amounts.
    """
    bins, n = counts.shape
    rows = (np.arange(bins)[:, None] + generator.integers(bins, size=n)) % bins
    return counts[rows, np.arange(n)]


def dimension(counts: np.ndarray) -> float:
    """Returns the dimension of the population's activity: the participation ratio of its covariance's eigenvalues.

    Args:
        counts: (bins, n) numbers of spikes; of fewer than two bins there is none (NaN).
    """
    if len(counts) < 2:
        return np.nan
    covariance = np.cov(counts, rowvar=False)
    return participation_ratio(np.maximum(np.linalg.eigvalsh(np.atleast_2d(covariance)), 0.0))
