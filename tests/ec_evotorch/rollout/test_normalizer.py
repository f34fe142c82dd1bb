"""What the normaliser has seen does not depend on who played it, nor on the order."""

import numpy as np

from ec_evotorch.rollout.normalizer import ObservationNormalizer, action_scale


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


def test_without_a_state_nothing_is_changed_again():
    normalizer = ObservationNormalizer(2)
    fresh = normalizer.state_dict()
    normalizer.update(2, np.array([[10.0, 4.0]]), np.array([[80.0, 9.0]]))
    normalizer.load_state_dict(fresh)
    np.testing.assert_array_equal([normalizer.mean, normalizer.stdev], [[0, 0], [1, 1]])


def test_no_action_leaves_its_bounds_by_a_rounding():
    """The middle of −0.7 and 0.1 plus half of the range is 0.10000002 in float32, and 0.1 itself is rounded up."""
    rng = np.random.default_rng(0)
    bounds = np.sort(rng.normal(size=(5000, 2)) * 10.0 ** rng.integers(-6, 6, size=(5000, 1)), axis=1)
    rounded = np.sort(bounds.astype(np.float32), axis=1)
    extremes = np.array([[-0.1, 0.1], [100.0, 100.0 + 1e-4], [3.0, 3.0], [-1e38, 1e38]])
    for low, high in (bounds.T, rounded.T, extremes.T):
        middle, half_range = action_scale(low, high)
        assert middle.dtype == half_range.dtype == np.float32
        assert ((middle + half_range <= high) & (middle - half_range >= low)).all()
        largest = np.maximum(np.abs(low), np.abs(high))
        assert (np.abs(half_range - (high - low) / 2) <= 3e-7 * largest).all()


def test_bounds_that_float32_holds_are_reached():
    low, high = np.float32([-1, -0.4, -3, 0, -2]), np.float32([1, 0.4, 3, 1, 6])
    middle, half_range = action_scale(low, high)
    np.testing.assert_array_equal([middle - half_range, middle + half_range], [low, high])
