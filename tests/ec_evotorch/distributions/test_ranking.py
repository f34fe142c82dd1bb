"""What a population's fitnesses are worth."""

import math

import pytest
import torch
from evotorch.tools.ranking import rank, rankers

from ec_evotorch.distributions.ranking import compute_utilities, replace_failed

METHODS = sorted(rankers)
FAILURES = [math.nan, math.inf, -math.inf]


def utilities_of(fitnesses, sense="max", method="centered"):
    return compute_utilities(torch.tensor(fitnesses), objective_sense=sense, ranking_method=method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sense", ["max", "min"])
def test_distinct_fitnesses_are_ranked_as_evotorch_ranks_them(method, sense):
    fitnesses = [3.0, -1.0, 10.0, 2.5, 0.0, 7.0]
    expected = rank(torch.tensor(fitnesses, dtype=torch.float64), method, higher_is_better=sense == "max")
    torch.testing.assert_close(utilities_of(fitnesses, sense, method), expected)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sense", ["max", "min"])
def test_a_failed_evaluation_ranks_worst(method, sense, failure):
    utilities = utilities_of([3.0, failure, -5.0, 2.0], sense, method)
    assert torch.isfinite(utilities).all()
    assert utilities[1] == utilities.min()  # perhaps not alone: "nes" gives all of the lower half the least


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_evaluation_ranks_below_the_worst_finite_one(failure):
    assert utilities_of([3.0, failure, -5.0, 2.0, 8.0]).tolist() == [0.25, -0.5, -0.25, 0.0, 0.5]
    assert utilities_of([3.0, failure, -5.0, 2.0, 8.0], "min").tolist() == [0.0, -0.5, 0.5, 0.25, -0.25]


@pytest.mark.parametrize("method", METHODS)
def test_when_every_evaluation_failed_utilities_are_zero(method):
    assert utilities_of(FAILURES, "max", method).tolist() == [0.0, 0.0, 0.0]


def test_equal_fitnesses_share_their_mean_utility():
    assert utilities_of([1.0, 5.0, 1.0, 9.0, 5.0]).tolist() == [-0.375, 0.125, -0.375, 0.5, 0.125]


@pytest.mark.parametrize("method", METHODS)
def test_utilities_do_not_depend_on_the_order_of_the_population(method):
    fitnesses = torch.tensor([2.0, 1.0, math.nan, 2.0, 3.0, 1.0, math.inf])
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    settings = {"objective_sense": "max", "ranking_method": method}
    torch.testing.assert_close(
        compute_utilities(fitnesses[order], **settings), compute_utilities(fitnesses, **settings)[order]
    )


@pytest.mark.parametrize("method", METHODS)
def test_flipping_the_sense_and_the_fitnesses_changes_nothing(method):
    fitnesses = torch.tensor([2.0, 1.0, math.nan, 2.0, 3.0, 1.0, math.inf])
    maximised = compute_utilities(fitnesses, objective_sense="max", ranking_method=method)
    minimised = compute_utilities(-fitnesses, objective_sense="min", ranking_method=method)
    torch.testing.assert_close(minimised, maximised)


def test_normalizing_without_spread_gives_zero():
    assert utilities_of([4.0, 4.0, 4.0], "max", "normalized").tolist() == [0.0, 0.0, 0.0]


def test_fitnesses_are_ranked_in_their_own_precision():
    fitnesses = torch.tensor([1.0, 1.0 + 1e-12], dtype=torch.float64)
    utilities = compute_utilities(fitnesses, objective_sense="max", ranking_method="centered")
    assert utilities.tolist() == [-0.5, 0.5]


@pytest.mark.parametrize(
    ("fitnesses", "sense", "method", "message"),
    [
        ([1.0], "best", "centered", "objective_sense: expected one of 'max', 'min'; got 'best'"),
        ([1.0], "max", "centred", "ranking_method: expected one of .*'centered'.*; got 'centred'"),
        ([[1.0]], "max", "centered", r"fitnesses: expected a 1-dimensional tensor, got shape \(1, 1\)"),
    ],
)
def test_bad_arguments_are_refused(fitnesses, sense, method, message):
    with pytest.raises(ValueError, match=message):
        utilities_of(fitnesses, sense, method)


@pytest.mark.parametrize("worst", [0.0, 1.0, -1.0, 123.456, -1e-30, 1e30, 1.0 + 2**-24])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_failed_fitnesses_become_just_worse_than_the_worst_even_in_float32(worst, dtype):
    fitnesses = torch.tensor([worst, math.nan, worst + 1e31, math.inf, -math.inf], dtype=dtype)
    replaced = replace_failed(fitnesses, objective_sense="max")
    assert replaced.dtype == dtype
    assert torch.equal(replaced[[0, 2]], fitnesses[[0, 2]])
    assert (replaced[[1, 3, 4]].float() < fitnesses[0].float()).all()
    torch.testing.assert_close(replaced[[1, 3, 4]], fitnesses[[0, 0, 0]], rtol=1e-6, atol=1e-37)
    assert torch.equal(replace_failed(-fitnesses, objective_sense="min"), -replaced)


def test_when_every_fitness_failed_they_become_equal():
    assert replace_failed(torch.tensor(FAILURES), objective_sense="max").tolist() == [0.0, 0.0, 0.0]
