"""Sampled bits, their gradient and their probability, as functions of arrays."""

import itertools
import math

import numba
import numpy as np
import pytest
import torch

from ec_evotorch.distributions import bernoulli
from ec_evotorch.distributions.bernoulli import log_prob, rho_gradient, sample_theta
from ec_evotorch.randomness import split_key

KEY = 0x9E3779B97F4A7C15
# Bound on |z| of a standard normal statistic: it is exceeded by chance once in 1.7 million draws of a key.
Z_BOUND = 5.0


def sampled(rho, num_rows, key=KEY, **kwargs):
    return sample_theta(rho, torch.empty((num_rows, len(rho)), dtype=torch.bool), key, **kwargs)


def random_rho(length, seed=0):
    return torch.rand(length, generator=torch.Generator().manual_seed(seed))


def random_utilities(num_rows, seed=1):
    return torch.randn(num_rows, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def set_num_threads():
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


# --- sampling ---


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 255, 256, 257, 1030])
@pytest.mark.parametrize(("generation", "first_row"), [(0, 0), (2**32 - 1, 2**32 - 5)])
def test_kernel_samples_the_bits_of_the_definition(length, generation, first_row):
    rho = random_rho(length)
    rho[0], rho[-1] = 1.0, 0.0
    expected = torch.empty((5, length), dtype=torch.bool)
    thresholds = (rho.double() * 2**32).round().long()
    bernoulli._sample_theta_torch(thresholds, expected, split_key(KEY), generation, first_row)
    assert torch.equal(sampled(rho, 5, generation=generation, first_row=first_row), expected)


def test_definition_does_not_depend_on_its_chunks(monkeypatch):
    thresholds = (random_rho(1030).double() * 2**32).round().long()
    whole, chunked = torch.empty((2, 7, 1030), dtype=torch.bool)
    bernoulli._sample_theta_torch(thresholds, whole, split_key(KEY), 1, 2)
    monkeypatch.setattr(bernoulli, "_CHUNK_ELEMENTS", 64)
    bernoulli._sample_theta_torch(thresholds, chunked, split_key(KEY), 1, 2)
    assert torch.equal(chunked, whole)


def test_bits_by_hand():
    # Words of counter (0, 0, 0, 0) and key 0, as published, over 2^32: 0.40, 0.88, 0.74, 0.61.
    theta = sampled(torch.tensor([0.41, 0.87, 0.73, 0.62]), 1, key=0)
    assert theta.tolist() == [[True, False, False, True]]


def test_rows_sampled_in_parts_are_those_sampled_at_once():
    rho = random_rho(77)
    parts = [sampled(rho, 3, generation=4), sampled(rho, 6, generation=4, first_row=3)]
    assert torch.equal(torch.cat(parts), sampled(rho, 9, generation=4))


def test_bits_of_a_column_depend_on_no_other_column():
    rho = random_rho(77)
    assert torch.equal(sampled(rho[:50], 9), sampled(rho, 9)[:, :50])


def test_bits_go_into_the_memory_given_even_if_strided():
    rho = random_rho(40)
    memory = torch.zeros((8, 80), dtype=torch.bool)
    sample_theta(rho, memory[::2, ::2], KEY)
    assert torch.equal(memory[::2, ::2], sampled(rho, 4))
    assert not memory[1::2].any()
    assert not memory[:, 1::2].any()


def test_zero_is_never_and_one_is_always_sampled():
    theta = sampled(torch.tensor([0.0, 1.0] * 500), 2000)
    assert not theta[:, 0::2].any()
    assert theta[:, 1::2].all()


