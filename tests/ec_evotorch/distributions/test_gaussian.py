"""Antithetic samples and the gradient of the centre, as functions of arrays."""

import math

import numba
import pytest
import torch

from ec_evotorch.distributions import gaussian
from ec_evotorch.distributions.gaussian import center_gradient, center_gradient_of_parts, sample_antithetic

KEY = 0x9E3779B97F4A7C15
STDEV = 0.5


def random_center(length, seed=0):
    return torch.randn(length, generator=torch.Generator().manual_seed(seed))


def sampled(center, popsize, key=KEY, **kwargs):
    return sample_antithetic(center, STDEV, torch.empty(popsize, len(center)), key, **kwargs)


def noise(popsize=1000, length=1000, **kwargs):
    """ε of the first half of a population, as float64."""
    center = torch.zeros(length)
    return sampled(center, 2 * popsize, **kwargs)[:popsize].double() / STDEV


# --- sampling ---


def test_the_two_of_a_pair_add_up_to_twice_the_centre():
    center = random_center(300)
    plus, minus = sampled(center, 10).chunk(2)
    torch.testing.assert_close(plus + minus, (2.0 * center).expand(5, -1), rtol=0.0, atol=1e-6)


def test_noise_is_standard_normal():
    values = noise().flatten()
    # A million values: each z exceeds 5 by chance for one key in 1.7 million.
    assert abs(values.mean()) * 1000.0 < 5.0
    assert abs(values.square().mean() - 1.0) * 1000.0 / math.sqrt(2.0) < 5.0
    assert abs((values.abs() < 1.0).double().mean() - math.erf(math.sqrt(0.5))) * 1000.0 / 0.466 < 5.0


@pytest.mark.parametrize(
    "other", [{"generation": 1}, {"generation": 2**32 - 1}, {"key": KEY + 1}, {"key": KEY + 2**31}]
)
def test_noise_is_uncorrelated_with_that_of_another(other):
    z = (noise() * noise(**other)).sum() / 1000.0
    assert abs(z) < 5.0


def test_noise_is_a_function_of_key_and_generation():
    center = random_center(300)
    torch.manual_seed(0)
    first = sampled(center, 10, generation=3)
    torch.manual_seed(1)
    assert torch.equal(sampled(center, 10, generation=3), first)


@pytest.mark.parametrize("first_row", [0, 5])
def test_noise_does_not_depend_on_the_number_of_threads(first_row, monkeypatch):
    monkeypatch.setattr(gaussian, "_ELEMENTS_PER_THREAD", 100_000)
    center = random_center(60_000)  # large enough for two threads of ours, and of PyTorch's
    before = torch.get_num_threads(), numba.get_num_threads()
    try:
        results = []
        for num_threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            torch.set_num_threads(num_threads)
            numba.set_num_threads(num_threads)
            part = torch.empty(15, len(center))
            results.append(sample_antithetic(center, STDEV, part, KEY, first_row=first_row, popsize=20))
            assert torch.get_num_threads() == num_threads
        assert torch.equal(*results)
    finally:
        torch.set_num_threads(before[0])
        numba.set_num_threads(before[1])


def test_rows_sampled_in_parts_are_those_sampled_at_once():
    center = random_center(300)
    whole = sampled(center, 12, generation=3)
    for first, stop in ((0, 1), (3, 8), (5, 12), (6, 12), (11, 12)):
        part = torch.empty(stop - first, 300)
        sample_antithetic(center, STDEV, part, KEY, generation=3, first_row=first, popsize=12)
        assert torch.equal(part, whole[first:stop])


def test_rows_beyond_the_population_are_refused():
    with pytest.raises(ValueError, match=r"first_row: expected rows within \[0, 4\), got 2 rows from 3"):
        sample_antithetic(torch.zeros(2), STDEV, torch.empty(2, 2), KEY, first_row=3, popsize=4)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (torch.empty(3, 2), "popsize: expected an even number of at least 2, got 3"),
        (torch.empty(2, 3), r"out: expected a contiguous tensor of shape \(n, 2\).*got \(2, 3\)"),
        (torch.empty(2, 2).double(), r"out: expected .*torch.float32, got \(2, 2\), torch.float64"),
        (torch.empty(2, 2).T, r"out: expected a contiguous tensor.*, not contiguous"),
    ],
)
def test_sampling_refuses(out, message):
    with pytest.raises(ValueError, match=message):
        sample_antithetic(torch.zeros(2), STDEV, out, KEY)


