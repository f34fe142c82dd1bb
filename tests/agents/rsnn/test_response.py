"""How neurons respond to a noisy current: by law, by hand, and against the agent's own steps."""

import numpy as np
import pytest
import torch

from agents import RSNN
from agents.rsnn import response
from agents.rsnn.response import mean_slopes, slopes_of_all

ROWS, NEURONS = 40, 12


def drawn(seed=0, scale=2.0):
    """Returns membranes, means and standard deviations of currents."""
    generator = torch.Generator().manual_seed(seed)
    v_mem, means, stdevs = (torch.randn(ROWS, NEURONS, generator=generator) for _ in range(3))
    return v_mem.clamp(max=1.0), 1.0 + scale * means, stdevs.abs() + 0.1


def rates(v_mem, currents, constants):
    """Simulates neurons substep by substep in float64 and returns the firing rates that a step leaves."""
    v_mem, rate = v_mem.double(), torch.zeros_like(v_mem, dtype=torch.float64)
    for _ in range(constants.substeps):
        v_mem = currents * (1 - constants.decay_mem) + v_mem * constants.decay_mem
        fired = v_mem > constants.threshold
        v_mem = torch.where(fired, 0.0, v_mem)
        rate = fired.double() / constants.dt * (1 - constants.decay_out) + rate * constants.decay_out
    return rate


def test_it_is_the_slope_of_what_is_expected_of_the_rate():
    """Of 40,000 currents drawn from the normal distribution, shifted a little up and down."""
    constants = RSNN(3, 2, NEURONS).constants
    v_mem, means, stdevs = (part[:4] for part in drawn(scale=1.0))
    noise = torch.randn(40_000, 1, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    shift = 0.5 * stdevs.double()
    up, down = (
        rates(v_mem.expand(40_000, -1, -1), means + sign * shift + stdevs * noise, constants).mean(dim=0)
        for sign in (1, -1)
    )
    expected, got = (up - down) / (2 * shift), mean_slopes(v_mem, means, stdevs, constants).double()
    assert np.corrcoef(expected.flatten(), got.flatten())[0, 1] > 0.85
    assert got.mean().item() == pytest.approx(expected.mean().item(), rel=0.1)


def test_a_linear_function_has_its_own_slope():
    weights, nodes = response._WEIGHTS, response._NODES
    assert np.dot(weights, 3.0 + 7.0 * nodes) == pytest.approx(7.0, rel=1e-6)
    assert np.dot(weights, nodes**2) == pytest.approx(0.0, abs=1e-6)


def test_the_compiled_function_and_that_for_any_device_are_equal():
    constants = RSNN(3, 2, NEURONS).constants
    compiled, of_all = mean_slopes(*drawn(), constants), slopes_of_all(*drawn(), constants)
    assert compiled.any()
    torch.testing.assert_close(compiled, of_all, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("slopes", [mean_slopes, slopes_of_all])
def test_a_neuron_without_noise_and_one_far_below_its_threshold_have_none(slopes):
    constants = RSNN(3, 2, NEURONS).constants
    v_mem, means, stdevs = drawn()
    assert not slopes(v_mem, means, torch.zeros_like(stdevs), constants).any()
    assert not slopes(v_mem.clamp(max=0.5), torch.full_like(means, -9.0), stdevs.clamp(max=1.0), constants).any()


def test_nothing_that_it_is_given_is_changed():
    given = drawn()
    mean_slopes(*given, RSNN(3, 2, NEURONS).constants)
    assert all(torch.equal(part, before) for part, before in zip(given, drawn(), strict=True))


def test_an_agent_says_in_which_direction_its_neurons_move_the_outputs():
    agent = RSNN(3, 2, NEURONS)
    v_mem, means, stdevs = drawn()
    name, slopes = agent.responses(v_mem, means, stdevs)
    sizes = mean_slopes(v_mem, means, stdevs, agent.constants)
    assert name == "rate"
    assert torch.equal(slopes[:, :6], sizes[:, :6])
    assert torch.equal(slopes[:, 6:], -sizes[:, 6:])


def test_membranes_are_a_copy_of_those_before_a_step():
    agent = RSNN(3, 2, NEURONS)
    generator = torch.Generator().manual_seed(0)
    state, solutions = agent.initial_state(2, generator=generator), agent.initial_solutions(2, generator)
    before, kept = state.v_mem.clone(), agent.membranes(state)
    agent.step(solutions, np.arange(2), torch.ones(2, 3), state)
    assert torch.equal(kept, before)
    assert not torch.equal(state.v_mem, before)
