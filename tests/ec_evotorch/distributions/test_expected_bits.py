"""What currents say about bits: against NumPy's plain formula, its limits, and all networks counted one by one."""

import itertools

import numpy as np
import pytest
import torch

from ec_evotorch.distributions import expected_bits
from ec_evotorch.distributions.expected_bits import (
    add_all_currents,
    add_currents,
    solve_all,
    solve_systems,
    sum_expected_bits,
)


def random_samples(num_samples=7, num_steps=3, num_rows=11, num_units=4, seed=0):
    """Returns what was transmitted, ρ, the bits and the weights."""
    rng = np.random.default_rng(seed)
    rho = rng.uniform(0.05, 0.95, (num_rows, num_units)).astype(np.float32)
    theta = rng.random((num_samples, num_rows, num_units)) < rho
    transmitted = rng.standard_normal((num_samples, num_steps, num_rows)).astype(np.float32)
    return transmitted, rho, theta, rng.standard_normal(num_samples).astype(np.float32)


def tensors(*arrays):
    return map(torch.from_numpy, arrays)


def summed(transmitted, rho, theta, weights, ridge):
    """Returns V Σ_m w_m Xᵀ (X V Xᵀ + λ 1)⁻¹ X (θ − ρ)."""
    currents = np.zeros((*transmitted.shape[:2], rho.shape[1]), dtype=np.float32)
    add_currents(*tensors(np.ascontiguousarray(theta), rho, transmitted), 1.0, torch.from_numpy(currents))
    variances = torch.from_numpy(rho * (1 - rho))
    arrays = torch.from_numpy(transmitted), torch.from_numpy(currents), variances, torch.from_numpy(weights)
    return (variances * sum_expected_bits(*arrays, ridge=ridge)).numpy()


def by_the_formula(transmitted, rho, theta, weights, ridge):
    expected = np.zeros(rho.shape)
    for x, bits, weight in zip(transmitted.astype(float), theta, weights, strict=True):
        for unit in range(rho.shape[1]):
            mean = rho[:, unit].astype(float)
            variance = np.diag(mean * (1 - mean))
            covariance = x @ variance @ x.T
            covariance += ridge * np.trace(covariance) / len(x) * np.eye(len(x))
            expected[:, unit] += weight * variance @ x.T @ np.linalg.solve(covariance, x @ (bits[:, unit] - mean))
    return expected


