"""Faults: exactly what is named is flipped or silent, and noise is a function of the episode and the draw."""

import numpy as np
import pytest
import torch

from agents import GRU, LSTM, RNN, RSNN, ModuleAgent
from experiments.evaluation.faults import (
    FAULTS,
    NoisyAgent,
    count_connections,
    damaged_parts,
    flip_connections,
    silence_neurons,
)

OBS_LENGTH, ACT_LENGTH = 3, 2
AGENTS = {
    "bits": RSNN(OBS_LENGTH, ACT_LENGTH, num_neurons=6),
    "sign": RSNN(OBS_LENGTH, ACT_LENGTH, num_neurons=6, connections="sign"),
    "real": RSNN(OBS_LENGTH, ACT_LENGTH, num_neurons=6, connections="real"),
    "rnn": RNN(OBS_LENGTH, ACT_LENGTH, num_neurons=6),
    "gru": GRU(OBS_LENGTH, ACT_LENGTH, num_neurons=6),
    "lstm": LSTM(OBS_LENGTH, ACT_LENGTH, num_neurons=6),
}


def draw(agent) -> torch.Tensor:
    return agent.initial_solutions(1, torch.Generator().manual_seed(0))[0]


@pytest.mark.parametrize("name", AGENTS)
def test_the_connections_that_are_named_flip_and_no_others(name):
    agent = AGENTS[name]
    solution = draw(agent)
    before = solution.clone()
    flipped = flip_connections(agent, solution, [0, 4, count_connections(agent) - 1])
    assert torch.equal(solution, before)
    changed = torch.nonzero(flipped != solution)[:, 0].tolist()
    last = sum(np.prod(shape) for shape in agent.parameter_shapes.values() if len(shape) == 2) - 1
    assert changed == [0, 4, last]
    assert torch.equal(flip_connections(agent, flipped, [4, 0, last]), solution)


def test_a_flip_is_the_other_bit_or_the_other_sign():
    bits, real = draw(AGENTS["bits"]), draw(AGENTS["real"])
    everything = range(len(bits))
    assert torch.equal(flip_connections(AGENTS["bits"], bits, everything), ~bits)
    assert torch.equal(flip_connections(AGENTS["real"], real, range(len(real))), -real)
    sign = draw(AGENTS["sign"])
    assert torch.equal(flip_connections(AGENTS["sign"], sign, range(len(sign))) > 0, ~(sign > 0))


def test_biases_are_no_connections():
    for name in ("rnn", "gru", "lstm"):
        parts = AGENTS[name].parameter_shapes
        assert count_connections(AGENTS[name]) == sum(
            np.prod(s) for key, s in parts.items() if key.startswith("kernel")
        )
    linear = ModuleAgent(3, 2, lambda obs_length, act_length: torch.nn.Linear(obs_length, act_length))
    assert count_connections(linear) == 6


@pytest.mark.parametrize("name", ["bits", "sign", "real"])
def test_spikes_of_silent_neurons_reach_nothing(name):
    """In steps of one substep, their spikes can be taken away by hand between the steps."""
    agent = RSNN(OBS_LENGTH, ACT_LENGTH, num_neurons=12, connections=AGENTS[name].connections, dt=16.6, gain_in=1.0)
    solution, silent = draw(agent), [1, 7, 8]
    damaged = silence_neurons(agent, solution, silent)
    whole, lesioned = agent.initial_state(1), agent.initial_state(1)
    observations, taken = np.random.default_rng(0).normal(scale=3, size=(40, 1, OBS_LENGTH)), 0
    for observation in observations:
        agent.step(solution[None], [0], observation, whole)
        agent.step(damaged[None], [0], observation, lesioned)
        taken += int((whole.spikes[:, silent] != 0).sum())
        whole.spikes[:, silent] = 0
        rates = whole.rate.clone()
        rates[:, silent] = 0
        kernel_out = agent.split(solution[None])["kernel_out"][0]
        kernel_out = (kernel_out > 0 if name == "sign" else kernel_out).double()
        expected = agent.constants.r_out * (rates.double() @ kernel_out).float()
        torch.testing.assert_close(agent.readout(lesioned), expected)
        assert torch.equal(lesioned.v_mem, whole.v_mem)
    assert taken > 0


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_all_neurons_silent_leave_the_bias(name):
    agent = AGENTS[name]
    solution = draw(agent)
    agent.split(solution[None])["bias_out"][:] = 0.25
    damaged = silence_neurons(agent, solution, range(6))
    action = agent.step(damaged[None], [0], np.ones((1, OBS_LENGTH)), agent.initial_state(1))
    assert action.tolist() == [[0.25, 0.25]]


