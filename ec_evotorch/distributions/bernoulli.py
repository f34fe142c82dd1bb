"""Evolving Connectivity as functions of arrays: sampling of boolean networks, and the gradient of ρ.

Throughout, `rho` (L,) float32 holds connection probabilities, and `theta` (N, L) bool holds N sampled networks, one in
each row. On the CPU, numba kernels read and write the memory of the tensors; on other devices, the same numbers come
from PyTorch operations on chunks. Neither ever makes a second (N, L) array.

Source: Wang et al. (2023), "Evolving Connectivity for Recurrent Spiking Neural Networks", NeurIPS,
https://arxiv.org/abs/2305.17650
"""

from collections.abc import Iterable

import numpy as np
import torch
from numba import prange

from ec_evotorch.distributions.weighted_sum import sum_weighted_rows
from ec_evotorch.randomness import philox4x32, philox4x32_words, split_key
from ec_evotorch.tensors import check_tensor
from native.arguments import check_whole
from native.compiled import compiled

# Fourth word of every counter: keeps these draws apart from any other use of the same key.
SAMPLING_PURPOSE = 0

# Elements of one temporary in the torch functions, and counters (of four columns each) that the sampling kernel handles
# at once. The counters' words stay in the first-level cache. Their number is a compile-time constant because LLVM does
# not vectorise the sampling otherwise.
_CHUNK_ELEMENTS = 2**20
_COUNTERS_PER_DRAW = 64
_COLUMNS_PER_DRAW = 4 * _COUNTERS_PER_DRAW

_PURPOSE_WORD = np.uint32(SAMPLING_PURPOSE)
ALWAYS = 0xFFFFFFFF  # stands for 2^32 in `threshold_words`
_ALWAYS = np.uint32(ALWAYS)


def check_probabilities(rho: torch.Tensor) -> None:
    """Checks that `rho` is a vector of probabilities.

    Raises:
        ValueError: If `rho` is no tensor of floating-point numbers, is not 1-dimensional or is empty, or has an element
            outside [0, 1].
    """
    _check_rho(rho)
    if rho.ndim != 1 or len(rho) == 0:
        raise ValueError(f"rho: expected a non-empty 1-dimensional tensor, got shape {tuple(rho.shape)}")
    lowest, highest = (bound.item() for bound in torch.aminmax(rho))
    if not (lowest >= 0.0 and highest <= 1.0):
        raise ValueError(f"rho: expected probabilities in [0, 1], got values from {lowest} to {highest}")


def entropy_descent(rho: torch.Tensor) -> torch.Tensor:
    """Returns ρ (1 − ρ) ln(ρ / (1 − ρ)), (L,): the natural gradient of the bits' entropy in nats, downwards.

    It is 0 at 0, ½ and 1. What leans to one side goes on to lean.
    """
    return torch.special.entr(1.0 - rho) * rho - torch.special.entr(rho) * (1.0 - rho)


def _check_rho(rho: torch.Tensor) -> None:
    expected = "a tensor of floating-point numbers"
    check_tensor("rho", rho, expected)
    if not rho.is_floating_point():
        raise ValueError(f"rho: expected {expected}, got {rho.dtype}")


def _check_theta(theta: torch.Tensor, rho: torch.Tensor, name: str = "theta") -> None:
    _check_rho(rho)
    check_tensor(name, theta, "a tensor of dtype torch.bool", error=TypeError)
    if theta.dtype != torch.bool:
        raise TypeError(f"{name}: expected a tensor of dtype torch.bool, got {theta.dtype}")
    if theta.ndim != 2 or theta.shape[1] != len(rho):
        raise ValueError(f"{name}: expected shape (N, {len(rho)}) to match rho, got {tuple(theta.shape)}")
    if theta.device != rho.device:
        raise ValueError(f"{name}: expected a tensor on rho's device {rho.device}, got {theta.device}")


def _bytes_of(theta: torch.Tensor) -> np.ndarray:
    """Views the memory of a boolean CPU tensor as a uint8 array of 0 and 1."""
    return theta.view(torch.uint8).numpy()


