"""Laws of the saved policy: it acts as its agent does, takes one observation, and may be copied."""

import copy
import pickle

import numpy as np
import pytest
import torch

from agents import GRU, LSTM, RNN, RSNN
from agents.module_agent import ModuleAgent
from ec_evotorch import Policy

OBS_LENGTH, ACT_LENGTH = 5, 2
LOW, HIGH = np.array([-1.0, 0.0]), np.array([3.0, 0.5])
OBSERVATIONS = np.random.default_rng(0).normal(scale=4.0, size=(20, OBS_LENGTH))
STATISTICS = (np.linspace(-1, 1, OBS_LENGTH), np.linspace(0.5, 2, OBS_LENGTH))
AGENTS = {
    "RSNN": lambda: RSNN(OBS_LENGTH, ACT_LENGTH, num_neurons=24),
    "RSNN real": lambda: RSNN(OBS_LENGTH, ACT_LENGTH, num_neurons=24, connections="real"),
    "RSNN sign": lambda: RSNN(OBS_LENGTH, ACT_LENGTH, num_neurons=24, connections="sign"),
    "RSNN in torch": lambda: RSNN(OBS_LENGTH, ACT_LENGTH, num_neurons=24, backend="torch"),
    "RNN": lambda: RNN(OBS_LENGTH, ACT_LENGTH, num_neurons=8),
    "GRU": lambda: GRU(OBS_LENGTH, ACT_LENGTH, num_neurons=8),
    "LSTM": lambda: LSTM(OBS_LENGTH, ACT_LENGTH, num_neurons=8),
    "module": lambda: ModuleAgent(OBS_LENGTH, ACT_LENGTH, make_linear),
}


def make_linear(obs_length, act_length):
    return torch.nn.Linear(obs_length, act_length)


class StepOnly:
    """Stands in for an agent and offers no more than a policy needs."""

    def __init__(self, agent):
        self.step, self.reset = agent.step, agent.reset


def make_policy(agent, statistics=STATISTICS, low=LOW, high=HIGH):
    solution = agent.initial_solutions(1, torch.Generator().manual_seed(1))[0]
    return Policy(agent, solution, low, high, *statistics)


def play(policy, seeds=(3, 4)):
    """Actions of an episode for each seed."""
    actions = []
    for seed in seeds:
        policy.reset(seed=seed)
        actions += [policy(observation) for observation in OBSERVATIONS]
    return np.array(actions)


@pytest.mark.parametrize("statistics", [STATISTICS, ()], ids=["normalised", "as they are"])
@pytest.mark.parametrize("name", AGENTS)
def test_actions_are_those_of_the_agents_own_step(name, statistics):
    agent = AGENTS[name]()
    policy, other = make_policy(agent, statistics), make_policy(agent, statistics)
    other.agent = StepOnly(agent)
    actions = play(policy)
    np.testing.assert_array_equal(actions, play(other))
    assert actions.dtype == np.float32
    assert ((actions >= LOW) & (actions <= HIGH)).all()
    assert len(np.unique(actions, axis=0)) > 1


def test_a_stand_in_for_the_agent_takes_over_at_once_and_hands_back():
    policy, undisturbed = make_policy(AGENTS["RSNN"]()), make_policy(AGENTS["RSNN"]())
    seen = []

    class Recorder(StepOnly):
        def __init__(self, agent):
            super().__init__(agent)
            step = self.step
            self.step = lambda *arguments: seen.append(arguments[2].copy()) or step(*arguments)

    agent, actions = policy.agent, [policy(OBSERVATIONS[0])]
    policy.agent = Recorder(agent)
    actions += [policy(OBSERVATIONS[1]), policy(OBSERVATIONS[2])]
    policy.agent = agent
    actions.append(policy(OBSERVATIONS[3]))
    assert len(seen) == 2
    np.testing.assert_array_equal(actions, [undisturbed(observation) for observation in OBSERVATIONS[:4]])


def test_an_action_is_the_callers_to_keep():
    policy = make_policy(AGENTS["RSNN"]())
    first = policy(OBSERVATIONS[0])
    kept = first.copy()
    second = policy(-OBSERVATIONS[0])
    np.testing.assert_array_equal(first, kept)
    second[:] = 7
    assert (policy(OBSERVATIONS[1]) <= HIGH).all()


@pytest.mark.parametrize("name", ["RSNN", "module"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda policy: pickle.loads(pickle.dumps(policy))])
def test_a_copy_acts_for_itself(copied, name):
    policy, undisturbed = make_policy(AGENTS[name]()), make_policy(AGENTS[name]())
    actions = [policy(observation) for observation in OBSERVATIONS[:5]]
    other = copied(policy)
    rest = [other(observation) for observation in OBSERVATIONS[5:]]
    np.testing.assert_array_equal([*actions, *rest], [undisturbed(observation) for observation in OBSERVATIONS])
    np.testing.assert_array_equal([policy(observation) for observation in OBSERVATIONS[5:]], rest)


def test_an_output_that_is_not_finite_becomes_the_middle():
    agent = AGENTS["RSNN real"]()
    policy = Policy(agent, torch.full((agent.solution_length,), float("nan")), LOW, HIGH, *STATISTICS)
    np.testing.assert_array_equal(policy(OBSERVATIONS[0]), np.float32([1.0, 0.25]))


def test_an_observation_may_be_any_sequence_of_numbers():
    policy = make_policy(AGENTS["GRU"]())
    numbers = np.arange(OBS_LENGTH)
    policy.reset(seed=0)
    expected = policy(numbers.astype(np.float64))
    for observation in (numbers, numbers.tolist(), torch.arange(OBS_LENGTH), numbers.astype(np.float32)):
        policy.reset(seed=0)
        np.testing.assert_array_equal(policy(observation), expected)


@pytest.mark.parametrize("statistics", [STATISTICS, ()], ids=["normalised", "as they are"])
@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (OBSERVATIONS[0, :4], r"observation: expected shape \(5,\), got \(4,\)"),
        (OBSERVATIONS[:1], r"observation: expected shape \(5,\), got \(1, 5\)"),
        (None, r"observation: expected numbers of shape \(5,\), got None"),
        (1.5, r"observation: expected numbers of shape \(5,\), got 1.5"),
        ("upright", r"observation: expected numbers of shape \(5,\), got 'upright'"),
        ({"position": 1}, r"observation: expected numbers of shape \(5,\), got \{'position': 1\}"),
    ],
)
def test_what_is_no_observation_is_refused_and_moves_nothing(observation, message, statistics):
    policy, undisturbed = make_policy(AGENTS["RSNN"](), statistics), make_policy(AGENTS["RSNN"](), statistics)
    with pytest.raises(ValueError, match=message):
        policy(observation)
    np.testing.assert_array_equal(policy(OBSERVATIONS[0]), undisturbed(OBSERVATIONS[0]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": LOW[:1]}, r"action_low: expected shape \(2,\), got \(1,\)"),
        ({"high": np.ones((2, 2))}, r"action_high: expected shape \(2,\), got \(2, 2\)"),
        ({"high": np.array([1.0, np.inf])}, "expected finite bounds"),
        ({"statistics": (STATISTICS[0],)}, "observation_mean, observation_stdev: expected both or neither"),
        ({"statistics": (STATISTICS[0], np.ones(4))}, r"observation_stdev: expected shape \(5,\), got \(4,\)"),
    ],
)
def test_bounds_and_statistics_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_policy(AGENTS["RSNN"](), **arguments)
