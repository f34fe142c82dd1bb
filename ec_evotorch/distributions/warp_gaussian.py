"""Antithetic pairs of normal vectors on a device of NVIDIA Warp, and the gradient of their centre, without their array.

Row k < N/2 is center + σ ε_k and row N/2 + k is center − σ ε_k, rounded after the product and after the sum, with the
noise ε_k of `pair_noise`: a function of (key, generation, pair, place). Slots take a row when they need it, and the
gradient makes the noise of all pairs once more. Every operation is rounded by itself, so the numbers are those of NumPy
to the last bit, on a CPU.

Imported only where it is asked for.
"""

from typing import Any

import torch

from ec_evotorch.distributions.gaussian import check_popsize, pair_differences
from ec_evotorch.distributions.philox_normal import (
    ARTANH,
    FAR_DENOMINATOR,
    FAR_NUMERATOR,
    FAR_SHIFT,
    LN_2,
    NEAR,
    NEAR_DENOMINATOR,
    NEAR_NUMERATOR,
    NEAR_SQUARED,
    NOISE_PURPOSE,
    ROOT_HALF,
)
from ec_evotorch.distributions.warp_philox import Four, Generation, philox4x32
from ec_evotorch.randomness import WORD_MASK
from ec_evotorch.tensors import check_tensor
from native.arguments import check_positive, check_whole
from native.warp_device import EXACT, check_array, find_device, launch, load_warp, on_torch_stream

wp = load_warp()
wp.set_module_options(EXACT)

LANES = 256  # threads that sample a row: in most steps of an environment few rows are renewed, and all look whether


def _vector(numbers: tuple[float, ...]):
    return wp.constant(wp.types.vector(length=len(numbers), dtype=wp.float64)(*numbers))


_LANES = wp.constant(LANES)
_PURPOSE, _LAST = wp.constant(wp.uint32(NOISE_PURPOSE)), wp.constant(wp.uint32(WORD_MASK))
_NEAR, _NEAR_SQUARED, _FAR_SHIFT, _LN_2, _ROOT_HALF = (
    wp.constant(wp.float64(number)) for number in (NEAR, NEAR_SQUARED, FAR_SHIFT, LN_2, ROOT_HALF)
)
_NEAR_NUMERATOR, _NEAR_DENOMINATOR, _FAR_NUMERATOR, _FAR_DENOMINATOR, _ARTANH = map(
    _vector, (NEAR_NUMERATOR, NEAR_DENOMINATOR, FAR_NUMERATOR, FAR_DENOMINATOR, ARTANH)
)
_MEDIAN, _WORDS = wp.constant(wp.float64(2.0**32)), wp.constant(wp.float64(2.0**33))
_ZERO, _ONE, _TWO = (wp.constant(wp.float64(number)) for number in (0.0, 1.0, 2.0))


@wp.func
def polynomial(x: wp.float64, coefficients: Any):
    """Evaluates a polynomial, whose coefficients are given by rising powers, from the highest one down."""
    last = len(coefficients) - 1
    value = coefficients[last]
    for i in range(last):
        value = value * x + coefficients[last - 1 - i]
    return value


@wp.func
def log_of_odd(number: wp.uint32):
    """Computes ln(number / 2^33) of an odd number."""
    bits = number
    exponent = int(-1)  # noqa: RUF046, UP018 - to Warp a bare -1 is a constant
    for i in range(5):  # moves the highest bit to the top
        shift = 16 >> i
        if (bits >> wp.uint32(32 - shift)) == wp.uint32(0):
            bits = bits << wp.uint32(shift)
            exponent = exponent - shift
    mantissa = wp.float64(bits) / _MEDIAN
    if mantissa < _ROOT_HALF:
        mantissa = _TWO * mantissa
        exponent = exponent - 1
    s = (mantissa - _ONE) / (mantissa + _ONE)
    return wp.float64(exponent) * _LN_2 + _TWO * s * polynomial(s * s, _ARTANH)


