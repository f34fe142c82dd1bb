"""Statistics of few runs, by hand and against SciPy."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from experiments.analysis.statistics import (
    bootstrap_interval,
    improvement,
    improvement_p_value,
    interquartile_mean,
    mean,
    median,
)


def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end():
    assert interquartile_mean(np.array([100.0, 1, 2, 3, 4, 5, 6, -100])) == (2 + 3 + 4 + 5) / 4


def test_the_interquartile_mean_of_three_is_their_mean():
    assert interquartile_mean(np.array([0.0, 0.0, 9.0])) == 3


def test_the_interquartile_mean_is_over_the_runs_of_all_samples():
    assert interquartile_mean(np.array([0.0, 10]), np.array([20.0, 90])) == 15


def test_the_interval_of_two_runs_is_their_range():
    # Means of two draws from {0, 1} are 0, 1/2, 1 with chances 1/4, 1/2, 1/4: more than 2.5 % at either end.
    assert bootstrap_interval([np.array([0.0, 1.0])], mean) == (0, 1)


def test_the_interval_of_many_runs_is_that_of_the_normal_approximation():
    sample = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_interval([sample], mean)
    half = 1.96 * sample.std() / math.sqrt(400)
    assert low == pytest.approx(sample.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(sample.mean() + half, abs=0.1 * half)


def test_seeds_are_resampled_within_each_environment():
    # Across environments they would be anything from 0 to 10.
    assert bootstrap_interval([np.array([0.0, 0.0]), np.array([10.0, 10.0])], mean) == (5, 5)


@pytest.mark.parametrize("samples", [[], [np.array([])], [np.array([1.0])], [np.array([1.0, 2.0]), np.array([3.0])]])
def test_what_nobody_can_know_has_no_interval(samples):
    assert np.isnan(bootstrap_interval(samples, mean)).all()


@pytest.mark.parametrize("statistic", [mean, median, interquartile_mean])
def test_the_same_runs_have_the_same_interval_every_time(statistic):
    sample = np.random.default_rng(1).normal(size=7)
    assert bootstrap_interval([sample], statistic) == bootstrap_interval([sample.copy()], statistic)


def test_improvement_counts_pairs_and_half_of_the_ties():
    assert improvement(np.array([1.0, 3.0]), np.array([2.0, 3.0])) == (0 + 0 + 1 + 0.5) / 4


def test_improvement_is_the_mann_whitney_statistic():
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 6, 9).astype(float), rng.integers(0, 6, 5).astype(float)
    assert improvement(x, y) == pytest.approx(mannwhitneyu(x, y).statistic / 45)


def test_improvement_is_averaged_over_environments_however_many_seeds_each_has():
    better, worse = np.array([2.0, 2, 2, 2]), np.array([1.0])
    assert improvement(better, worse, worse, better) == 0.5


def test_improvement_over_oneself_lies_within_its_interval():
    sample = np.arange(6.0)
    low, high = bootstrap_interval([sample, sample], improvement)
    assert low < improvement(sample, sample) == 0.5 < high


@pytest.mark.parametrize(("n", "m"), [(3, 3), (2, 4), (5, 3), (6, 6)])
def test_the_p_value_in_one_environment_is_mann_and_whitneys(n, m):
    generator = np.random.default_rng(n + 10 * m)
    for _ in range(5):
        x, y = generator.normal(size=n), generator.normal(size=m) + 0.7
        expected = mannwhitneyu(x, y, method="exact").pvalue
        assert improvement_p_value(x, y) == pytest.approx(expected)
        assert improvement_p_value(y, x) == pytest.approx(expected)


def test_the_p_value_over_environments_counts_all_assignments():
    """Against the definition: every exchange of runs within both environments, ties and unequal sizes included."""
    samples = [np.array(values, dtype=float) for values in ((3, 5, 5), (1, 5), (7, 8, 2), (6, 6, 1))]

    def exchanges(x, y):
        runs = np.concatenate([x, y])
        for chosen in combinations(range(len(runs)), len(x)):
            is_chosen = np.isin(np.arange(len(runs)), chosen)
            yield runs[is_chosen], runs[~is_chosen]

    values = [improvement(*first, *second) for first in exchanges(*samples[:2]) for second in exchanges(*samples[2:])]
    observed = improvement(*samples)
    tails = np.mean(np.array(values) >= observed - 1e-12), np.mean(np.array(values) <= observed + 1e-12)
    assert improvement_p_value(*samples) == pytest.approx(min(1, 2 * min(tails)))


def test_the_p_value_of_many_runs_is_near_the_exact_one():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=11), generator.normal(size=10) + 0.8
    assert improvement_p_value(x, y) == pytest.approx(mannwhitneyu(x, y, method="exact").pvalue, abs=0.01)
    assert improvement_p_value(x, y) == improvement_p_value(x, y)


def test_the_p_value_of_equal_runs_is_one():
    assert improvement_p_value(np.ones(3), np.ones(4)) == 1
