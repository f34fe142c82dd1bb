"""Antithetic pairs and gradient on a device of Warp are those of NumPy, to the last bit."""

import re

import numpy as np
import pytest
import torch

from ec_evotorch.distributions.gaussian import center_gradient
from ec_evotorch.distributions.philox_gaussian import PhiloxGaussian
from ec_evotorch.distributions.philox_normal import normal_of_words, pair_noise
from native.warp_device import EXACT, capture, find_device, launch, load_warp, ptx_of
from tests.device import DEVICE, array, device_name, zeros
from tests.ec_evotorch.distributions.test_philox_normal import words_of_all_kinds

pytest.importorskip("warp", reason="NVIDIA Warp is not installed: pip install 'ec-evotorch[gpu]'")

from ec_evotorch.distributions import warp_gaussian
from ec_evotorch.distributions.warp_gaussian import DeviceGaussian, sample_rows, seeded_center_gradient

wp = load_warp()
wp.set_module_options(EXACT)
KEY = 0x9E3779B97F4A7C15
STDEV = 0.3
LENGTHS = (1, 2, 3, 4, 5, 130, 4097)


@wp.kernel
def normal_of_each(words: wp.array[wp.uint32], numbers: wp.array[float]):
    i = wp.tid()
    numbers[i] = warp_gaussian.normal_of_word(words[i])


def random_center(length):
    return 2.0 * torch.randn(length, generator=torch.Generator().manual_seed(length))