def test_nothing_is_damaged_where_nothing_is_named():
    for agent in AGENTS.values():
        solution = draw(agent)
        assert torch.equal(flip_connections(agent, solution, []), solution)
        assert torch.equal(silence_neurons(agent, solution, []), solution)


def test_a_larger_damage_includes_a_smaller_one():
    small, large = (damaged_parts("flip", 1000, share, 3, 0).tolist() for share in (0.01, 0.2))
    assert (len(small), len(large)) == (10, 200)
    assert large[:10] == small
    assert sorted(damaged_parts("flip", 1000, 1.0, 3, 0).tolist()) == list(range(1000))


def test_draws_seeds_and_faults_differ():
    orders = {
        tuple(damaged_parts(fault, 100, 0.1, seed, draw)) for fault in FAULTS for seed in (0, 1) for draw in (0, 1)
    }
    assert len(orders) == 12
    assert len({*orders}) == len({tuple(sorted(order)) for order in orders})


class Listener:
    """Stands for an agent, and keeps what it sees."""

    obs_length, act_length, solution_length, dtype = OBS_LENGTH, ACT_LENGTH, 1, torch.bool

    def __init__(self):
        self.seen = []

    def initial_state(self, batch_size, *, generator=None):
        return None

    def reset(self, state, slots, seeds):
        pass

    def step(self, solutions, members, obs, state):
        self.seen.append(obs)


def heard(stdev: float, draw: int, slots: dict[int, int], steps: int = 5) -> np.ndarray:
    """Returns what an agent sees of zeros in the slots of some episodes (slot -> seed), (steps, slots, obs_length)."""
    listener = Listener()
    noisy = NoisyAgent(listener)
    noisy.stdev, noisy.draw = stdev, draw
    noisy.reset(None, list(slots), list(slots.values()))
    members = np.array([0 if slot in slots else -1 for slot in range(max(slots) + 1)])
    for _ in range(steps):
        noisy.step(None, members, np.zeros((len(members), OBS_LENGTH), np.float32), None)
    return np.array(listener.seen)[:, list(slots)]


def test_noise_of_an_episode_does_not_depend_on_its_slot():
    alone, among = heard(0.5, 0, {0: 77}), heard(0.5, 0, {3: 1, 1: 77})
    np.testing.assert_array_equal(alone[:, 0], among[:, 1])
    assert not np.array_equal(among[:, 0], among[:, 1])


def test_noise_differs_between_draws_and_scales_with_the_level():
    first, second, double = heard(0.5, 0, {0: 7}), heard(0.5, 1, {0: 7}), heard(1.0, 0, {0: 7})
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(2 * first, double)
    assert not heard(0.0, 0, {0: 7}).any()


def test_noise_is_gaussian_with_the_standard_deviation_that_was_asked_for():
    """10,000 numbers: mean and standard deviation lie within four standard errors, one false alarm in 10,000."""
    noise = heard(0.3, 0, {0: 1, 1: 2}, steps=1_667)
    assert abs(noise.mean()) < 4 * 0.3 / 100
    assert abs(noise.std() - 0.3) < 4 * 0.3 / np.sqrt(2 * 10_000)