def log_prob(theta: torch.Tensor, rho: torch.Tensor) -> torch.Tensor:
    """Returns ln p(θ_k | ρ) = Σ_j ln(ρ_j if θ_kj else 1 − ρ_j) of each network.

    Args:
        theta: (N, L) bool.
        rho: (L,) float32, connection probabilities.

    Returns:
        (N,) float32 (summed in float64); −inf where a network is impossible.

    Raises:
        TypeError: If `theta` is not boolean.
        ValueError: If shapes or devices do not match.
    """
    _check_theta(theta, rho)
    log_present, log_absent = torch.log(rho), torch.log1p(-rho)
    sums = [
        torch.where(rows, log_present, log_absent).sum(dim=1, dtype=torch.float64)
        for rows in theta.split(max(1, _CHUNK_ELEMENTS // len(rho)))
    ]
    return torch.cat(sums).to(torch.float32)


# ---------------------------------------------------------------------------------------------------------------------
# Sampling
# ---------------------------------------------------------------------------------------------------------------------


def sample_theta(
    rho: torch.Tensor, out: torch.Tensor, key: int, *, generation: int = 0, first_row: int = 0
) -> torch.Tensor:
    """Fills `out` with networks whose connections are independent Bernoulli(ρ) bits (Eq. 9).

    Bit (k, j) is a pure function of (key, generation, first_row + k, j) and ρ_j, on every device and at any number of
    threads: with word `j % 4` of Philox counter (j // 4, first_row + k, generation, purpose),

        θ_kj = [word < 2^32 ρ_j].

    Hence rows can be sampled in parts, anywhere and in any order, and equal keys have common random numbers. The
    probability of a bit is ρ_j rounded to a multiple of 2^-32; with ρ_j = 0 it is never and with ρ_j = 1 always set.

    Args:
        rho: (L,) float32, connection probabilities in [0, 1].
        out: (N, L) bool, on the device of `rho`; overwritten.
        key: Integer in [0, 2**64).
        generation: Number of the generation, in [0, 2**32).
        first_row: Number of the first row of `out` within its generation; rows are numbered in [0, 2**32).

    Returns:
        `out`.

    Raises:
        TypeError: If `out` is not boolean.
        ValueError: If a shape or a device does not match, an integer is out of its range, or `rho` holds no
            probabilities.
    """
    check_probabilities(rho)
    _check_theta(out, rho, "out")
    if any(size > 1 and stride == 0 for size, stride in zip(out.shape, out.stride(), strict=True)):
        raise ValueError("out: expected a tensor whose elements have places of their own, got an expanded one")
    generation, first_row = check_rows(generation, first_row, len(out))
    key_words = split_key(key)
    if out.device.type == "cpu":
        words = threshold_words(rho).numpy().astype(np.uint32)
        low, high = (np.uint32(word) for word in key_words)
        _sample_rows(words, _bytes_of(out), np.uint32(first_row), np.uint32(generation), low, high)
    else:
        _sample_theta_torch(_thresholds(rho), out, key_words, generation, first_row)
    return out


def check_rows(generation: object, first_row: object, num_rows: int) -> tuple[int, int]:
    """Checks that rows have numbers within a generation, and returns the generation and the first row.

    Raises:
        ValueError: If a number is out of its range.
    """
    generation = check_whole("generation", generation, minimum=0, maximum=2**32 - 1)
    first_row = check_whole("first_row", first_row, minimum=0)
    if first_row > 2**32 - num_rows:
        raise ValueError(f"first_row: expected rows numbered within [0, 2**32), got {num_rows} rows from {first_row}")
    return generation, first_row


def _thresholds(rho: torch.Tensor) -> torch.Tensor:
    return torch.round(rho.detach().to(torch.float64) * 2**32).to(torch.int64)


def threshold_words(rho: torch.Tensor) -> torch.Tensor:
    """Returns (L,) int64 words: a bit is set where its word of Philox is below, and always where this is 2^32 − 1.

    2^32 itself, for ρ = 1, does not fit into a word, but 2^32 − 1 is free to stand for it: no float32 below 1 comes
    that close.
    """
    return _thresholds(rho).clamp(max=ALWAYS)


def _sample_theta_torch(
    thresholds: torch.Tensor, out: torch.Tensor, key_words: tuple[int, int], generation: int, first_row: int
) -> None:
    """Defines the bits of `sample_theta` in tensor operations; `thresholds` (L,) int64 is 2^32 ρ."""
    num_rows, num_columns = out.shape
    columns_per_chunk = min(num_columns, _CHUNK_ELEMENTS)  # a multiple of 4, or all columns
    rows_per_chunk = max(1, _CHUNK_ELEMENTS // num_columns)
    for row in range(0, num_rows, rows_per_chunk):
        for column in range(0, num_columns, columns_per_chunk):
            part = out[row : row + rows_per_chunk, column : column + columns_per_chunk]
            rows = first_row + row + torch.arange(part.shape[0], device=out.device)
            counters = column // 4 + torch.arange(-(-part.shape[1] // 4), device=out.device)
            words = philox4x32((counters, rows[:, None], generation, SAMPLING_PURPOSE), key_words)
            words = torch.stack(words, dim=-1).flatten(start_dim=1)[:, : part.shape[1]]
            torch.lt(words, thresholds[column : column + columns_per_chunk], out=part)


@compiled(nogil=True)
def _draw_words(words, first_counter, row, generation, key_low, key_high):
    for i in range(_COUNTERS_PER_DRAW):
        words[0, i], words[1, i], words[2, i], words[3, i] = philox4x32_words(
            np.uint32(first_counter + i), row, generation, _PURPOSE_WORD, key_low, key_high
        )


@compiled(nogil=True)
def _interleave(words, interleaved):
    for i in range(_COUNTERS_PER_DRAW):
        interleaved[i, 0] = words[0, i]
        interleaved[i, 1] = words[1, i]
        interleaved[i, 2] = words[2, i]
        interleaved[i, 3] = words[3, i]


@compiled(nogil=True)
def _threshold(words, thresholds, out):
    for j in range(out.size):
        out[j] = (words[j] < thresholds[j]) | (thresholds[j] == _ALWAYS)


@compiled(nogil=True)
def _sample_row(thresholds, out, row, generation, key_low, key_high):
    """Samples one row in blocks of counters; each of the three loops over a block becomes vector instructions."""
    words = np.empty((4, _COUNTERS_PER_DRAW), np.uint32)
    interleaved = np.empty((_COUNTERS_PER_DRAW, 4), np.uint32)
    flat = interleaved.reshape(_COLUMNS_PER_DRAW)
    for start in range(0, out.size, _COLUMNS_PER_DRAW):
        stop = min(start + _COLUMNS_PER_DRAW, out.size)
        _draw_words(words, start // 4, row, generation, key_low, key_high)
        _interleave(words, interleaved)
        _threshold(flat, thresholds[start:stop], out[start:stop])


@compiled(nogil=True, parallel=True)
def _sample_rows(thresholds, out, first_row, generation, key_low, key_high):
    for k in prange(out.shape[0]):
        _sample_row(thresholds, out[k], np.uint32(first_row + k), generation, key_low, key_high)


# ---------------------------------------------------------------------------------------------------------------------
# Gradient
# ---------------------------------------------------------------------------------------------------------------------


def rho_gradient(theta: torch.Tensor, utilities: torch.Tensor, rho: torch.Tensor) -> torch.Tensor:
    """Estimates the natural gradient of expected utility with respect to ρ: mean_k w_k (θ_k − ρ) (Eq. 14 without η).

    Args:
        theta: (N, L) bool, N ≥ 1 networks sampled from `rho`.
        utilities: (N,) utilities w; higher is better. They are used as they are: a baseline is for the caller to
            subtract.
        rho: (L,) float32, connection probabilities.

    Returns:
        (L,) float32.

    Raises:
        TypeError: If `theta` is not boolean.
        ValueError: If shapes or devices do not match, or there is no network.
    """
    return rho_gradient_of_parts([theta], utilities, rho)


def rho_gradient_of_parts(parts: Iterable[torch.Tensor], utilities: torch.Tensor, rho: torch.Tensor) -> torch.Tensor:
    """Estimates `rho_gradient` of networks that come in parts, on the CPU to the same last bit.

    Args:
        parts: All rows of θ in their order, in tensors (n, L) bool; each is looked at before the next one is asked for,
            and may then be overwritten.
        utilities: (N,) utilities of all rows.
        rho: (L,) float32, connection probabilities.

    Returns:
        (L,) float32.

    Raises:
        TypeError: If a part is not boolean.
        ValueError: If shapes or devices do not match, or there is no network.
    """
    _check_rho(rho)
    check_tensor("utilities", utilities, "a tensor of real numbers, one for each row")
    utilities = utilities.detach().to(device=rho.device, dtype=torch.float64)
    weighted = torch.zeros(len(rho), dtype=torch.float64, device=rho.device)
    count = 0
    for theta in parts:
        _check_theta(theta, rho)
        if count + len(theta) > len(utilities):
            raise ValueError(f"utilities: expected one for each row, got {len(utilities)} for more rows")
        if len(theta):
            sum_weighted_rows(theta, utilities[count : count + len(theta)], weighted)
        count += len(theta)
    if count == 0:
        raise ValueError("theta: expected at least one row, got none")
    if utilities.shape != (count,):
        raise ValueError(f"utilities: expected shape ({count},), got {tuple(utilities.shape)}")
    return mean_gradient(weighted, utilities, rho)


def mean_gradient(weighted: torch.Tensor, utilities: torch.Tensor, rho: torch.Tensor) -> torch.Tensor:
    """Computes `rho_gradient` from (L,) float64 Σ_k w_k θ_k and the (N,) float64 utilities w."""
    return ((weighted - utilities.sum() * rho) / len(utilities)).to(torch.float32)
