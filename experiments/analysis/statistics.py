"""Statistics of few runs, with bootstrap intervals that are stratified by environment.

A sample is the scores of one method in one environment, one number for each seed.

Source: Agarwal et al. (2021), Deep Reinforcement Learning at the Edge of the Statistical Precipice,
https://arxiv.org/abs/2108.13264.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import bootstrap, trim_mean

CONFIDENCE = 0.95
RESAMPLES = 9_999
RESAMPLING_SEED = 0  # the same scores give the same interval every time


def mean(*samples: np.ndarray, axis: int = -1) -> np.ndarray:
    """Returns the mean over the runs of all samples."""
    return np.concatenate(samples, axis).mean(axis)


def median(*samples: np.ndarray, axis: int = -1) -> np.ndarray:
    """Returns the median over the runs of all samples."""
    return np.median(np.concatenate(samples, axis), axis)


def interquartile_mean(*samples: np.ndarray, axis: int = -1) -> np.ndarray:
    """Returns the mean over the runs of all samples without the lowest and the highest quarter (IQM).

    Each quarter is rounded down to whole runs. Of fewer than four runs none is left out, and the IQM is the mean.
    """
    return trim_mean(np.concatenate(samples, axis), 0.25, axis=axis)


def improvement(*samples: np.ndarray, axis: int = -1) -> np.ndarray:
    """Returns P(X > Y), averaged over environments: how often a run of X beats a run of Y.

    Of each environment it is the share of all pairs of runs in which that of X is higher, ties counted half: the
    Mann-Whitney statistic U / (n m).

    Args:
        *samples: X and Y of the first environment, X and Y of the second, and so on.
        axis: The axis of the runs, which must be the last. `scipy.stats.bootstrap` passes it.
    """
    xs, ys = samples[::2], samples[1::2]
    differences = [x[..., :, None] - y[..., None, :] for x, y in zip(xs, ys, strict=True)]
    return np.mean([np.mean((1 + np.sign(d)) / 2, axis=(-2, -1)) for d in differences], axis=0)


def bootstrap_interval(
    samples: Sequence[np.ndarray], statistic: Callable[..., np.ndarray], num_resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Returns the 95 % percentile bootstrap interval of a statistic; seeds are resampled within each sample.

    With few seeds the interval is too narrow: that of three runs cannot leave their range.

    Args:
        samples: The scores (n,) of each method and environment.
        statistic: A function of all samples and of `axis`, such as those of this module.
        num_resamples: How often the samples are drawn anew.

    Returns:
        Lower and upper end. Both are NaN if a sample has fewer than two runs, whose spread nobody knows.
    """
    if not samples or any(len(sample) < 2 for sample in samples):
        return math.nan, math.nan
    result = bootstrap(
        samples,
        statistic,
        n_resamples=num_resamples,
        vectorized=True,
        axis=-1,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(RESAMPLING_SEED),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def crossed_interval(values: np.ndarray, num_resamples: int = RESAMPLES) -> tuple[float, float]:
    """Returns the 95 % percentile interval of the mean of a table whose rows and columns are both samples.

    Rows and columns are resampled independently of each other (the pigeonhole bootstrap). The interval then holds for
    other rows and other columns; with few of either it is too narrow.

    Args:
        values: (rows, columns) numbers; those that are NaN are left out.
        num_resamples: How often rows and columns are drawn anew.

    Returns:
        Lower and upper end; both NaN where there is one column.

    Source: Owen (2007), The pigeonhole bootstrap, https://doi.org/10.1214/07-AOAS122.
    """
    if values.shape[1] < 2 or np.isnan(values).all():
        return math.nan, math.nan
    generator = np.random.default_rng(RESAMPLING_SEED)
    rows, columns = (generator.multinomial(n, np.full(n, 1 / n), num_resamples).astype(float) for n in values.shape)
    known = np.isfinite(values)
    counts = ((rows @ known) * columns).sum(axis=1)
    sums = ((rows @ np.where(known, values, 0.0)) * columns).sum(axis=1)
    means = sums[counts > 0] / counts[counts > 0]
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
