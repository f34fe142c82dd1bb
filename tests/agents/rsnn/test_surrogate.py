"""Laws of surrogate derivatives."""

import math

import pytest
import snntorch.surrogate
import torch

from agents import RSNN
from agents.rsnn.bptt_kernel import SURROGATES
from agents.rsnn.surrogate import DERIVATIVES, Surrogate

EVERY = pytest.mark.parametrize("name", DERIVATIVES)


def through_spikes(spike, x):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(spike(x).sum(), x)
    return gradient


@pytest.mark.parametrize(
    ("surrogate", "x", "expected"),
    [
        (Surrogate("superspike", 10.0), 0.1, 1 / 4),
        (Surrogate("superspike", 10.0, 0.5), -0.3, 0.5 / 16),
        (Surrogate("piecewise_linear", 2.0, 0.8), 0.25, 0.8 * 0.5),
        (Surrogate("piecewise_linear", 2.0, 0.8), -0.6, 0.0),
        (Surrogate("sigmoid_derivative", 4.0), 0.0, 1.0),
        (Surrogate("sigmoid_derivative", 2.0, 0.5), math.log(3) / 2, 0.5 * 2 * (3 / 4) * (1 / 4)),
    ],
)
def test_derivatives_by_hand(surrogate, x, expected):
    assert surrogate.derivative(torch.tensor(x)).item() == pytest.approx(expected, abs=1e-7)


@EVERY
def test_the_gradient_of_a_spike_is_the_derivative(name):
    surrogate, x = Surrogate(name, 3.0, 0.7), torch.linspace(-2, 2, 101)
    assert torch.equal(surrogate.spike(x), (x > 0).float())
    assert torch.equal(through_spikes(surrogate.spike, x), surrogate.derivative(x))


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("superspike", snntorch.surrogate.fast_sigmoid), ("sigmoid_derivative", snntorch.surrogate.sigmoid)],
)
def test_derivatives_are_those_of_snntorch(name, theirs):
    x = torch.linspace(-2, 2, 101)
    torch.testing.assert_close(Surrogate(name, 7.0).derivative(x), through_spikes(theirs(slope=7.0), x))


@EVERY
def test_far_from_the_threshold_the_derivative_is_zero_and_not_nan(name):
    x = torch.tensor([-float("inf"), -1e30, 1e30, float("inf")])
    assert not through_spikes(Surrogate(name, 25.0).spike, x).any()


@EVERY
def test_a_nan_does_not_look_sound(name):
    assert Surrogate(name, 1.0).derivative(torch.tensor(float("nan"))).isnan()


def test_the_kernel_knows_every_surrogate():
    assert set(SURROGATES) == set(DERIVATIVES)


def test_the_default_is_that_of_the_papers_table_5():
    assert RSNN(3, 2).surrogate == Surrogate("superspike", 10.0, 1.0, detach_reset=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"name": "step", "beta": 1.0},
            "surrogate name: expected one of 'superspike', 'piecewise_linear', 'sigmoid_derivative'; got 'step'",
        ),
        ({"name": "superspike", "beta": 0}, "surrogate beta: expected a positive number, got 0"),
        ({"name": "superspike", "beta": float("inf")}, "surrogate beta: expected a positive number, got inf"),
        ({"name": "superspike", "beta": "10"}, "surrogate beta: expected a positive number, got '10'"),
        ({"name": "superspike", "beta": 1, "gamma": -1.0}, "surrogate gamma: expected a positive number, got -1.0"),
        (
            {"name": "superspike", "beta": 1, "detach_reset": "no"},
            "surrogate detach_reset: expected True or False, got 'no'",
        ),
        ({"name": "superspike"}, r"surrogate: expected name and beta, .* got \['name'\]"),
        ({"name": "superspike", "beta": 1, "slope": 2}, r"got \['beta', 'name', 'slope'\]"),
        ("superspike", "surrogate: expected a mapping such as {name: superspike, beta: 10}, got 'superspike'"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        RSNN(3, 2, surrogate=settings)
