"""The weighted sum of a population's rows."""

import numba
import pytest
import torch

from ec_evotorch.distributions import weighted_sum
from ec_evotorch.distributions.weighted_sum import sum_weighted_rows

DTYPES = [torch.bool, torch.float32]


def random_rows(dtype, length, num_rows=37):
    rows = torch.randn(num_rows, length, generator=torch.Generator().manual_seed(0))
    return rows > 0.0 if dtype == torch.bool else rows


def random_weights(num_rows=37):
    return torch.randn(num_rows, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_by_hand(dtype):
    rows = torch.tensor([[1, 0], [1, 1]]).to(dtype)
    assert sum_weighted_rows(rows, torch.tensor([2.0, -3.0]).double()).tolist() == [-1.0, -3.0]


def defined_sum(rows, weights):
    total = torch.zeros(rows.shape[1], dtype=torch.float64)
    weighted_sum._add_weighted_rows_torch(rows, weights, total)
    return total


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [1, 2047, 2048, 2049, 5000])
def test_kernel_sums_what_the_definition_sums(dtype, length):
    rows, weights = random_rows(dtype, length), random_weights()
    torch.testing.assert_close(sum_weighted_rows(rows, weights), defined_sum(rows, weights))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("num_rows", [1, 2, 3, 4, 5, 8, 11])
def test_kernel_adds_one_row_after_the_other_to_the_last_bit(dtype, num_rows):
    rows, weights = random_rows(dtype, 2049, num_rows), random_weights(num_rows)
    total = torch.zeros(2049, dtype=torch.float64)
    for row, weight in zip(rows.double(), weights, strict=True):
        total += weight * row
    assert torch.equal(sum_weighted_rows(rows, weights), total)


def test_definition_does_not_depend_on_its_chunks(monkeypatch):
    rows, weights = random_rows(torch.bool, 100), random_weights()
    whole = defined_sum(rows, weights)
    monkeypatch.setattr(weighted_sum, "_CHUNK_ELEMENTS", 500)
    torch.testing.assert_close(defined_sum(rows, weights), whole)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 4, 7])
def test_sum_does_not_depend_on_whether_rows_come_in_parts(dtype, size):
    rows, weights = random_rows(dtype, 2049), random_weights()
    whole, total = sum_weighted_rows(rows, weights), torch.zeros(2049, dtype=torch.float64)
    for part, part_weights in zip(rows.split(size), weights.split(size), strict=True):
        assert sum_weighted_rows(part, part_weights, total) is total
    assert torch.equal(total, whole)


def test_sum_does_not_depend_on_the_number_of_threads():
    rows, weights = random_rows(torch.float32, 5000), random_weights()
    whole = sum_weighted_rows(rows, weights)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert torch.equal(sum_weighted_rows(rows, weights), whole)
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize(
    ("rows", "weights", "message"),
    [
        (torch.zeros(0, 3), torch.zeros(0), r"rows: expected shape \(N, L\) with at least one row, got \(0, 3\)"),
        (torch.zeros(3), torch.zeros(3), r"rows: expected shape \(N, L\).*, got \(3,\)"),
        (torch.zeros(2, 3), torch.zeros(3), r"weights: expected shape \(2,\), one for each row, got \(3,\)"),
    ],
)
def test_bad_shapes_are_refused(rows, weights, message):
    with pytest.raises(ValueError, match=message):
        sum_weighted_rows(rows, weights)
