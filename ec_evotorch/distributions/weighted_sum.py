"""The weighted sum of a population's rows, from which every gradient in this package is made."""

import numpy as np
import torch
from numba import prange

from ec_evotorch.tensors import check_tensor
from native.compiled import compiled

_DTYPES = (torch.bool, torch.float32, torch.float64)
_CHUNK_ELEMENTS = 2**20  # elements of one temporary of the torch definition
_COLUMNS_PER_SUM = 2048  # columns that a thread sums at once; their sums stay in the first-level cache


def sum_weighted_rows(rows: torch.Tensor, weights: torch.Tensor, total: torch.Tensor | None = None) -> torch.Tensor:
    """Computes Σ_k w_k x_k without making another array of the population's size.

    Sums are taken in float64. On the CPU, k runs through 0, 1, … in this order: the result depends neither on the
    number of threads, nor on whether all rows come at once or in parts that are added to the same `total` in turn.

    Args:
        rows: (N, L) the x_k: bool, float32 or float64.
        weights: (N,) float64 the w_k, on the device of `rows`.
        total: (L,) float64, contiguous, to which the sum is added in place; None begins at zero.

    Returns:
        (L,) float64, which is `total` or a new tensor.

    Raises:
        ValueError: If there is no row, or not one weight for each, or a tensor has another dtype or shape.
    """
    for name, value in (("rows", rows), ("weights", weights), ("total", total)):
        if value is not None or name != "total":
            check_tensor(name, value, "a tensor of numbers")
    if rows.dtype not in _DTYPES:
        raise ValueError(f"rows: expected one of {', '.join(map(str, _DTYPES))}, got {rows.dtype}")
    if rows.ndim != 2 or len(rows) == 0:
        raise ValueError(f"rows: expected shape (N, L) with at least one row, got {tuple(rows.shape)}")
    if weights.shape != rows.shape[:1]:
        raise ValueError(f"weights: expected shape ({len(rows)},), one for each row, got {tuple(weights.shape)}")
    if weights.dtype != torch.float64:
        raise ValueError(f"weights: expected torch.float64, got {weights.dtype}")
    if total is None:
        total = torch.zeros(rows.shape[1], dtype=torch.float64, device=rows.device)
    columns = rows.shape[1:]
    if total.dtype != torch.float64 or total.shape != columns or not total.is_contiguous():
        expected = f"contiguous torch.float64 of shape {tuple(columns)}"
        raise ValueError(f"total: expected {expected}, got {total.dtype} of shape {tuple(total.shape)}")
    rows, weights = rows.detach(), weights.detach()
    if rows.device.type != "cpu":
        _add_weighted_rows_torch(rows, weights, total)
    else:
        numbers = rows.view(torch.uint8) if rows.dtype == torch.bool else rows
        _add_all_weighted_rows(numbers.numpy(), weights.numpy(), total.numpy())
    return total


def _add_weighted_rows_torch(rows: torch.Tensor, weights: torch.Tensor, total: torch.Tensor) -> None:
    """Defines the sum in tensor operations."""
    num_rows, num_columns = rows.shape
    rows_per_chunk = max(1, _CHUNK_ELEMENTS // num_columns)
    for row in range(0, num_rows, rows_per_chunk):
        chunk = slice(row, row + rows_per_chunk)
        total += weights[chunk] @ rows[chunk].to(torch.float64)


@compiled(nogil=True)
def _add_weighted_rows(rows, weights, weighted):
    """Adds the rows to `weighted` in their order; four at a time, so that a sum is read and written once for them."""
    num_rows = rows.shape[0]
    in_fours = num_rows - num_rows % 4
    for k in range(0, in_fours, 4):
        a, b, c, d = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        row_a, row_b, row_c, row_d = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        for j in range(weighted.size):
            total = weighted[j] + a * np.float64(row_a[j])
            total = total + b * np.float64(row_b[j])
            total = total + c * np.float64(row_c[j])
            weighted[j] = total + d * np.float64(row_d[j])
    for k in range(in_fours, num_rows):
        weight, row = weights[k], rows[k]
        for j in range(weighted.size):
            weighted[j] += weight * np.float64(row[j])


@compiled(nogil=True, parallel=True)
def _add_all_weighted_rows(rows, weights, weighted):
    """Adds the sum to `weighted` (L,) float64; each thread has columns of its own, so that no sum is split."""
    num_columns = weighted.size
    for block in prange((num_columns + _COLUMNS_PER_SUM - 1) // _COLUMNS_PER_SUM):
        start = block * _COLUMNS_PER_SUM
        stop = min(start + _COLUMNS_PER_SUM, num_columns)
        _add_weighted_rows(rows[:, start:stop], weights, weighted[start:stop])