def test_each_column_has_its_own_frequency():
    rho = random_rho(500).clamp(1e-3, 1.0 - 1e-3)
    num_rows = 20_000
    z = (sampled(rho, num_rows).sum(0) - num_rows * rho) / torch.sqrt(num_rows * rho * (1 - rho))
    assert z.abs().max() < 6.0  # 500 columns: false alarm once in a million keys
    assert abs((z.square().sum().item() - 500) / math.sqrt(2 * 500)) < Z_BOUND


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda rho, n: sampled(rho, n).roll(1, dims=1), id="neighbouring columns"),
        pytest.param(lambda rho, n: sampled(rho, n).roll(4, dims=1), id="neighbouring counters"),
        pytest.param(lambda rho, n: sampled(rho, n, first_row=1), id="neighbouring rows"),
        pytest.param(lambda rho, n: sampled(rho, n, generation=1), id="next generation"),
        pytest.param(lambda rho, n: sampled(rho, n, key=KEY + 1), id="next key"),
        pytest.param(lambda rho, n: sampled(rho, n, key=KEY + 2**32), id="next high word of key"),
    ],
)
def test_bits_are_uncorrelated_with(other):
    rho = torch.full((1000,), 0.5)
    signs = 2.0 * sampled(rho, 1000).float() - 1.0
    other_signs = 2.0 * other(rho, 1000).float() - 1.0
    z = (signs * other_signs).sum(dtype=torch.float64) / 1000.0
    assert abs(z) < Z_BOUND


def test_every_pair_of_columns_is_uncorrelated():
    num_rows = 20_000
    signs = 2.0 * sampled(torch.full((64,), 0.5), num_rows).double() - 1.0
    z = (signs.T @ signs / math.sqrt(num_rows)).fill_diagonal_(0.0)
    assert z.abs().max() < 6.0  # 2,016 pairs: false alarm once in 250,000 keys


def test_bits_do_not_depend_on_the_number_of_threads(set_num_threads):
    rho = random_rho(1000)
    set_num_threads(1)
    alone = sampled(rho, 64)
    set_num_threads(numba.config.NUMBA_NUM_THREADS)
    assert torch.equal(sampled(rho, 64), alone)


@pytest.mark.parametrize(
    ("rho", "shape", "dtype", "kwargs", "error", "message"),
    [
        ([0.5, 1.5], (1, 2), torch.bool, {}, ValueError, r"rho: expected probabilities in \[0, 1\]"),
        ([0.5, math.nan], (1, 2), torch.bool, {}, ValueError, r"rho: expected probabilities in \[0, 1\].*nan"),
        ([[0.5]], (1, 1), torch.bool, {}, ValueError, r"rho: expected a non-empty 1-dimensional"),
        ([0.5], (1, 1), torch.float32, {}, TypeError, r"out: expected .*torch.bool, got torch.float32"),
        ([0.5], (1, 2), torch.bool, {}, ValueError, r"out: expected shape \(N, 1\).*got \(1, 2\)"),
        ([0.5], (1, 1), torch.bool, {"generation": -1}, ValueError, r"generation: expected.*got -1"),
        ([0.5], (2, 1), torch.bool, {"first_row": 2**32 - 1}, ValueError, r"first_row: expected.*4294967295"),
    ],
)
def test_sampling_refuses(rho, shape, dtype, kwargs, error, message):
    with pytest.raises(error, match=message):
        sample_theta(torch.tensor(rho), torch.empty(shape, dtype=dtype), KEY, **kwargs)


# --- gradient ---


def test_gradient_by_hand():
    theta = torch.tensor([[True, False], [True, True]])
    gradient = rho_gradient(theta, torch.tensor([1.0, -3.0]), torch.tensor([0.5, 0.25]))
    # column 0: (1·0.5 − 3·0.5)/2; column 1: (1·(−0.25) − 3·0.75)/2
    assert gradient.tolist() == [-0.5, -1.25]


