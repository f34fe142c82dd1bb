"""Which neurons fire otherwise on GO than on NOGO."""

from itertools import pairwise

import numpy as np
from scipy.stats import mannwhitneyu

SETTLED = 25  # environment steps after a switch that are left out
FEWEST_INTERVALS = 8  # of each signal; with fewer the normal approximation of the test is too bold


def interval_rates(counts: np.ndarray, go: np.ndarray, settled: int = SETTLED) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean spike count in a step of each interval between two switches of the signal.

    Args:
        counts: (steps, n) numbers of spikes of an episode.
        go: (steps,) bool, whether the signal was GO.
        settled: First steps of an interval that are left out; intervals that are no longer have no rate.

    Returns:
        (intervals, n) float64 means, and (intervals,) bool, which of them were GO.
    """
    starts = np.concatenate([[0], np.flatnonzero(np.diff(go)) + 1, [len(go)]])
    kept = [(a + settled, b) for a, b in pairwise(starts) if b - a > settled]
    means = [counts[a:b].mean(axis=0) for a, b in kept]
    return np.array(means).reshape(-1, counts.shape[1]), np.array([go[a] for a, _ in kept], dtype=bool)


def switching(means: np.ndarray, go: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns how much neurons fire on GO and on NOGO, and whether these differ.

    Args:
        means: (intervals, n) of `interval_rates`, of all episodes.
        go: (intervals,) bool.

    Returns:
        (n,) means over GO intervals, over NOGO intervals, and two-sided p-values of the Mann-Whitney test, whose cases
        are the intervals. Means are NaN without an interval of the signal, p-values with fewer than eight of either.
    """
    n = means.shape[1]
    on_go, on_nogo = (means[of].mean(axis=0) if of.any() else np.full(n, np.nan) for of in (go, ~go))
    if min(go.sum(), (~go).sum()) < FEWEST_INTERVALS:
        return on_go, on_nogo, np.full(n, np.nan)
    varies = np.ptp(means, axis=0) > 0
    p = np.ones(n)
    if varies.any():
        p[varies] = mannwhitneyu(means[go][:, varies], means[~go][:, varies], axis=0).pvalue
    return on_go, on_nogo, p
