"""Evolution strategies as functions of arrays: sampling of antithetic pairs, and the gradient of the centre.

Throughout, `center` (L,) float32 is the mean and `stdev` the standard deviation σ of an isotropic normal distribution,
and a population (N, L) float32 holds N/2 antithetic pairs, N even: row k is center + σ ε_k and row N/2 + k is
center − σ ε_k. No function here makes a second (N, L) array.

Source: Salimans et al. (2017), "Evolution Strategies as a Scalable Alternative to Reinforcement Learning",
https://arxiv.org/abs/1703.03864; as the baseline of Wang et al. (2023), https://arxiv.org/abs/2305.17650, in
https://github.com/imoneoi/EvolvingConnectivity, es_dense.py
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numba
import torch

from ec_evotorch.distributions.weighted_sum import sum_weighted_rows
from ec_evotorch.randomness import make_generator
from ec_evotorch.threads import one_torch_thread

_ELEMENTS_PER_THREAD = 2**22  # of a population; measured: for fewer a thread is not worth its start


def sample_antithetic(
    center: torch.Tensor,
    stdev: float,
    out: torch.Tensor,
    key: int,
    *,
    generation: int = 0,
    first_row: int = 0,
    popsize: int | None = None,
) -> torch.Tensor:
    """Fills `out` with rows of antithetic pairs: center + σ ε_k is row k, center − σ ε_k row N/2 + k, ε ~ N(0, I).

    The noise ε_k is a function of (key, generation · N/2 + k), of L and of the type of device, at any number of
    threads (there are as many as numba has, in a large population on the CPU). Hence rows can be sampled in parts,
    anywhere and in any order. A part that holds both rows of a pair draws their noise once.

    Args:
        center: (L,) float32.
        stdev: σ, positive.
        out: (n, L) float32, contiguous, on the device of `center`; overwritten.
        key: Integer in [0, 2**64).
        generation: Number of the generation; noise repeats after 2**32 pairs.
        first_row: Number of the first row of `out` within the population.
        popsize: N, even; None for n.

    Returns:
        `out`.

    Raises:
        ValueError: If `out` is not as described, or not all its rows are rows of the population.
    """
    popsize = len(out) if popsize is None else popsize
    check_rows_of_pairs(center, out, first_row, popsize)
    num_pairs, stop_row = popsize // 2, first_row + len(out)
    twice_center = 2.0 * center

    def make_row(k: int) -> None:
        """Makes row k, and the other one of its pair if it comes later in `out`."""
        pair = k % num_pairs
        row = out[k - first_row]
        row.normal_(generator=make_generator(key, generation * num_pairs + pair, out.device))
        torch.add(center, row, alpha=stdev, out=row)
        if k > pair:
            torch.sub(twice_center, row, out=row)
        elif pair + num_pairs < stop_row:
            torch.sub(twice_center, row, out=out[pair + num_pairs - first_row])

    rows = [k for k in range(first_row, stop_row) if not first_row <= k % num_pairs < k]
    with one_torch_thread():  # rows are small: threads share out whole rows
        num_threads = min(numba.get_num_threads(), out.numel() // _ELEMENTS_PER_THREAD)
        if num_threads > 1 and out.device.type == "cpu":
            with ThreadPoolExecutor(num_threads) as pool:
                list(pool.map(make_row, rows))  # PyTorch lets other threads run while it computes
        else:
            for k in rows:
                make_row(k)
    return out


def check_rows_of_pairs(center: torch.Tensor, out: torch.Tensor, first_row: int, popsize: int) -> None:
    """Checks that `out` can hold rows of a population from `first_row` on; arguments as of `sample_antithetic`.

    Raises:
        ValueError: If it is not as described there, or not all its rows are rows of the population.
    """
    check_popsize(popsize)
    if out.ndim != 2 or out.shape[1:] != center.shape or out.dtype != torch.float32 or not out.is_contiguous():
        raise ValueError(
            f"out: expected a contiguous tensor of shape (n, {len(center)}) and dtype torch.float32, got"
            f" {tuple(out.shape)}, {out.dtype}{'' if out.is_contiguous() else ', not contiguous'}"
        )
    if not 0 <= first_row <= popsize - len(out):
        raise ValueError(f"first_row: expected rows within [0, {popsize}), got {len(out)} rows from {first_row}")


def check_popsize(popsize: int) -> None:
    """Checks that a population consists of pairs.

    Raises:
        ValueError: If not.
    """
    if popsize < 2 or popsize % 2:
        raise ValueError(f"popsize: expected an even number of at least 2, got {popsize}")


def center_gradient(population: torch.Tensor, utilities: torch.Tensor, stdev: float) -> torch.Tensor:
    """Estimates the gradient of expected utility with respect to the centre: mean over pairs of (w⁺ − w⁻) ε / (2σ).

    The estimate is unbiased for utilities that are a function of the solution. With s = ±(w⁺ − w⁻) / 2 on the two
    halves it is Σ_k s_k x_k / (N σ²): the s sum to zero, so the centre cancels and the noise is not needed.

    Deviation: the published code leaves out the factor 1 / (2σ²), to which Adam is blind.

    Args:
        population: (N, L) float32, N even, in the order of `sample_antithetic`.
        utilities: (N,) utilities w; higher is better.
        stdev: σ, positive.

    Returns:
        (L,) float32; exactly zero if no pair has a difference.

    Raises:
        ValueError: If the number of rows is not even, or there is not one utility for each.
    """
    return center_gradient_of_parts([population], utilities, stdev)


def center_gradient_of_parts(parts: Iterable[torch.Tensor], utilities: torch.Tensor, stdev: float) -> torch.Tensor:
    """Estimates `center_gradient` of a population that comes in parts, on the CPU to the same last bit.

    Args:
        parts: All rows in their order, in tensors (n, L) float32; each is looked at before the next one is asked for,
            and may then be overwritten.
        utilities: (N,) utilities of all rows, N even.
        stdev: σ, positive.

    Returns:
        (L,) float32.

    Raises:
        ValueError: If the number of rows is not even, or there is not one utility for each.
    """
    count = len(utilities)
    differences = pair_differences(utilities)
    shares = torch.cat([differences, -differences]) / 2.0
    weighted, row = None, 0
    for rows in parts:
        shares = shares.to(rows.device)
        weighted = sum_weighted_rows(rows, shares[row : row + len(rows)], weighted)
        row += len(rows)
    if row != count:
        raise ValueError(f"utilities: expected shape ({row},), one for each row, got {tuple(utilities.shape)}")
    return (weighted / (count * stdev**2)).to(torch.float32)


def pair_differences(utilities: torch.Tensor) -> torch.Tensor:
    """Returns w⁺ − w⁻ of each pair, (N/2,) float64, from the (N,) utilities of all rows.

    Raises:
        ValueError: If the number of rows is not even.
    """
    if utilities.ndim != 1 or len(utilities) == 0 or len(utilities) % 2:
        raise ValueError(
            f"utilities: expected shape (N,) with N even and at least 2, got shape {tuple(utilities.shape)}"
        )
    better, worse = utilities.to(torch.float64).chunk(2)
    return better - worse
