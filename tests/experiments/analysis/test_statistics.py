"""Statistics of few runs, by hand and against SciPy."""

import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from experiments.analysis.statistics import (
    bootstrap_interval,
    crossed_interval,
    improvement,
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


def test_the_interval_of_one_row_is_that_of_its_columns():
    row = np.random.default_rng(0).normal(size=400)
    low, high = crossed_interval(row[None])
    assert (low, high) == pytest.approx(bootstrap_interval([row], mean), abs=0.02)


def test_rows_that_differ_widen_the_interval_of_a_crossed_table():
    """Rows are 0 and 1: their mean is 0, 1/2 or 1 with chances 1/4, 1/2, 1/4, whatever the columns are."""
    assert crossed_interval(np.repeat([[0.0], [1.0]], 50, axis=1)) == (0, 1)
    assert crossed_interval(np.full((2, 50), 3.0)) == (3, 3)


def test_a_crossed_interval_covers_the_spread_of_rows_and_of_columns():
    """The variance of the mean of a + b over R rows and C columns is that of a over R plus that of b over C."""
    generator = np.random.default_rng(1)
    rows, columns = generator.normal(size=(60, 1)), generator.normal(size=(1, 80))
    low, high = crossed_interval(rows + columns)
    half = 1.96 * math.sqrt(rows.var() / 60 + columns.var() / 80)
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)


def test_what_is_not_known_is_left_out_of_a_crossed_interval():
    values = np.array([[1.0, 2.0, np.nan], [1.0, np.nan, 2.0]])
    low, high = crossed_interval(values)
    assert 1 <= low < high <= 2
    assert np.isnan(crossed_interval(np.full((2, 3), np.nan))).all()
    assert np.isnan(crossed_interval(np.array([[1.0], [2.0]]))).all()
