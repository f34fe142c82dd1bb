"""Exact tests, by hand, against SciPy, by law, and how often they are wrong."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from experiments.analysis.exact_tests import Kind, compare, holm, improvement_p_value, improvement_tails
from experiments.analysis.statistics import improvement

SUPERIORITY, NON_INFERIORITY, EQUIVALENCE = Kind

runs = st.lists(st.integers(-50, 50), min_size=1, max_size=5).map(lambda values: np.array(values, dtype=float))
studies = st.lists(st.tuples(runs, runs), min_size=1, max_size=2).map(
    lambda pairs: [run for pair in pairs for run in pair]
)


def swapped(samples):
    return [sample for x, y in zip(samples[::2], samples[1::2], strict=True) for sample in (y, x)]


@pytest.mark.parametrize(("n", "m"), [(3, 3), (2, 4), (5, 3), (6, 6), (11, 10), (40, 30)])
def test_the_p_value_in_one_environment_is_mann_and_whitneys(n, m):
    generator = np.random.default_rng(n + 10 * m)
    for _ in range(3):
        x, y = generator.normal(size=n), generator.normal(size=m) + 0.7
        expected = mannwhitneyu(x, y, method="exact").pvalue
        assert improvement_p_value(x, y) == pytest.approx(expected, rel=1e-9)
        assert improvement_p_value(y, x) == pytest.approx(expected, rel=1e-9)


def test_the_p_value_of_ten_runs_that_all_beat_ten_others_is_not_zero():
    assert improvement_p_value(np.arange(10.0) + 10, np.arange(10.0)) == pytest.approx(2 / math.comb(20, 10))


def test_the_p_value_over_environments_counts_all_assignments():
    """Against the definition: every exchange of runs within both environments, ties and unequal sizes included."""
    samples = [np.array(values, dtype=float) for values in ((3, 5, 5), (1, 5), (7, 8, 2), (6, 6, 1))]

    def exchanges(x, y):
        pooled = np.concatenate([x, y])
        for chosen in itertools.combinations(range(len(pooled)), len(x)):
            is_chosen = np.isin(np.arange(len(pooled)), chosen)
            yield pooled[is_chosen], pooled[~is_chosen]

    values = [improvement(*first, *second) for first in exchanges(*samples[:2]) for second in exchanges(*samples[2:])]
    observed = improvement(*samples)
    tails = np.mean(np.array(values) >= observed - 1e-12), np.mean(np.array(values) <= observed + 1e-12)
    assert improvement_tails(*samples) == pytest.approx(tails)
    assert improvement_p_value(*samples) == pytest.approx(min(1, 2 * min(tails)))


def test_the_p_value_of_equal_runs_is_one():
    assert improvement_p_value(np.ones(3), np.ones(4)) == 1


X, Y = np.array([95.0, 96.0, 97.0]), np.array([99.0, 100.0, 101.0])  # 3 against 3: the least tail is 1 of 20


@pytest.mark.parametrize(
    ("kind", "margin", "expected"),
    [
        (SUPERIORITY, 99.0, (1.0, 1 / 20)),  # whatever the margin, all of X is below all of Y
        (NON_INFERIORITY, 1.0, (1.0, 1 / 20)),  # X + 1 ends at 98
        (NON_INFERIORITY, 7.0, (1 / 20, 1.0)),  # X + 7 begins at 102
        (EQUIVALENCE, 1.0, (1.0, 1 / 20)),
        (EQUIVALENCE, 7.0, (1 / 20, 1.0)),
        (NON_INFERIORITY, 4.0, (14 / 20, 14 / 20)),  # the same three numbers twice
    ],
)
def test_a_margin_moves_the_runs_of_the_first_method(kind, margin, expected):
    assert compare(kind, [X, Y], [margin]) == pytest.approx(expected)


def test_equivalence_needs_both_sides():
    wide, narrow = np.array([0.0, 50.0, 100.0]), np.array([49.0, 50.0, 51.0])
    assert compare(NON_INFERIORITY, [narrow, wide], [10.0]).p_for == compare(EQUIVALENCE, [narrow, wide], [10.0]).p_for
    assert compare(EQUIVALENCE, [narrow, wide], [10.0]).p_for > 0.3
    assert compare(EQUIVALENCE, [narrow, narrow], [3.0]).p_for == 1 / 20
    assert compare(EQUIVALENCE, [narrow + 10, narrow], [3.0]) == pytest.approx((1.0, 1 / 20))


def test_every_environment_has_its_own_margin():
    samples = [X, Y, 1000 * X, 1000 * Y]
    assert compare(NON_INFERIORITY, samples, [7.0, 7000.0]) == pytest.approx((1 / 400, 1.0))
    split = compare(NON_INFERIORITY, samples, [7.0, 7.0])  # above in the first, below in the second
    assert split.p_for == pytest.approx(split.p_against)
    assert split.p_for > 0.5


@given(studies, st.sampled_from(list(Kind)), st.integers(-1000, 1000))
def test_a_constant_added_to_all_runs_changes_nothing(samples, kind, constant):
    margins = [3.0] * (len(samples) // 2)
    assert compare(kind, [sample + constant for sample in samples], margins) == compare(kind, samples, margins)


@given(studies)
def test_swapping_methods_swaps_superiority_and_leaves_equivalence(samples):
    margins = [3.0] * (len(samples) // 2)
    assert compare(SUPERIORITY, swapped(samples), margins) == pytest.approx(
        compare(SUPERIORITY, samples, margins)[::-1]
    )
    assert compare(EQUIVALENCE, swapped(samples), margins) == pytest.approx(compare(EQUIVALENCE, samples, margins))


@given(studies)
def test_no_margin_is_superiority(samples):
    margins = [0.0] * (len(samples) // 2)
    assert compare(NON_INFERIORITY, samples, margins) == compare(SUPERIORITY, samples, margins)
    assert compare(EQUIVALENCE, samples, margins).p_for == max(compare(SUPERIORITY, samples, margins))


@given(studies, st.sampled_from([NON_INFERIORITY, EQUIVALENCE]), st.floats(0, 60), st.floats(0, 60))
def test_a_wider_margin_never_speaks_less_for_a_claim(samples, kind, one, other):
    count = len(samples) // 2
    apart = [sample + place / 1024 for place, sample in enumerate(samples)]  # no ties, whose halves may tip a tail
    narrow, wide = (compare(kind, apart, [margin + 1e-5] * count) for margin in sorted((one, other)))
    assert wide.p_for <= narrow.p_for + 1e-12
    assert wide.p_against >= narrow.p_against - 1e-12


@given(studies, st.sampled_from(list(Kind)))
def test_what_speaks_for_a_claim_does_not_speak_against_it(samples, kind):
    evidence = compare(kind, samples, [3.0] * (len(samples) // 2))
    assert max(evidence) >= 0.5
    assert evidence.p_value == min(1.0, 2 * min(evidence))


SHARE, STUDIES = 0.1, 1_000


def decisions(kind, ratio, spread, num_seeds):
    """Returns the shares of studies with a true ratio of means that are confirmed, and contradicted."""
    generator = np.random.default_rng(0)
    confirmed = contradicted = 0
    for _ in range(STUDIES):
        samples, margins = [], []
        for mean in (1_000.0, 30.0):
            x, y = (generator.normal(center, spread * mean, num_seeds) for center in (ratio * mean, mean))
            samples += [x, y]
            margins.append(SHARE * abs(max(x.mean(), y.mean())))
        evidence = compare(kind, samples, margins)
        if evidence.p_value <= 0.05:
            confirmed += evidence.is_for
            contradicted += not evidence.is_for
    return confirmed / STUDIES, contradicted / STUDIES


@pytest.mark.parametrize("num_seeds", [3, 5])
@pytest.mark.parametrize("spread", [0.03, 0.3])
@pytest.mark.parametrize(
    ("kind", "ratio"),
    [(SUPERIORITY, 1.0), (NON_INFERIORITY, 1 - SHARE), (EQUIVALENCE, 1 - SHARE), (EQUIVALENCE, 1 / (1 - SHARE))],
)
def test_a_claim_is_wrongly_decided_as_seldom_as_promised(kind, ratio, spread, num_seeds):
    # At the edge of the claim, either decision is wrong; each may happen in 2.5 % of all studies. More than 4.2 % of a
    # thousand have a chance of one in a thousand.
    assert max(decisions(kind, ratio, spread, num_seeds)) <= 0.042


def test_methods_that_are_alike_are_found_so_where_the_margin_is_wide_beside_their_spread():
    confirmed, contradicted = decisions(EQUIVALENCE, 1.0, 0.03, 5)
    assert confirmed > 0.8
    assert contradicted == 0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1, 1]
    assert holm([0.04]).tolist() == [0.04]


def test_holm_leaves_out_what_was_not_tested():
    assert holm([math.nan, 0.02, 0.01])[1:].tolist() == [0.02, 0.02]
    assert np.isnan(holm([math.nan, 0.02])[0])
    assert holm([]).tolist() == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_lowers(p_values):
    corrected = holm(p_values)
    assert (corrected >= np.array(p_values) - 1e-15).all()
    assert (corrected <= 1).all()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()
