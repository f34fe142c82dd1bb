"""Laws of the spiking agent."""

import copy
import math
import sys

import numpy as np
import pytest
import torch

from agents import RSNN
from native.warp_device import load_warp


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_solutions(agent, count, density=0.5, seed=0):
    if agent.dtype == torch.bool:
        return torch.rand(count, agent.solution_length, generator=generator(seed)) < density
    return torch.randn(count, agent.solution_length, generator=generator(seed))


def same_state(a, b):
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("v_mem", "i_syn", "spikes"))


def test_solution_layout_follows_the_kernels():
    agent = RSNN(11, 3)
    assert agent.parameter_shapes == {"kernel_in": (22, 256), "kernel_h": (256, 256), "kernel_out": (256, 3)}
    assert agent.solution_length == 22 * 256 + 256 * 256 + 256 * 3
    assert agent.dtype == torch.bool
    assert RSNN(11, 3, connections="real").parameter_shapes["kernel_in"] == (11, 256)
    assert RSNN(11, 3, connections="real").dtype == torch.float32


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_two_neurons_by_hand(backend):
    """One substep; neuron 0 is excitatory and connected to neuron 1 (inhibitory), input reaches neuron 0 only."""
    agent = RSNN(1, 1, 2, step_duration=0.5, dt=0.5, backend=backend)
    kernel_in, kernel_h, kernel_out = [1, 0, 0, 0], [0, 1, 0, 0], [1, 1]
    solution = torch.tensor([kernel_in + kernel_h + kernel_out], dtype=torch.bool)
    state = agent.initial_state(v_mem=torch.tensor([[0.9, 0.4]]))
    decay_mem, decay_syn = math.exp(-0.05), math.exp(-0.1)
    r_in, r_hidden = 0.1 * 10 * math.sqrt(2 / 0.5), 2 * math.sqrt(2 / (0.5 * 2))

    # 2 · 2 enters neuron 0: 0.9 decays towards 4 and crosses the threshold; neuron 1 only leaks.
    agent.step(solution, np.array([0]), torch.tensor([[2.0]]), state)
    assert 0.9 * decay_mem + 2 * r_in * (1 - decay_mem) > 1
    assert state.spikes.tolist() == [[1, 0]]
    assert state.v_mem[0, 0] == 0
    assert state.v_mem[0, 1].item() == pytest.approx(0.4 * decay_mem, abs=1e-6)

    # The spike reaches neuron 1 one substep later, through its synapse.
    agent.step(solution, np.array([0]), torch.tensor([[0.0]]), state)
    assert state.i_syn[0, 1].item() == pytest.approx(r_hidden, abs=1e-6)
    assert state.v_mem[0, 1].item() == pytest.approx(0.4 * decay_mem**2 + r_hidden * (1 - decay_mem), abs=1e-6)
    agent.step(solution, np.array([0]), torch.tensor([[0.0]]), state)
    assert state.i_syn[0, 1].item() == pytest.approx(r_hidden * decay_syn, abs=1e-6)


@pytest.mark.parametrize("connections", ["boolean", "real"])
@pytest.mark.parametrize(("density", "scale", "neurons"), [(0.5, 1.0, 64), (0.1, 3.0, 37), (0.9, 4.0, 48)])
def test_kernel_and_definition_fire_the_same_spikes(connections, density, scale, neurons):
    fast = RSNN(7, 3, neurons, connections, backend="numba")
    slow = RSNN(7, 3, neurons, connections, backend="torch")
    solutions = random_solutions(fast, 4, density)
    states = [agent.initial_state(6, generator=generator(1)) for agent in (fast, slow)]
    members = np.array([3, 0, 0, 2, -1, 1])
    rng = np.random.default_rng(2)
    fired = 0
    for _ in range(15):
        obs = (scale * rng.standard_normal((6, 7))).astype(np.float32)
        actions = [agent.step(solutions, members, obs, s) for agent, s in zip((fast, slow), states, strict=True)]
        assert same_state(*states)
        torch.testing.assert_close(*actions, atol=1e-5, rtol=1e-5)
        fired += int((states[0].spikes != 0).sum())
    assert fired > 0