@pytest.mark.parametrize("num_steps", [1, 2, 3, 5])
@pytest.mark.parametrize("ridge", [0.01, 0.1, 10.0])
def test_the_sum_is_that_of_numpys_plain_formula(num_steps, ridge):
    samples = random_samples(num_steps=num_steps)
    np.testing.assert_allclose(summed(*samples, ridge), by_the_formula(*samples, ridge), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("add", [add_currents, add_all_currents])
@pytest.mark.parametrize("sign", [1, -1])
def test_currents_are_added_up(sign, add):
    transmitted, rho, theta, _ = random_samples()
    transmitted[2] = 0.0
    before = np.random.default_rng(1).standard_normal((7, 3, 4)).astype(np.float32)
    currents = before.copy()
    add(*tensors(theta, rho, transmitted), float(sign), torch.from_numpy(currents))
    expected = before + sign * np.einsum("mkj,mjn->mkn", transmitted, theta - rho)
    np.testing.assert_allclose(currents, expected, rtol=1e-5, atol=1e-5)


def test_one_step_by_hand():
    # V = ¼, XVXᵀ = (1 + 4) / 4; λ = ⅕ of that. I − E I = 1 · ½ + 2 · ½ = 1.5; V Xᵀ · 1.5 / 1.5 = ¼ X.
    transmitted = np.array([[[1.0, 2.0]]], dtype=np.float32)
    rho, theta = np.full((2, 1), 0.5, dtype=np.float32), np.ones((1, 2, 1), dtype=bool)
    got = summed(transmitted, rho, theta, np.array([3.0], dtype=np.float32), ridge=0.2)
    np.testing.assert_allclose(got[:, 0], [3 * 0.25, 3 * 0.5], rtol=1e-6)


@pytest.mark.parametrize("num_steps", [4, 6])
def test_currents_of_as_many_steps_as_connections_give_the_bits_away(num_steps):
    transmitted, rho, theta, weights = random_samples(num_steps=num_steps, num_rows=4)
    expected = np.einsum("m,mjn->jn", weights, theta - rho)
    np.testing.assert_allclose(summed(transmitted, rho, theta, weights, 1e-6), expected, atol=2e-2)


def test_a_row_that_transmits_nothing_gets_no_credit():
    transmitted, rho, theta, weights = random_samples()
    transmitted[:, :, 5] = 0.0
    got = summed(transmitted, rho, theta, weights, 0.1)
    assert not got[5].any()
    assert got[[0, 1, 2, 3, 4, 6, 7, 8, 9, 10]].all()


def test_bits_that_are_certain_get_no_credit_and_take_none_from_others():
    transmitted, rho, theta, weights = random_samples()
    rho[:, 1], rho[:5, 2] = (np.arange(11) % 2), 1.0
    theta = np.where(rho == 0.0, False, np.where(rho == 1.0, True, theta))
    got = summed(transmitted, rho, theta, weights, 0.1)
    assert not got[:, 1].any()
    assert not got[:5, 2].any()
    alone = summed(transmitted[:, :, 5:], rho[5:, 2:3], theta[:, 5:, 2:3], weights, 0.1)
    np.testing.assert_allclose(got[5:, 2:3], alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("num_steps", "num_bins", "most_error"), [(1, 10, 0.1), (2, 4, 0.16)])
def test_it_is_nearly_what_all_networks_of_these_currents_are_on_average(num_steps, num_bins, most_error):
    """Of all 2^16 networks of one unit: those whose currents are in the same bin, each as often as it is sampled.

    The error is the root of its mean square over that of the average; with more connections it would be less.
    """
    rng = np.random.default_rng(1)
    x = rng.uniform(0.5, 1.5, (num_steps, 16)).astype(np.float32)
    x[1:] *= rng.choice([-1, 1], 16)
    rho = rng.uniform(0.25, 0.75, 16).astype(np.float32)
    networks = np.array(list(itertools.product([False, True], repeat=16)))
    chances = np.prod(np.where(networks, rho, 1 - rho), axis=1)
    got = summed(x[None], np.repeat(rho[:, None], len(networks), axis=1), networks.T[None], np.ones(1, "f"), 1e-4).T

    currents = networks @ x.T
    bins = np.zeros(len(networks), dtype=int)
    for current in currents.T:
        bins = num_bins * bins + np.digitize(current, np.quantile(current, np.linspace(0, 1, num_bins + 1)[1:-1]))
    totals = np.bincount(bins, weights=chances)

    def averages(values):
        sums = np.stack([np.bincount(bins, weights=chances * column) for column in values.T], axis=1)
        return sums[totals > 0] / totals[totals > 0, None]

    exact, estimated = averages(networks - rho), averages(got)
    error, size = ((totals[totals > 0] @ (part**2).mean(axis=1)) ** 0.5 for part in (exact - estimated, exact))
    assert error < most_error * size
    np.testing.assert_allclose(chances @ got, 0.0, atol=1e-5)  # over all networks nothing is expected


def test_chunks_change_nothing(monkeypatch):
    samples = random_samples(num_samples=9)
    whole = summed(*samples, 0.1)
    monkeypatch.setattr(expected_bits, "_CHUNK_ELEMENTS", 2 * 6 * 11)  # two samples
    np.testing.assert_allclose(summed(*samples, 0.1), whole, rtol=1e-5, atol=1e-6)


def solve_in_place(matrices, vectors, ridge):
    vectors.copy_(solve_all(matrices, vectors, ridge))


@pytest.mark.parametrize("solve", [solve_systems, solve_in_place])
@pytest.mark.parametrize("size", [1, 2, 4, 7])
def test_systems_are_solved_as_numpy_solves_them(size, solve):
    rng = np.random.default_rng(size)
    roots = rng.standard_normal((5, 3, size, size + 2))
    matrices = (roots @ roots.swapaxes(2, 3)).astype(np.float32)  # (M, N, K, K)
    vectors = rng.standard_normal((5, size, 3)).astype(np.float32)
    shifts = 0.1 * np.trace(matrices, axis1=2, axis2=3) / size
    shifted = matrices.astype(float) + shifts[..., None, None] * np.eye(size)
    expected = np.linalg.solve(shifted, vectors.swapaxes(1, 2)[..., None].astype(float))[..., 0].swapaxes(1, 2)
    rows, columns = np.tril_indices(size)
    triangles = np.ascontiguousarray(matrices[:, :, rows, columns].swapaxes(1, 2))
    solve(*tensors(triangles, vectors), 0.1)
    np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("solve", [solve_systems, solve_in_place])
def test_systems_without_a_finite_matrix_have_the_solution_0(solve):
    matrices = np.array([[[0.0, np.inf, np.nan, 2.0]]], dtype=np.float32)
    vectors = np.array([[[0.0, np.nan, 1.0, 3.0]]], dtype=np.float32)
    solve(*tensors(matrices, vectors), 0.5)
    assert vectors.tolist() == [[[0.0, 0.0, 0.0, 1.0]]]


@pytest.mark.parametrize("solve", [solve_systems, solve_in_place])
@pytest.mark.parametrize("scale", [1e-22, 1e-19, 1e-16])
def test_what_decayed_until_its_squares_have_no_digits_left_counts_as_nothing(solve, scale):
    transmitted = (scale * 0.2 ** np.arange(8)).astype(np.float32)  # the rate of a neuron that no longer fires
    first, second = np.tril_indices(8)
    matrices = (transmitted[first] * transmitted[second]).reshape(1, -1, 1)
    vectors = transmitted.reshape(1, -1, 1).copy()
    solve(*tensors(matrices, vectors), 0.1)
    assert not vectors.any()


def test_the_same_currents_in_every_step_are_those_of_one_step():
    transmitted, rho, theta, weights = random_samples(num_steps=1)
    repeated = np.repeat(transmitted, 4, axis=1)
    # λ is a share of one step's variance, and the repeated steps add up to four of them
    np.testing.assert_allclose(
        summed(repeated, rho, theta, weights, 0.4), summed(transmitted, rho, theta, weights, 0.1), rtol=1e-3, atol=1e-5
    )
