"""Avalanches: uninterrupted runs of activity of the whole network."""

import numpy as np


def avalanche_sizes(population: np.ndarray) -> np.ndarray:
    """Returns the numbers of spikes in each run of time bins with spikes, between bins without any; int64.

    Runs that the start or the end of the recording cuts off are left out.

    Args:
        population: (bins,) numbers of spikes of all neurons.

    Source: Beggs and Plenz (2003), "Neuronal avalanches in neocortical circuits",
    https://doi.org/10.1523/JNEUROSCI.23-35-11167.2003.
    """
    empty = np.flatnonzero(population == 0)
    totals = np.concatenate([[0], np.cumsum(population)])
    sizes = totals[empty[1:]] - totals[empty[:-1] + 1]
    return sizes[sizes > 0]


def branching_ratio(population: np.ndarray) -> float:
    """Returns the mean, over bins with spikes, of the number of spikes in the next bin over that in this one.

    It is 1 where activity neither grows nor dies out. NaN of silence.

    Args:
        population: (bins,) numbers of spikes of all neurons.
    """
    before, after = population[:-1], population[1:]
    active = before > 0
    return float((after[active] / before[active]).mean()) if active.any() else np.nan
