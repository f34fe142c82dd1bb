"""Sums over visited states are exact: nobody can tell from them who counted which episodes."""

from math import fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ec_evotorch.rollout.visited_states import VisitedStates, expand

NUMBERS = st.floats(-1e250, 1e250)


@given(st.lists(NUMBERS, max_size=30), st.lists(NUMBERS, max_size=30))
def test_expansions_of_parts_have_the_exact_total_of_the_whole(some, others):
    parts = [expand(np.array(part).reshape(-1, 1)) for part in (some, others)]
    assert fsum(np.concatenate(parts)[:, 0]) == fsum(some + others)


def test_expansions_are_short():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5000, 4)) * 10.0 ** rng.integers(-12, 12, size=(5000, 4))
    assert len(expand(rows)) <= 4


def counted(rows):
    sums = np.array([[1e16, 1.0], [1.0, 0.1], [-1e16, 0.2], [3.0, 0.3]])
    visited = VisitedStates(2)
    visited.add(np.array([10, 20, 30, 40])[rows], sums[rows], sums[rows] ** 2)
    return visited


def test_states_counted_apart_are_those_counted_together():
    together, apart = counted(slice(0, 4)), counted(slice(2, 4))
    apart.merge(counted(slice(0, 2)))
    assert apart.count == together.count == 100
    for name in ("sums", "sums_of_squares"):
        totals = [[fsum(column) for column in getattr(states, name).T] for states in (apart, together)]
        assert totals[0] == totals[1]


def test_an_episode_with_an_observation_that_overflows_does_not_count():
    squares = np.array([[1.0, 2.0], [np.nan, 1.0], [1.0, np.inf], [1e300, 1.0]])
    visited = VisitedStates(2)
    visited.add(np.array([7, 1, 1, 1]), np.ones((4, 2)), squares)
    assert visited.count == 7
    assert visited.sums_of_squares.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("episodes", [0, 1, 20])
def test_bytes_keep_every_bit(episodes):
    rng = np.random.default_rng(0)
    visited = VisitedStates(3)
    visited.add(np.full(episodes, 7), rng.normal(size=(episodes, 3)) * 1e12, rng.uniform(size=(episodes, 3)))
    read = VisitedStates.from_bytes(visited.to_bytes())
    assert read.count == visited.count == 7 * episodes
    np.testing.assert_array_equal(read.sums, visited.sums)
    np.testing.assert_array_equal(read.sums_of_squares, visited.sums_of_squares)
