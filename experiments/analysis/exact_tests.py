"""Exact tests by exchange of runs: is one method better than another, not worse, or as good?

All three are the Mann-Whitney test, stratified by environment. It asks: if the two methods were alike, so that each run
of an environment might as well have been the other method's, how often would an exchange of runs bring as large a
P(X > Y) as was seen? The answer counts every exchange, so that it holds for three seeds as for thirty, assumes no bell
curve, and does not care that returns of one environment are a hundred times those of another.

Non-inferiority and equivalence need a margin δ, the largest difference that does not matter. They are the same test
after the runs of X have been moved by δ: X is not worse than Y where X + δ is better than Y, and as good as Y where
X + δ is better and X − δ is worse (two one-sided tests, "TOST").

Sources: Mann and Whitney (1947), https://doi.org/10.1214/aoms/1177730491; Schuirmann (1987),
https://doi.org/10.1007/BF01068419; Holm (1979), https://www.jstor.org/stable/4615733.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

LEVEL = 0.05  # of a two-sided p-value, up to which a difference counts as decided


class Kind(StrEnum):
    """What a comparison of two methods X and Y claims, for a margin δ ≥ 0 in each environment."""

    SUPERIORITY = "superiority"
    """X is better than Y."""
    NON_INFERIORITY = "non-inferiority"
    """X is better than Y − δ."""
    EQUIVALENCE = "equivalence"
    """X is better than Y − δ and worse than Y + δ."""


class Evidence(NamedTuple):
    """What runs say about a comparison.

    Attributes:
        p_for: One-sided p-value of what is claimed: small where the runs show it.
        p_against: One-sided p-value of the contrary: small where the runs show that.
    """

    p_for: float
    p_against: float

    @property
    def p_value(self) -> float:
        """Twice the smaller of the two, at most 1: the two-sided p-value of the comparison."""
        return min(1.0, 2.0 * min(self))

    @property
    def is_for(self) -> bool:
        """Whether the runs speak for the claim rather than for its contrary."""
        return self.p_for < self.p_against


def compare(kind: Kind, samples: Sequence[np.ndarray], margins: Sequence[float]) -> Evidence:
    """Tests a claim about two methods.

    With a level of 0.05 for the two-sided p-value, a claim that does not hold is confirmed in at most 2.5 % of all
    studies, and one that holds is contradicted in at most 5 % (2.5 % but for equivalence, which can fail on either
    side). This is exact where the runs of the two methods differ in their location alone and the margins are fixed. It
    is approximate where their spreads differ, and where the margins are shares of means that come from the same runs.

    Args:
        kind: What is claimed.
        samples: X and Y of the first environment, X and Y of the second, and so on; each (n,), without NaN.
        margins: δ of each environment, in its own reward, at least 0. Superiority does not use them.
    """
    if kind is Kind.SUPERIORITY:
        return Evidence(*improvement_tails(*samples))
    raised = Evidence(*improvement_tails(*_moved(samples, margins)))
    if kind is Kind.NON_INFERIORITY:
        return raised
    lowered = Evidence(*reversed(improvement_tails(*_moved(samples, [-margin for margin in margins]))))
    return Evidence(max(raised.p_for, lowered.p_for), min(raised.p_against, lowered.p_against))


def improvement_p_value(*samples: np.ndarray) -> float:
    """Returns the two-sided p-value of P(X > Y), averaged over environments, under exchange of runs.

    No set of three runs against three in one environment comes below 0.1; in two environments, 0.005.

    Args:
        *samples: X and Y of the first environment, X and Y of the second, and so on; each (n,), without NaN.
    """
    return Evidence(*improvement_tails(*samples)).p_value


def improvement_tails(*samples: np.ndarray) -> tuple[float, float]:
    """Returns how likely an exchange of runs makes P(X > Y) at least, and at most, as large as it is.

    Args:
        *samples: As for `improvement_p_value`.

    Returns:
        Both tails of the exact distribution over all assignments of the runs of each environment to the two methods.
        The first is small where X is better, the second where Y is.
    """
    pairs = list(zip(samples[::2], samples[1::2], strict=True))
    scale = math.lcm(*(2 * len(x) * len(y) for x, y in pairs))  # makes every U / (n m) a whole number
    totals, chances = np.zeros(1, dtype=np.int64), np.ones(1)
    observed = 0
    for x, y in pairs:
        values, shares, seen = _twice_u(x, y)
        unit = scale // (2 * len(x) * len(y))
        observed += unit * seen
        totals, places = np.unique(np.add.outer(totals, unit * values), return_inverse=True)
        chances = np.bincount(places.ravel(), np.multiply.outer(chances, shares).ravel())
    return float(chances[totals >= observed].sum()), float(chances[totals <= observed].sum())


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Returns p-values that are corrected for there being several of them.

    The smallest is multiplied by how many there are, the next by one less, and so on; none is below one before it.
    To call every comparison whose corrected value is at most 0.05 decided is to err about any of them in at most 5 % of
    all studies, however the comparisons depend on one another.

    Args:
        p_values: (k,) single p-values. NaN, of comparisons that were not made, does not count and stays NaN.

    Returns:
        (k,) float64, at most 1.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(p_values.shape, np.nan)
    order = np.argsort(p_values)[: np.isfinite(p_values).sum()]  # NaN is sorted last
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return corrected


def _moved(samples: Sequence[np.ndarray], distances: Sequence[float]) -> list[np.ndarray]:
    """Returns the samples with every X moved by the distance of its environment."""
    pairs = zip(samples[::2], samples[1::2], distances, strict=True)
    return [sample for x, y, distance in pairs for sample in (x + distance, y)]


def _twice_u(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns the values that 2 U has over all assignments of the runs, their shares, and the value that was seen.

    U follows from the sum of the ranks of X.
    """
    n = len(x)
    ranks = np.rint(2 * rankdata(np.concatenate([x, y]))).astype(np.int64)  # doubled: ties have halves
    sums, shares = _sums_of_ranks(n, tuple(sorted(ranks.tolist())))
    least = n * (n + 1)
    return sums - least, shares, int(ranks[:n].sum()) - least


@lru_cache(maxsize=1024)
def _sums_of_ranks(n: int, ranks: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the sums that n of some ranks can have, and their shares; all studies of a size without ties have these.

    How many sets of ranks have a sum is counted rank by rank.
    """
    counts = np.zeros((n + 1, sum(ranks) + 1))  # sets of so many of the ranks so far that have this sum
    counts[0, 0] = 1.0
    for rank in ranks:
        counts[1:, rank:] += counts[:-1, :-rank]
    sums = np.flatnonzero(counts[n])
    shares = counts[n, sums]
    return sums, shares / shares.sum()