def rows_in_numpy(center, rows, popsize, generation=0, key=KEY):
    made = []
    for row in rows:
        step = np.float32(STDEV) * pair_noise(len(center), key, generation, row % (popsize // 2))
        made.append(center.numpy() + (step if row < popsize // 2 else -step))
    return np.stack(made)


def sampler_of(center, popsize, generation=0, key=KEY):
    sampler = DeviceGaussian(len(center), find_device(DEVICE))
    sampler.set(center, STDEV, key, generation, popsize)
    return sampler


def flags(*which):
    return array(which, bool)


def sampled(sampler, rows):
    out = zeros((len(rows), sampler.solution_length))
    sampler.launch_sample(array(rows, wp.int64), flags(*[True] * len(rows)), out)
    return out.numpy()


def test_the_number_of_a_word_is_that_of_numpy():
    words = words_of_all_kinds()
    numbers = zeros(len(words))
    launch(normal_of_each, len(words), [array(words, wp.uint32)], [numbers], find_device(DEVICE))
    assert np.array_equal(numbers.numpy(), normal_of_words(words))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    ("rows", "address"),
    [
        (range(6), {"popsize": 6}),
        ([7, 2, 2], {"popsize": 8, "generation": 2**32 - 1, "key": 2**64 - 1}),
        ([2**31, 2**32 - 1, 2**32, 2**33 - 1], {"popsize": 2**33}),
    ],
)
def test_rows_are_those_of_numpy_and_of_the_distribution(length, rows, address):
    center = random_center(length)
    expected = rows_in_numpy(center, rows, **address)
    assert np.array_equal(sampled(sampler_of(center, **address), rows), expected)
    generation = SeededAt(center, **address)
    assert np.array_equal(np.concatenate([generation.row(k) for k in rows]), expected)


class SeededAt:
    """Rows that `PhiloxGaussian` makes on the host."""

    def __init__(self, center, popsize, generation=0, key=KEY):
        self.distribution, self.address = PhiloxGaussian(center, STDEV), (key, generation)
        self.popsize = popsize

    def row(self, k):
        out = torch.empty(1, len(self.distribution.center))
        self.distribution.fill_rows(out, *self.address, k, self.popsize)
        return out.numpy()


def test_the_two_of_a_pair_are_as_far_from_the_centre():
    sampler = sampler_of(torch.zeros(300), 10)
    plus, minus = np.split(sampled(sampler, range(10)), 2)
    assert np.array_equal(plus, -minus)


def gradient_in_numpy(utilities, length, generation=0):
    better, worse = np.split(utilities.double().numpy(), 2)
    total = np.zeros(length)
    for k, difference in enumerate(better - worse):
        total += difference * pair_noise(length, KEY, generation, k).astype(np.float64)
    return (total / (len(utilities) * STDEV)).astype(np.float32)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("generation", [0, 2**32 - 1])
def test_the_gradient_is_that_of_numpy(length, generation):
    utilities = torch.randn(18, generator=torch.Generator().manual_seed(0))
    gradient = seeded_center_gradient(
        utilities, random_center(length), STDEV, KEY, generation=generation, device=DEVICE
    )
    assert gradient.dtype == torch.float32
    assert np.array_equal(gradient.numpy(), gradient_in_numpy(utilities, length, generation))


@pytest.mark.parametrize("far", [0.0, 1.0, 100.0])
def test_the_gradient_is_that_of_the_rows_but_for_their_rounding(far):
    center = far * random_center(500)
    utilities = torch.linspace(-0.5, 0.5, 40)[torch.randperm(40, generator=torch.Generator().manual_seed(0))]
    gradient = seeded_center_gradient(utilities, center, STDEV, KEY, device=DEVICE)
    of_rows = center_gradient(torch.from_numpy(rows_in_numpy(center, range(40), 40)), utilities, STDEV)
    differences = (utilities[:20] - utilities[20:]).abs().mean()
    bound = 2.0**-25 * (center.abs() + 13.0 * STDEV) / STDEV**2 * differences + 2.0**-23 * gradient.abs()
    assert ((gradient - of_rows).abs() <= bound).all()


def test_without_differences_the_gradient_is_zero_and_a_failed_utility_is_seen_in_it():
    center = random_center(9)
    assert not torch.any(seeded_center_gradient(torch.full((8,), 0.1), center, STDEV, KEY, device=DEVICE))
    failed = torch.tensor([0.5, float("nan")])
    assert seeded_center_gradient(failed, center, STDEV, KEY, device=DEVICE).isnan().all()


def test_a_graph_samples_the_rows_that_its_arrays_name():
    center, device = random_center(70), find_device(DEVICE)
    sampler = DeviceGaussian(70, device)
    numbers, renewed = array([5, 6, 7], wp.int64), flags(True, True, True)
    out, weights, total = zeros((3, 70)), array(np.ones(4), wp.float64), zeros(70, wp.float64)

    def launch_all():
        sampler.launch_sample(numbers, renewed, out)
        sampler.launch_weighted_sum(weights, total)

    graph = capture(launch_all, device)
    sampler.set(center, STDEV, KEY, 3, 8)
    graph.replay()
    first = out.numpy().copy()
    assert np.array_equal(first, rows_in_numpy(center, [5, 6, 7], 8, 3))
    assert np.array_equal(total.numpy(), sum(pair_noise(70, KEY, 3, k).astype(np.float64) for k in range(4)))
    sampler.set(-center, STDEV, KEY, 4, 4)
    numbers.assign([0, 1, 2])
    renewed.assign([False, True, False])
    graph.replay()
    expected = [first[0], rows_in_numpy(-center, [1], 4, 4)[0], first[2]]
    assert np.array_equal(out.numpy(), np.stack(expected))


def test_hopper_code_rounds_every_operation_by_itself():
    ptx = ptx_of(sample_rows, arch=90)  # the module has both kernels
    assert ".target sm_90" in ptx
    operations = re.findall(r"^\s+(\w+(?:\.\w+)*\.f(?:32|64)) ", ptx, re.M)  # those whose result is a number
    rounded = {name for name in operations if name.split(".")[0] in ("add", "sub", "mul", "div", "sqrt")}
    assert {"mul.rn.f64", "add.rn.f64", "div.rn.f64", "sqrt.rn.f64"} <= rounded
    assert [name for name in rounded if ".rn." not in name] == []
    assert not re.search(r"\b(?:fma|mad)\.rn\.f|\.approx|\.full|\b(?:rcp|rsqrt|ex2|lg2)\.", ptx)


def test_wrong_arguments_are_named():
    center = random_center(5)
    sampler = DeviceGaussian(5, find_device(DEVICE))
    for arguments, message in (
        ((center[:4], STDEV, KEY, 0, 4), "center: expected 5 numbers, got 4"),
        (
            (center.double(), STDEV, KEY, 0, 4),
            r"center: expected a vector of torch.float32, got torch.float64",
        ),
        ((None, STDEV, KEY, 0, 4), r"center: expected a vector of torch.float32, got None"),
        ((center, 0.0, KEY, 0, 4), "stdev: expected a positive number, got 0.0"),
        ((center, STDEV, 2**64, 0, 4), r"key: expected an integer in \[0, 2\*\*64\)"),
        ((center, STDEV, KEY, -1, 4), "generation: expected a whole number"),
        ((center, STDEV, KEY, 0, 5), "popsize: expected an even number of at least 2, got 5"),
    ):
        with pytest.raises(ValueError, match=message):
            sampler.set(*arguments)
    with pytest.raises(ValueError, match=r"utilities: expected shape \(N,\) with N even and at least 2, got shape"):
        seeded_center_gradient(torch.ones(3), center, STDEV, KEY)
    with pytest.raises(ValueError, match="utilities: expected a tensor of real numbers"):
        seeded_center_gradient([1.0, 2.0], center, STDEV, KEY)
    rows, weights, name = zeros(2, wp.int64), zeros(4, wp.float64), device_name()
    with pytest.raises(
        ValueError, match=rf"out: expected an array of float32 of shape \(2, 5\) on {name}, got float64"
    ):
        sampler.launch_sample(rows, flags(True, True), weights)
    with pytest.raises(ValueError, match=rf"total: expected an array of float64 of shape \(5\) on {name}, got"):
        sampler.launch_weighted_sum(weights, weights)
    message = rf"weights: expected an array of float64 of shape \(any\) on {name}, got int64"
    with pytest.raises(ValueError, match=message):
        sampler.launch_weighted_sum(rows, weights)