@wp.func
def normal_of_word(word: wp.uint32):
    """Computes the normal number of a random word, like `normal_of_words`."""
    q = (_TWO * wp.float64(word) + _ONE - _MEDIAN) / _WORDS
    if wp.abs(q) <= _NEAR:
        r = _NEAR_SQUARED - q * q
        return wp.float32(q * polynomial(r, _NEAR_NUMERATOR) / polynomial(r, _NEAR_DENOMINATOR))
    number = wp.uint32(2) * wp.min(word, _LAST - word) + wp.uint32(1)
    r = wp.sqrt(-log_of_odd(number)) - _FAR_SHIFT
    far = polynomial(r, _FAR_NUMERATOR) / polynomial(r, _FAR_DENOMINATOR)
    if q < _ZERO:
        far = -far
    return wp.float32(far)


@wp.kernel
def sample_rows(
    rows: wp.array[wp.int64],  # (n,) numbers of rows in the generation
    renewed: wp.array[bool],  # (n,) rows to sample
    center: wp.array[float],  # (L,)
    stdev: wp.array[float],  # (1,)
    num_pairs: wp.array[wp.int64],  # (1,)
    key: wp.array[wp.uint32],  # (2,)
    generation: wp.array[wp.uint32],  # (1,)
    out: wp.array2d[float],  # (n, L)
):
    """Samples rows, each by some threads that take four places in turn."""
    k, lane = wp.tid()
    if not renewed[k]:
        return
    pair = rows[k]
    sign = float(1.0)  # noqa: UP018 - likewise
    if pair >= num_pairs[0]:
        pair = pair - num_pairs[0]
        sign = -sign
    for counter in range(lane, (center.shape[0] + 3) // 4, _LANES):
        drawn = philox4x32(Four(wp.uint32(counter), wp.uint32(pair), generation[0], _PURPOSE), key)
        for i in range(4):
            j = 4 * counter + i
            if j < center.shape[0]:
                out[k, j] = center[j] + sign * (stdev[0] * normal_of_word(drawn[i]))


@wp.kernel
def weigh_noise(
    weights: wp.array[wp.float64],  # (N/2,)
    key: wp.array[wp.uint32],
    generation: wp.array[wp.uint32],
    total: wp.array[wp.float64],  # (L,)
):
    """Computes Σ_k w_k ε_k in the order of k, and makes each ε_k anew."""
    counter = wp.tid()
    sums = wp.vec4d()
    for k in range(weights.shape[0]):
        drawn = philox4x32(Four(wp.uint32(counter), wp.uint32(k), generation[0], _PURPOSE), key)
        for i in range(4):
            sums[i] = sums[i] + weights[k] * wp.float64(normal_of_word(drawn[i]))
    for i in range(4):
        if 4 * counter + i < total.shape[0]:
            total[4 * counter + i] = sums[i]


class DeviceGaussian:
    """The pairs of a generation, known by centre, σ, key and generation in the device's memory.

    Methods that begin with `launch_` only launch kernels on Warp's current stream, and a graph can capture them: what a
    graph does when it is replayed follows what `set` has written since.

    Args:
        solution_length: L.
        device: Device of Warp.
    """

    def __init__(self, solution_length: int, device):
        self.solution_length, self.device = check_whole("solution_length", solution_length), device
        self._center, self._stdev = (
            torch.zeros(size, dtype=torch.float32, device=str(device)) for size in (self.solution_length, 1)
        )
        self._num_pairs = torch.zeros(1, dtype=torch.int64, device=str(device))
        self._generation = Generation(device)
        self._arguments = [*map(wp.from_torch, (self._center, self._stdev, self._num_pairs)), *self._generation.arrays]

    def set(self, center: torch.Tensor, stdev: float, key: int, generation: int, popsize: int) -> None:
        """Says which vectors the rows are.

        Args:
            center: (L,) float32.
            stdev: σ, positive.
            key: Integer in [0, 2**64).
            generation: Number of the generation, in [0, 2**32).
            popsize: N, even, at least 2.

        Raises:
            ValueError: If a number is out of its range, or `center` is something else.
        """
        _check_center(center)
        if len(center) != self.solution_length:
            raise ValueError(f"center: expected {self.solution_length} numbers, got {len(center)}")
        stdev = check_positive("stdev", stdev)
        check_popsize(popsize)
        self._generation.set(key, generation)
        self._center.copy_(center.detach())
        self._stdev.fill_(stdev)
        self._num_pairs.fill_(popsize // 2)

    def launch_sample(self, rows, renewed, out) -> None:
        """Samples some rows.

        Args:
            rows: (n,) array of int64 of Warp, numbers of rows in the generation, in [0, N).
            renewed: (n,) array of bool of Warp, which of them to sample; the others stay.
            out: (n, L) array of float32 of Warp, overwritten where rows are renewed.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        check_array("rows", rows, wp.int64, (None,), self.device)
        check_array("renewed", renewed, wp.bool, rows.shape, self.device)
        check_array("out", out, wp.float32, (*rows.shape, self.solution_length), self.device)
        launch(sample_rows, (*rows.shape, LANES), [rows, renewed, *self._arguments], [out], self.device)

    def launch_weighted_sum(self, weights, total) -> None:
        """Computes Σ_k w_k ε_k over the noise of the first pairs.

        Args:
            weights: (n,) array of float64 of Warp, the w_k.
            total: (L,) array of float64 of Warp, overwritten.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        check_array("weights", weights, wp.float64, (None,), self.device)
        check_array("total", total, wp.float64, (self.solution_length,), self.device)
        counters = -(-self.solution_length // 4)
        launch(weigh_noise, counters, [weights, *self._generation.arrays], [total], self.device)


def seeded_center_gradient(
    utilities: torch.Tensor, center: torch.Tensor, stdev: float, key: int, *, generation: int = 0, device=None
) -> torch.Tensor:
    """Estimates `center_gradient` of a population that is known by its seed: mean over pairs of (w⁺ − w⁻) ε / (2σ).

    Sums are taken in float64 in the order of the pairs, so on the CPU it is that of a loop in NumPy to the last bit.
    The rows themselves are rounded to float32, hence `center_gradient` of them differs from it: by no more than
    2⁻²⁵ (|center| + 13 σ) / σ² times the mean of |w⁺ − w⁻|, and the rounding of σ and of the result.

    Args:
        utilities: (N,) utilities, those of `DeviceGaussian`'s rows; N even, at least 2.
        center: (L,) float32, on a device that Warp has; only its length matters.
        stdev: σ, positive.
        key: Integer in [0, 2**64).
        generation: Number of the generation, in [0, 2**32).
        device: Name of the device that makes and weighs the noise; None for that of `center`.

    Returns:
        (L,) float32, on the device of `center`; exactly zero if no pair has a difference.

    Raises:
        ValueError: If a number is out of its range, or a tensor is something else.
    """
    _check_center(center)
    check_tensor("utilities", utilities, "a tensor of real numbers, one for each row")
    differences = pair_differences(utilities.detach())
    rows = DeviceGaussian(len(center), find_device(str(center.device) if device is None else device))
    rows.set(center, stdev, key, generation, len(utilities))
    weights = differences.to(str(rows.device)).contiguous()
    weighted = torch.empty(len(center), dtype=torch.float64, device=weights.device)
    with on_torch_stream(rows.device):
        rows.launch_weighted_sum(wp.from_torch(weights), wp.from_torch(weighted))
    return (weighted.to(center.device) / (len(utilities) * stdev)).to(torch.float32)


def _check_center(center: torch.Tensor) -> None:
    expected = "a vector of torch.float32"
    check_tensor("center", center, expected)
    if center.ndim != 1 or len(center) == 0 or center.dtype != torch.float32:
        raise ValueError(f"center: expected {expected}, got {center.dtype} of shape {tuple(center.shape)}")
