"""What the normaliser has seen does not depend on who played it, nor on the order."""

import numpy as np

from ec_evotorch.rollout.normalizer import ObservationNormalizer


def test_the_order_of_episodes_does_not_matter():
    rng = np.random.default_rng(0)
    sums = rng.normal(size=(50, 3)) * 10.0 ** rng.integers(-12, 12, size=(50, 3))
    squares, shuffled = sums**2, rng.permutation(50)
    one, other = ObservationNormalizer(3), ObservationNormalizer(3)
    one.update(500, sums, squares)
    other.update(500, sums[shuffled], squares[shuffled])
    for name in ("sum", "sum_of_squares", "mean", "stdev"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_totals_are_rounded_once():
    normalizer = ObservationNormalizer(1)
    normalizer.update(3, np.array([[1e16], [1.0], [-1e16]]), np.zeros((3, 1)))
    assert normalizer.sum == [1.0]