@pytest.mark.parametrize("connections", ["boolean", "real", "sign"])
def test_spikes_of_all_substeps_are_those_of_steps_of_one_substep(connections):
    agent = RSNN(7, 3, 48, connections)
    single = RSNN(7, 3, 48, connections, step_duration=agent.dt, backend="numba")
    assert (agent.substeps, single.substeps) == (33, 1)
    solutions, members = random_solutions(agent, 3), np.array([2, 0, 1, 1])
    states = [network.initial_state(4, generator=generator(1)) for network in (agent, single)]
    rng = np.random.default_rng(2)
    total = 0
    for _ in range(5):
        obs = (2 * rng.standard_normal((4, 7))).astype(np.float32)
        before = copy.deepcopy(states[0])
        counts = agent.count_spikes(solutions, members, obs, states[0])
        assert same_state(states[0], before)
        assert torch.equal(states[0].rate, before.rate)
        agent.step(solutions, members, obs, states[0])
        expected = torch.zeros(4, 48, dtype=torch.int64)
        for _ in range(33):
            single.step(solutions, members, obs, states[1])
            expected += states[1].spikes != 0
        assert torch.equal(counts, expected)
        assert same_state(*states)
        total += int(counts.sum())
    assert total > int((states[0].spikes != 0).sum()) > 0


def test_reset_depends_on_the_seed_alone_and_leaves_other_slots_alone():
    agent = RSNN(3, 2, 16)
    small, large = agent.initial_state(2, generator=generator(1)), agent.initial_state(5, generator=generator(2))
    untouched = large.v_mem[[0, 1, 2, 4]].clone()
    agent.reset(small, [0], [2**63 - 1])
    large.spikes[3] = 1
    agent.reset(large, [3], [2**63 - 1])
    assert torch.equal(small.v_mem[0], large.v_mem[3])
    assert torch.equal(large.v_mem[[0, 1, 2, 4]], untouched)
    assert not large.spikes[3].any()
    assert large.v_mem[3].min() >= 0
    assert large.v_mem[3].max() < 1
    agent.reset(small, [1], [5])
    assert not torch.equal(small.v_mem[0], small.v_mem[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_neurons": 0}, "num_neurons: expected a positive whole number, got 0"),
        ({"connections": "ternary"}, "connections: expected one of"),
        ({"tau_syn": -1}, "tau_syn: expected a positive number, got -1.0"),
        ({"tau_out": "abc"}, "tau_out: expected a positive number, got 'abc'"),
        ({"density": 0}, "density: expected a positive number, got 0.0"),
        ({"threshold": True}, "threshold: expected a positive number, got True"),
        ({"dt": 20.0}, "dt: expected at most step_duration"),
        ({"excitatory_ratio": 2}, r"excitatory_ratio: expected a number in \[0, 1\], got 2.0"),
        ({"backend": "jax"}, "backend: expected"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        RSNN(3, 2, **arguments)


def test_warp_is_an_extra_that_the_message_names(monkeypatch):
    monkeypatch.setitem(sys.modules, "warp", None)  # as if it were not installed
    load_warp.cache_clear()
    message = (
        r"backend: expected 'numba' or 'torch', got 'warp', but NVIDIA Warp is not installed: pip install '.*\[gpu\]'"
    )
    with pytest.raises(ValueError, match=message):
        RSNN(3, 2, backend="warp")


def test_a_state_takes_either_a_size_or_membranes():
    agent = RSNN(3, 2, 4)
    for arguments in ({}, {"batch_size": 1, "v_mem": torch.zeros(1, 4)}):
        with pytest.raises(ValueError, match="initial_state: expected either batch_size or v_mem"):
            agent.initial_state(**arguments)
    with pytest.raises(ValueError, match="batch_size: expected a positive whole number, got 0"):
        agent.initial_state(0)
    with pytest.raises(ValueError, match=r"v_mem: expected shape \(B, 4\), got \(1, 3\)"):
        agent.initial_state(v_mem=torch.zeros(1, 3))


def test_membranes_may_be_given_in_any_layout():
    agent = RSNN(3, 2, 4)
    state = agent.initial_state(v_mem=torch.rand(4, 5).T)
    agent.step(torch.zeros(1, agent.solution_length, dtype=torch.bool), np.zeros(5, int), torch.zeros(5, 3), state)


def test_what_a_kernel_adds_for_a_spike_is_what_decays_from_it():
    constants = RSNN(3, 2, 4, step_duration=2.0, dt=0.5, tau_out=10.0).constants
    assert constants.substeps == 4
    rates = np.zeros(4)
    for t in range(4):
        rates = rates * constants.decay_out + (np.arange(4) == t) * (1 - constants.decay_out) / constants.dt
    np.testing.assert_allclose(constants.spike_rates, rates, rtol=1e-6)
    assert constants.decay_rate == pytest.approx(constants.decay_out**4)
