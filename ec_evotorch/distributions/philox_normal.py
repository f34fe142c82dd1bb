"""Normal numbers as functions of an address: noise of antithetic pairs that any machine makes alike, in any order.

A word w of 32 bits becomes the quantile of the normal distribution at (w + ½) / 2^32, by Wichura's rational functions
(AS 241, PPND7) in float64, rounded to float32 in the end. Only integers and + − · / √ are used, which IEEE 754 says how
to round; the logarithm is a series of our own. Hence a kernel that does the same in the same order gives the same bits:
`ec_evotorch.distributions.warp_gaussian` has it.

32 bits a number are enough: the largest |ε| is 6.34, and of 4.3 billion normal numbers one lies beyond. All words were
gone through once: the relative error is below 1.8 · 10⁻⁷, little more than a rounding of float32, a larger word never
has a smaller number, and the variance is 1 up to 4 · 10⁻¹⁰, the fourth moment 3 up to 4 · 10⁻⁸. The numbers of opposite
words are opposite, so the odd moments are zero.

Source: Wichura (1988), "Algorithm AS 241: The percentage points of the normal distribution",
https://doi.org/10.2307/2347330
"""

import math

import numpy as np

from ec_evotorch.randomness import WORD_MASK, philox4x32, split_key
from ec_evotorch.threads import one_torch_thread

NOISE_PURPOSE = 1  # fourth word of every counter; bits of a population have 0

# Wichura's, by rising powers. His third pair is for tails beyond e^-25, which no word of 32 bits reaches.
NEAR, NEAR_SQUARED = 0.425, 0.180625
NEAR_NUMERATOR = (3.3871327179, 50.434271938, 159.29113202, 59.109374720)
NEAR_DENOMINATOR = (1.0, 17.895169469, 78.757757664, 67.187563600)
FAR_SHIFT = 1.6
FAR_NUMERATOR = (1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103)
FAR_DENOMINATOR = (1.0, 0.73700164250, 0.12021132975)

# ln x = 2 artanh s with s = (x − 1) / (x + 1), |s| < 0.172 for x in [√½, √2]: an error below 10⁻¹⁰.
ARTANH = tuple(1.0 / power for power in (1, 3, 5, 7, 9, 11))
LN_2, ROOT_HALF = math.log(2.0), math.sqrt(0.5)


def normal_of_words(words: np.ndarray) -> np.ndarray:
    """Returns the normal numbers of random words; the definition that kernels are compared with.

    Args:
        words: Whole numbers in [0, 2**32).

    Returns:
        float32 in the same shape, with mean 0 and variance 1 over all words.
    """
    words = np.asarray(words, dtype=np.int64)
    q = (2 * words - WORD_MASK) / 2.0**33  # exact, as is p: the distance from the median, and from the nearer end
    p = (2 * np.minimum(words, WORD_MASK - words) + 1) / 2.0**33
    r = NEAR_SQUARED - q * q
    near = q * _polynomial(r, NEAR_NUMERATOR) / _polynomial(r, NEAR_DENOMINATOR)
    r = np.sqrt(-_log(p)) - FAR_SHIFT
    far = _polynomial(r, FAR_NUMERATOR) / _polynomial(r, FAR_DENOMINATOR)
    return np.where(np.abs(q) <= NEAR, near, np.where(q < 0.0, -far, far)).astype(np.float32)


def pair_noise(length: int, key: int, generation: int, pair: int) -> np.ndarray:
    """Returns the noise ε of an antithetic pair, that of word j % 4 of Philox counter (j // 4, pair, generation, 1).

    Args:
        length: L.
        key: Integer in [0, 2**64).
        generation: Number of the generation, in [0, 2**32).
        pair: Number of the pair in the generation, in [0, 2**32).

    Returns:
        (L,) float32.
    """
    counters = np.arange(-(-length // 4))
    with one_torch_thread():  # a row is small
        words = philox4x32((counters, pair, generation, NOISE_PURPOSE), split_key(key))
    return normal_of_words(np.stack(words, axis=-1).reshape(-1)[:length])


def _polynomial(x: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    value = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


def _log(x: np.ndarray) -> np.ndarray:
    mantissa, exponent = np.frexp(x)
    is_low = mantissa < ROOT_HALF
    mantissa, exponent = np.where(is_low, 2.0 * mantissa, mantissa), exponent - is_low
    s = (mantissa - 1.0) / (mantissa + 1.0)
    return exponent * LN_2 + 2.0 * s * _polynomial(s * s, ARTANH)