# --- gradient ---


def population_of(center, epsilon):
    return torch.cat([center + STDEV * epsilon, center - STDEV * epsilon])


def test_gradient_by_hand():
    population = population_of(torch.tensor([4.0, -2.0]), torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
    utilities = torch.tensor([0.5, -0.5, -0.25, 0.25])
    # pairs (0, 2) and (1, 3): (0.75·[2, 0] − 0.75·[0, 1]) / 2, over 2σ = 1
    assert center_gradient(population, utilities, STDEV).tolist() == [0.75, -0.375]


# A design with mean ε εᵀ = I: on it, the mean over pairs is the exact expectation of any quadratic form in ε.
DESIGN = math.sqrt(5) * torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(2)))[0]


def test_expected_gradient_of_a_linear_function_is_its_slope():
    slope, center = random_center(5, seed=3), random_center(5)
    population = population_of(center, DESIGN)
    torch.testing.assert_close(center_gradient(population, population @ slope, STDEV), slope, rtol=0.0, atol=1e-5)


def test_expected_gradient_of_a_quadratic_function_is_that_at_the_centre():
    # E f(c + σ ε) = f(c) + σ² tr A, hence its gradient is 2 A c whatever σ is.
    matrix = random_center(25, seed=4).reshape(5, 5)
    matrix, center = matrix + matrix.T, random_center(5)
    population = population_of(center, DESIGN)
    fitnesses = ((population @ matrix) * population).sum(1)
    expected = 2.0 * matrix @ center
    torch.testing.assert_close(center_gradient(population, fitnesses, STDEV), expected, rtol=0.0, atol=1e-4)


def test_sampled_gradient_of_a_linear_function_has_the_variance_it_should():
    slope, center = random_center(20, seed=3), random_center(20)
    population = sampled(center, 20_000)
    error = center_gradient(population, population @ slope, STDEV) - slope
    # Var of (a·ε) ε_j is |a|² + a_j², over 10,000 pairs. 20 columns: false alarm for one key in 80,000.
    z = error / torch.sqrt((slope.square().sum() + slope.square()) / 10_000)
    assert z.abs().max() < 5.0


def test_gradient_of_parts_is_that_of_the_whole():
    population, utilities = sampled(random_center(150), 8), random_center(8, seed=1)
    gradient = center_gradient(population, utilities, STDEV)
    for size in (1, 3, 5):
        assert torch.equal(center_gradient_of_parts(population.split(size), utilities, STDEV), gradient)


def test_gradient_is_the_same_however_far_the_centre():
    epsilon = random_center(600).reshape(4, 150)
    utilities = torch.tensor([0.5, -0.1, 0.3, 0.2, -0.4, 0.1, -0.3, 0.0])
    near = center_gradient(population_of(torch.zeros(150), epsilon), utilities, STDEV)
    far = center_gradient(population_of(torch.full((150,), 100.0), epsilon), utilities, STDEV)
    torch.testing.assert_close(far, near, rtol=0.0, atol=1e-4)  # float32 keeps 100 + ε to 4e-6


def test_gradient_without_differences_is_exactly_zero():
    population = sampled(random_center(300), 8)
    assert not torch.any(center_gradient(population, torch.full((8,), 0.1), STDEV))


@pytest.mark.parametrize(
    ("population", "utilities", "message"),
    [
        (torch.zeros(3, 2), torch.zeros(3), r"utilities: expected shape \(N,\) with N even.*got shape \(3,\)"),
        (torch.zeros(2, 2), torch.zeros(4), r"utilities: expected shape \(2,\), one for each row, got \(4,\)"),
    ],
)
def test_gradient_refuses(population, utilities, message):
    with pytest.raises(ValueError, match=message):
        center_gradient(population, utilities, STDEV)


# --- memory ---


def test_no_second_array_of_the_size_of_the_population_is_made(peak_memory):
    center, utilities = random_center(100_003), torch.linspace(-0.5, 0.5, 128)
    population = torch.zeros(128, len(center))
    center_gradient(sampled(center[:1000], 4), utilities[:4], STDEV)  # compiles, starts threads

    def sample_and_learn():
        sample_antithetic(center, STDEV, population, KEY)
        center_gradient(population, utilities, STDEV)

    assert peak_memory(sample_and_learn) < population.nbytes / 4
