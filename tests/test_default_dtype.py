"""Results do not depend on PyTorch's default dtype, which kernels in C cannot see."""

from functools import partial

import numpy as np
import pytest
import torch
from evotorch.algorithms import SNES

from agents import GRU, LSTM, RNN, RSNN, ModuleAgent
from ec_evotorch import PPO, ActorCriticEC, EvolutionStrategy, EvolvingConnectivity, RolloutProblem
from envs import make_vec


def make_module(obs_length, act_length):
    return torch.nn.Linear(obs_length, act_length, dtype=torch.float32)


SEARCHES = {
    "ec, rsnn": (partial(RSNN, num_neurons=12), partial(EvolvingConnectivity, popsize=4)),
    "ec, rnn": (partial(RNN, num_neurons=12, connections="boolean"), partial(EvolvingConnectivity, popsize=4)),
    "es, gru": (
        partial(GRU, num_neurons=12),
        partial(EvolutionStrategy, popsize=4, stdev=0.3, center_learning_rate=0.1),
    ),
    "snes, sign": (
        partial(RSNN, num_neurons=12, connections="sign"),
        partial(SNES, popsize=4, stdev_init=0.3),
    ),
    "ppo, rsnn": (
        partial(RSNN, num_neurons=12, connections="real"),
        partial(PPO, batch_size=64, num_envs=2, num_epochs=1, num_minibatches=2),
    ),
    "ec with a critic, rsnn": (partial(RSNN, num_neurons=12), partial(ActorCriticEC, batch_size=64, num_envs=2)),
    "ec with a critic, rnn": (
        partial(RNN, num_neurons=12, connections="boolean"),
        partial(ActorCriticEC, batch_size=64, num_envs=2),
    ),
    "es, module": (
        partial(ModuleAgent, module=make_module),
        partial(EvolutionStrategy, popsize=4, stdev=0.3, center_learning_rate=0.1),
    ),
    "ppo, lstm": (
        partial(LSTM, num_neurons=12),
        partial(PPO, batch_size=64, num_envs=2, num_epochs=1, num_minibatches=2),
    ),
}


@pytest.fixture(autouse=True)
def default_dtype():
    yield
    torch.set_default_dtype(torch.float32)


def centers(agent, search):
    problem = RolloutProblem(partial(make_vec, "Hopper-v5"), agent, num_envs=3, seed=0)
    searcher = search(problem)
    searcher.run(2)
    center = searcher.status["center"]
    return center, problem.evaluate_center(center, 2, seed=1)


@pytest.mark.parametrize(("agent", "search"), SEARCHES.values(), ids=SEARCHES)
def test_a_search_is_the_same_with_either_default(agent, search):
    center, returns = centers(agent, search)
    torch.set_default_dtype(torch.float64)
    other_center, other_returns = centers(agent, search)
    assert other_center.dtype == center.dtype
    assert torch.equal(other_center, center)
    np.testing.assert_array_equal(other_returns, returns)