def test_expected_gradient_is_the_natural_gradient_of_expected_fitness():
    rho = torch.tensor([0.2, 0.5, 0.9])
    theta = torch.tensor(list(itertools.product([False, True], repeat=3)))
    fitnesses = torch.tensor([3.0, -1.0, 0.5, 2.0, -4.0, 1.0, 7.0, 0.25], dtype=torch.float64)

    def probabilities(rho):
        return torch.where(theta, rho, 1.0 - rho).prod(dim=1)

    variable = rho.double().requires_grad_()
    (vanilla,) = torch.autograd.grad(probabilities(variable) @ fitnesses, variable)
    variance = rho.double() * (1.0 - rho.double())  # the inverse Fisher information of a Bernoulli (Eq. 12)
    # The mean over the eight networks, each weighted by 8 p(θ), is the expectation.
    expectation = rho_gradient(theta, 8.0 * probabilities(rho.double()) * fitnesses, rho)
    torch.testing.assert_close(expectation, (variance * vanilla).float())


def test_gradient_reproduces_the_published_one(golden_update):
    for theta, fitness, rho, expected in zip(
        golden_update["theta"],
        golden_update["fitness"],
        golden_update["rho"],
        golden_update["gradient"],
        strict=False,  # there is one ρ more than gradients
    ):
        centred_ranks = torch.from_numpy(np.argsort(np.argsort(fitness)) / (len(fitness) - 1) - 0.5)
        gradient = rho_gradient(torch.from_numpy(theta), centred_ranks, torch.from_numpy(rho))
        np.testing.assert_allclose(gradient.numpy(), expected, atol=1e-7)


def test_gradient_does_not_depend_on_the_order_of_the_population():
    rho = random_rho(1500)
    theta, utilities = sampled(rho, 50), random_utilities(50)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(rho_gradient(theta[order], utilities[order], rho), rho_gradient(theta, utilities, rho))


def test_gradient_does_not_depend_on_the_number_of_threads(set_num_threads):
    rho = random_rho(5000)
    theta, utilities = sampled(rho, 50), random_utilities(50)
    set_num_threads(1)
    alone = rho_gradient(theta, utilities, rho)
    set_num_threads(numba.config.NUMBA_NUM_THREADS)
    assert torch.equal(rho_gradient(theta, utilities, rho), alone)


@pytest.mark.parametrize(
    ("theta", "utilities", "error", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2), TypeError, "theta: expected .*torch.bool, got torch.float32"),
        (torch.zeros(2, 4).bool(), torch.zeros(2), ValueError, r"theta: expected shape \(N, 3\).*got \(2, 4\)"),
        (torch.zeros(0, 3).bool(), torch.zeros(0), ValueError, "theta: expected at least one row"),
        (torch.zeros(2, 3).bool(), torch.zeros(3), ValueError, r"utilities: expected shape \(2,\), got \(3,\)"),
    ],
)
def test_gradient_refuses(theta, utilities, error, message):
    with pytest.raises(error, match=message):
        rho_gradient(theta, utilities, torch.full((3,), 0.5))


# --- probability ---


def test_log_prob_is_that_of_torch(monkeypatch):
    monkeypatch.setattr(bernoulli, "_CHUNK_ELEMENTS", 100)  # seven chunks
    rho = random_rho(30)
    theta = sampled(rho, 20)
    expected = torch.distributions.Bernoulli(rho).log_prob(theta.float()).sum(1)
    torch.testing.assert_close(log_prob(theta, rho), expected)


def test_log_prob_of_an_impossible_network_is_minus_infinity():
    theta = torch.tensor([[True, False], [False, True], [True, True]])
    assert log_prob(theta, torch.tensor([1.0, 0.0])).tolist() == [0.0, -math.inf, -math.inf]


# --- memory ---


def test_no_second_array_of_the_size_of_the_population_is_made(peak_memory):
    rho, utilities = random_rho(100_003), random_utilities(256)
    theta = torch.zeros((256, len(rho)), dtype=torch.bool)
    rho_gradient(sampled(rho[:1000], 4), utilities[:4], rho[:1000])  # compiles, starts threads

    def sample_and_learn():
        sample_theta(rho, theta, KEY)
        rho_gradient(theta, utilities, rho)

    assert peak_memory(sample_and_learn) < theta.nbytes / 2
