"""A copy of a search, made by pickle and its like, goes on as the search itself does, to the last bit."""

import copy
import io
import pickle
from functools import partial

import cloudpickle
import numpy as np
import pytest
import torch
from evotorch.algorithms import CEM, PGPE, SNES
from evotorch.logging import PandasLogger
from gymnasium.error import ClosedEnvironmentError

from agents import GRU, RSNN, ModuleAgent
from ec_evotorch import PPO, ActorCriticEC, EvolutionStrategy, EvolvingConnectivity, Resumable, RolloutProblem
from envs import make_vec


def through_a_file(thing):
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


WAYS = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "cloudpickle": lambda thing: pickle.loads(cloudpickle.dumps(thing)),
    "deepcopy": copy.deepcopy,
    "torch.save": through_a_file,
}
EVERY_WAY = pytest.mark.parametrize("make_copy", WAYS.values(), ids=WAYS)
BITS = partial(RSNN, num_neurons=6)
NUMBERS = partial(GRU, num_neurons=6)
SPIKES = partial(RSNN, num_neurons=6, connections="real")
SEARCHERS = {
    "EvolvingConnectivity": (BITS, partial(EvolvingConnectivity, popsize=6)),
    "chunks": (BITS, partial(EvolvingConnectivity, popsize=6, chunk_size=4)),
    "EvolutionStrategy": (NUMBERS, partial(EvolutionStrategy, popsize=6, stdev=0.1, center_learning_rate=0.1)),
    "PGPE": (NUMBERS, partial(PGPE, popsize=6, center_learning_rate=0.1, stdev_learning_rate=0.1, stdev_init=0.1)),
    "SNES": (NUMBERS, partial(SNES, popsize=6, stdev_init=0.1)),
    "CEM": (NUMBERS, partial(CEM, popsize=6, parenthood_ratio=0.5, stdev_init=0.1)),
    "PPO": (
        SPIKES,
        partial(PPO, batch_size=64, num_envs=4, bptt_length=4, num_minibatches=2, critic_sizes=(4,)),
    ),
    "ActorCriticEC": (BITS, partial(ActorCriticEC, batch_size=64, num_envs=4, critic_sizes=(4,))),
}


def make_search(name, env_id="Hopper-v5"):
    agent, searcher = SEARCHERS[name]
    env = partial(make_vec, env_id, max_episode_steps=25)
    return searcher(RolloutProblem(env, agent, num_envs=4, num_threads=1, seed=1))


def state_of(search):
    status, problem = search.status, search.problem
    numbers = [repr(status[name]) for name in ("iter", "mean_eval", "total_interaction_count", "mean_return")]
    return status["center"].tolist(), numbers, problem.normalizer.mean.tolist(), problem.normalizer.stdev.tolist()


def assert_goes_on(search, copied):
    search.run(2)
    expected = state_of(search)
    copied.run(2)
    assert state_of(copied) == expected


@EVERY_WAY
@pytest.mark.parametrize("name", ["EvolvingConnectivity", "PGPE", "PPO", "ActorCriticEC"])
def test_a_copy_goes_on_whichever_way_it_was_made(name, make_copy):
    search = make_search(name)
    search.run(2)
    assert_goes_on(search, make_copy(search))


@pytest.mark.parametrize("name", SEARCHERS)
@pytest.mark.parametrize("steps", [0, 1])
def test_a_copy_of_any_searcher_goes_on(name, steps):
    search = make_search(name)
    search.run(steps)
    assert_goes_on(search, pickle.loads(pickle.dumps(search)))


@pytest.mark.parametrize("name", ["EvolvingConnectivity", "PPO", "ActorCriticEC"])
def test_a_copy_goes_on_in_an_environment_of_gymnasium(name):
    search = make_search(name, "Reacher-v5")
    search.run(1)
    assert_goes_on(search, pickle.loads(pickle.dumps(search)))


@pytest.mark.parametrize("name", ["PPO", "ActorCriticEC", "SNES"])
def test_a_copy_of_a_copy_goes_on_and_can_be_resumed(name):
    search = make_search(name)
    resumable = Resumable(search)
    search.run(1)
    copied = copy.deepcopy(pickle.loads(pickle.dumps(resumable)))
    state = copied.state_dict()
    assert_goes_on(search, copied._searcher)
    other = make_search(name)
    Resumable(other).load_state_dict(state)
    other.run(2)
    assert state_of(other) == state_of(search)


def test_a_copy_logs_into_a_copy_of_the_log():
    search = make_search("EvolvingConnectivity")
    logger = PandasLogger(search)
    search.run(2)
    copied, copied_logger = pickle.loads(pickle.dumps((search, logger)))
    copied.run(2)
    assert len(copied_logger.to_dataframe()) == 4
    assert len(logger.to_dataframe()) == 2


@EVERY_WAY
def test_a_problem_and_its_copy_share_nothing(make_copy):
    problem = make_search("EvolvingConnectivity").problem
    center = torch.zeros(problem.solution_length, dtype=torch.bool)
    problem.evaluate_center(center, 3)
    copied = make_copy(problem)
    expected = copied.evaluate_center(center, 3)
    problem.close()
    with pytest.raises(ClosedEnvironmentError):
        make_copy(problem).evaluate_center(center, 3)
    again = make_copy(copied)
    assert not np.array_equal(copied.evaluate_center(center, 3), expected)
    assert again.after_eval_hook[0].__self__ is again
    copied.normalizer.update(2, np.ones((1, 11)), np.ones((1, 11)))
    assert again.normalizer.count == 0


class Cell(torch.nn.Module):
    def __init__(self, obs_length, act_length):
        super().__init__()
        self.layer = torch.nn.Linear(obs_length, act_length)

    def forward(self, x):
        return self.layer(x)


@EVERY_WAY
def test_a_problem_with_a_module_of_ones_own_can_be_copied(make_copy):
    env = partial(make_vec, "InvertedPendulum-v5", max_episode_steps=20)
    problem = RolloutProblem(env, partial(ModuleAgent, module=Cell), num_envs=4, num_threads=1)
    search = EvolutionStrategy(problem, popsize=4, stdev=0.1, center_learning_rate=0.1)
    search.run(1)
    assert_goes_on(search, make_copy(search))
