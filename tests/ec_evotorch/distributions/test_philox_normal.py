"""Normal numbers of random words: their quantiles, their law, and their addresses."""

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import kstest

from ec_evotorch.distributions.philox_normal import NEAR, NOISE_PURPOSE, normal_of_words, pair_noise
from ec_evotorch.randomness import philox4x32_words, split_key

KEY = 0x9E3779B97F4A7C15
LAST = 2**32 - 1


def words_of_all_kinds():
    """Both ends, the median, where the two rational functions meet, all powers of 2 and what is beside them, others."""
    seams = (np.array([0.5 - NEAR, 0.5, 0.5 + NEAR]) * 2.0**32).astype(np.int64)
    corners = np.concatenate([[0, LAST], seams, 2 ** np.arange(32)])
    others = np.random.default_rng(0).integers(0, 2**32, 500_000)
    words = np.concatenate([*(corners + step for step in range(-3, 4)), others])
    return words[(words >= 0) & (words <= LAST)]


def quantile(words):
    """Taken in the lower half, where SciPy has all digits."""
    lower = ndtri((np.minimum(words, LAST - words) + 0.5) / 2.0**32)
    return np.where(words > LAST // 2, -lower, lower)


def test_a_word_becomes_its_quantile():
    words = words_of_all_kinds()
    np.testing.assert_allclose(normal_of_words(words), quantile(words), rtol=2e-7, atol=0.0)


def test_the_ends_are_the_largest_numbers():
    assert normal_of_words(np.array([0, LAST])).tolist() == pytest.approx([-6.337957, 6.337957], abs=1e-6)
    assert np.abs(normal_of_words(words_of_all_kinds())).max() == normal_of_words(LAST)


def test_the_numbers_of_opposite_words_are_opposite():
    words = words_of_all_kinds()
    assert np.array_equal(normal_of_words(LAST - words), -normal_of_words(words))


def test_a_larger_word_has_no_smaller_number():
    assert (np.diff(normal_of_words(np.sort(words_of_all_kinds()))) >= 0.0).all()


# --- noise ---


def noise(num_pairs=1000, length=1000, key=KEY, generation=3):
    return np.stack([pair_noise(length, key, generation, pair) for pair in range(num_pairs)]).astype(np.float64)


@pytest.fixture(scope="module")
def many():
    return noise()


def test_noise_is_standard_normal(many):
    # A million numbers: each z exceeds 5 by chance for one key in 1.7 million; var of ε^2k is (4k − 1)!! − (2k − 1)!!².
    for power, mean, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        assert abs((many**power).mean() - mean) * 1000.0 < 5.0 * np.sqrt(variance)
    assert kstest(many.ravel(), "norm").pvalue > 1e-4  # less for one key in 10,000


def test_neighbours_are_uncorrelated(many):
    for other in (many[:, 1:], many[:, 4:], many[1:]):
        rows, columns = other.shape
        z = (other * many[:rows, :columns]).sum() / np.sqrt(other.size)
        assert abs(z) < 5.0


@pytest.mark.parametrize("other", [{"generation": 4}, {"generation": LAST}, {"key": KEY + 1}, {"key": KEY + 2**32}])
def test_noise_is_uncorrelated_with_that_of_another(many, other):
    others = noise(num_pairs=250, **other)
    assert abs((many[:250] * others).sum() / np.sqrt(others.size)) < 5.0


@pytest.mark.parametrize(("generation", "pair"), [(0, 0), (LAST, LAST), (5, 2**31)])
def test_noise_is_a_function_of_its_address(generation, pair):
    address = [generation, NOISE_PURPOSE, *split_key(KEY)]
    words = [philox4x32_words(*np.array([counter, pair, *address], dtype=np.uint32)) for counter in range(3)]
    expected = normal_of_words(np.array(words, dtype=np.int64).ravel())
    for length in (1, 4, 11):
        made = pair_noise(length, KEY, generation, pair)
        assert made.dtype == np.float32
        assert np.array_equal(made, expected[:length])
