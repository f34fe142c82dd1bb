"""Bits and gradient on a device of Warp are those of `sample_theta` and `rho_gradient`, to the last bit."""

import numpy as np
import pytest
import torch

from ec_evotorch.distributions.bernoulli import rho_gradient, sample_theta
from native.warp_device import find_device, load_warp, ptx_of
from tests.device import DEVICE, array, device_name, zeros

pytest.importorskip("warp", reason="NVIDIA Warp is not installed: pip install 'ec-evotorch[gpu]'")

from ec_evotorch.distributions.warp_bernoulli import (
    DeviceBernoulli,
    sample_packed_theta,
    sample_rows,
    seeded_rho_gradient,
)

KEY = 0x9E3779B97F4A7C15


def random_rho(length):
    """Probabilities with both certainties among them."""
    rho = torch.rand(length, generator=torch.Generator().manual_seed(length))
    rho[0], rho[length // 2] = 0.0, 1.0
    return rho


def unpack(packed, length):
    bits = np.unpackbits(packed.cpu().numpy().view(np.uint8), axis=1, bitorder="little")
    assert not bits[:, length:].any()
    return torch.from_numpy(bits[:, :length]).bool()


def theta_of(rho, num_rows, **address):
    return sample_theta(rho, torch.empty(num_rows, len(rho), dtype=torch.bool), KEY, **address)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 31, 32, 33, 130, 4097])
@pytest.mark.parametrize("address", [{}, {"generation": 2**32 - 1, "first_row": 2**32 - 9}, {"first_row": 2**31 - 3}])
def test_bits_and_gradient_are_those_of_rows(length, address):
    rho = random_rho(length)
    theta = theta_of(rho, 9, **address)
    assert torch.equal(unpack(sample_packed_theta(rho.to(DEVICE), 9, KEY, **address), length), theta)
    utilities = torch.randn(9, generator=torch.Generator().manual_seed(0))
    gradient = seeded_rho_gradient(utilities, rho, KEY, device=DEVICE, **address)
    assert torch.equal(gradient, rho_gradient(theta, utilities, rho))


def test_a_failed_utility_is_seen_in_the_gradient():
    utilities = torch.tensor([0.5, float("nan")])
    assert seeded_rho_gradient(utilities, random_rho(5), KEY, device=DEVICE).isnan().all()


def test_a_graph_samples_the_rows_that_its_arrays_name():
    wp = load_warp()
    rho, length = random_rho(70), 70
    rows = DeviceBernoulli(length, find_device(DEVICE))
    numbers, renewed = array([5, 6, 7], wp.int64), array([True] * 3, bool)
    packed, weights, total = zeros((3, 3), wp.uint32), array(np.ones(4), wp.float64), zeros(length, wp.float64)
    rows.launch_sample(numbers, renewed, packed)  # loads the kernels
    with wp.ScopedCapture(device=DEVICE) as capture:
        rows.launch_sample(numbers, renewed, packed)
        rows.launch_weighted_sum(weights, 2, total)
    rows.set(rho, KEY, generation=3)
    wp.capture_launch(capture.graph)
    first = unpack(wp.to_torch(packed), length)
    assert torch.equal(first, theta_of(rho, 3, generation=3, first_row=5))
    assert torch.equal(wp.to_torch(total).cpu(), theta_of(rho, 4, generation=3, first_row=2).double().sum(dim=0))
    rows.set(rho, KEY, generation=4)
    numbers.assign([0, 1, 2])
    renewed.assign([False, True, False])
    wp.capture_launch(capture.graph)
    expected = torch.stack([first[0], theta_of(rho, 3, generation=4)[1], first[2]])
    assert torch.equal(unpack(wp.to_torch(packed), length), expected)


def test_hopper_code_rounds_every_operation_by_itself():
    ptx = ptx_of(sample_rows, arch=90)  # the module has both kernels
    assert ".target sm_90" in ptx
    assert "mul.rn.f64" in ptx
    assert "fma.rn.f" not in ptx


def test_wrong_arguments_are_named():
    rho = random_rho(5)
    for arguments, message in (
        ((rho * 2, 3, KEY), r"rho: expected probabilities in \[0, 1\]"),
        ((rho, 0, KEY), "num_rows: expected a positive whole number, got 0"),
        ((rho, 3, 2**64), r"key: expected an integer in \[0, 2\*\*64\)"),
    ):
        with pytest.raises(ValueError, match=message):
            sample_packed_theta(*arguments)
    with pytest.raises(ValueError, match=r"first_row: expected rows numbered within \[0, 2\*\*32\), got 2 rows from"):
        sample_packed_theta(rho, 2, KEY, first_row=2**32 - 1)
    with pytest.raises(ValueError, match="generation: expected a whole number"):
        seeded_rho_gradient(torch.ones(2), rho, KEY, generation=-1)
    with pytest.raises(ValueError, match=r"utilities: expected shape \(N,\) with N ≥ 1, got \(0,\)"):
        seeded_rho_gradient(torch.ones(0), rho, KEY)
    rows, weights, name = DeviceBernoulli(70, find_device(DEVICE)), zeros(4), device_name()
    message = rf"weights: expected an array of float64 of shape \(any\) on {name}, got float32"
    with pytest.raises(ValueError, match=message):
        rows.launch_weighted_sum(weights, 0, weights)
    weights = zeros(4, load_warp().float64)
    with pytest.raises(ValueError, match=rf"total: expected an array of float64 of shape \(70\) on {name}, got"):
        rows.launch_weighted_sum(weights, 0, weights)
    with pytest.raises(ValueError, match="rho: expected 4 probabilities, got 5"):
        DeviceBernoulli(4, find_device(DEVICE)).set(rho, KEY, 0)
