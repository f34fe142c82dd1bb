"""What an RSNN says of its currents: put together again, they are those that it has."""

import copy

import numpy as np
import pytest
import torch

from agents import RSNN

SLOTS = 4


def acted(agent, steps=20, scale=2.0):
    """Returns the solutions, the state before and after the last of some steps, and its observations."""
    generator = torch.Generator().manual_seed(0)
    solutions, state = agent.initial_solutions(SLOTS, generator), agent.initial_state(SLOTS, generator=generator)
    for _ in range(steps):
        before = copy.deepcopy(state)
        observations = scale * torch.randn(SLOTS, agent.obs_length, generator=generator)
        agent.step(solutions, np.arange(SLOTS), observations, state)
    return solutions, before, state, observations


def currents(agent, solutions, observations, state, names):
    """Adds up, for each group of units, what the sources of these names transmit to them, (SLOTS, units)."""
    weights = solutions > 0 if agent.connections == "sign" else solutions
    kernels, sent = agent.split(weights.float()), agent.transmitted(observations, state)
    return [
        sum(
            torch.einsum("bi,bij->bj", sign * sent[name], kernels[kernel][:, part])
            for kernel, part, name, sign in sources
            if name in names
        )
        for sources in agent.current_sources()
    ]


KINDS = pytest.mark.parametrize(
    ("connections", "mask"),
    [("boolean", None), ("boolean", {"density": 0.5, "seed": 0}), ("sign", None), ("real", None)],
)


@KINDS
def test_the_input_is_what_the_membranes_approach(connections, mask):
    """In one substep without synaptic currents; only neurons that did not fire still show it."""
    agent = RSNN(5, 2, 12, connections, connection_mask=mask, step_duration=0.5, dt=0.5)
    solutions, before, state, observations = acted(agent, steps=1, scale=1.0)
    quiet = state.spikes == 0
    assert quiet.any()
    decay = agent.constants.decay_mem
    approached = (state.v_mem - before.v_mem * decay) / (1 - decay)
    got, _ = currents(agent, solutions, observations, state, {"input"})
    torch.testing.assert_close(got[quiet], approached[quiet], atol=1e-4, rtol=1e-4)


@KINDS
def test_the_rates_are_what_is_read_out(connections, mask):
    agent = RSNN(5, 2, 12, connections, connection_mask=mask)
    solutions, _, state, observations = acted(agent)
    _, got = currents(agent, solutions, observations, state, {"rate"})
    assert got.any()
    torch.testing.assert_close(agent.constants.r_out * got, agent.readout(state), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("connections", ["boolean", "sign", "real"])
@pytest.mark.parametrize("dt", [0.5, 1.0])
def test_the_recurrence_is_the_synaptic_current_of_steady_firing(connections, dt):
    """The first and the last neuron, of either kind, fire in every substep; the others send nothing."""
    agent = RSNN(1, 1, 12, connections, dt=dt)
    kernels = agent.split(agent.initial_solutions(1, torch.Generator().manual_seed(3)))
    nothing, weight = {"boolean": (False, True), "sign": (-1.0, 1.0), "real": (0.0, 1.0)}[connections]
    kernels["kernel_in"][:] = nothing
    kernels["kernel_in"][0, 0, [0, 11]] = weight
    kernels["kernel_h"][0, 1:11] = nothing
    solution, state, observations = agent.join(kernels), agent.initial_state(1), torch.full((1, 1), 1e6)
    for _ in range(10):
        agent.step(solution, np.zeros(1, dtype=int), observations, state)
    got, _ = currents(agent, solution, observations, state, {"recurrent"})
    assert state.i_syn.unique().numel() > 2
    torch.testing.assert_close(got, state.i_syn, atol=1e-4, rtol=1e-4)


def test_what_was_transmitted_stays_when_the_agent_goes_on():
    agent = RSNN(5, 2, 12)
    solutions, _, state, observations = acted(agent)
    sent = agent.transmitted(observations, state)
    kept = {name: values.clone() for name, values in sent.items()}
    agent.step(solutions, np.arange(SLOTS), -observations, state)
    assert all(torch.equal(sent[name], values) for name, values in kept.items())
