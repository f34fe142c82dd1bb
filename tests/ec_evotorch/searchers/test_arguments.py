"""Every argument of every searcher: wrong values are refused in one line that names it, NumPy's numbers are taken."""

import inspect
import math
from functools import partial

import numpy as np
import pytest
import torch
from evotorch import Problem

from agents import RSNN
from ec_evotorch import PPO, ActorCriticEC, EvolutionStrategy, EvolvingConnectivity, RolloutProblem
from envs import make_vec


def bits():
    return Problem("max", lambda x: x.sum(dim=1).float(), solution_length=4, dtype=torch.bool, vectorized=True, seed=3)


def numbers():
    return Problem("max", lambda x: x.sum(dim=1), solution_length=4, initial_bounds=(-1, 1), vectorized=True, seed=3)


def rollouts(connections="real"):
    agent = partial(RSNN, num_neurons=4, connections=connections)
    return RolloutProblem(partial(make_vec, "InvertedPendulum-v5"), agent, num_envs=2, num_threads=1, seed=3)


# A searcher, its problem, and a good value of every argument but the problem.
SEARCHERS = {
    EvolvingConnectivity: (
        bits,
        {
            "popsize": 4,
            "center_learning_rate": 0.125,
            "optimizer": "adam",
            "optimizer_config": {"beta1": 0.5, "beta2": 0.875},
            "prob_init": 0.25,
            "prob_min": 0.125,
            "entropy_penalty": 0.125,
            "ranking_method": "centered",
            "obj_index": 0,
            "chunk_size": 3,
        },
    ),
    EvolutionStrategy: (
        numbers,
        {
            "popsize": 4,
            "stdev": 0.25,
            "center_learning_rate": 0.125,
            "weight_decay": 0.5,
            "optimizer": "adam",
            "optimizer_config": {"beta1": 0.5, "beta2": 0.875},
            "ranking_method": "centered",
            "center_init": 0.25,
            "obj_index": 0,
            "chunk_size": 3,
        },
    ),
    PPO: (
        rollouts,
        {
            "batch_size": 16,
            "num_envs": 2,
            "bptt_length": 4,
            "num_minibatches": 2,
            "num_epochs": 1,
            "center_learning_rate": 0.125,
            "learning_rate": 0.125,
            "anneal_steps": 32,
            "adam_epsilon": 0.125,
            "max_gradient_norm": 0.5,
            "discount": 0.5,
            "gae_lambda": 0.5,
            "clip": 0.25,
            "value_coefficient": 0.5,
            "entropy_coefficient": 0.125,
            "stdev_init": 0.5,
            "critic_sizes": (4,),
            "center_init": 0.25,
        },
    ),
    ActorCriticEC: (
        partial(rollouts, "boolean"),
        {
            "batch_size": 16,
            "batch_growth": 2.0,
            "num_envs": 2,
            "hold_steps": 4,
            "warmup_steps": 16,
            "center_learning_rate": 0.125,
            "optimizer": "adam",
            "optimizer_config": {"beta1": 0.5, "beta2": 0.875},
            "prob_init": 0.25,
            "prob_min": 0.125,
            "prob_min_final": 0.0625,
            "anneal_steps": 32,
            "ranking_method": "centered",
            "credit": "outputs",
            "ridge": 0.125,
            "metric": "fisher",
            "entropy_penalty": 0.125,
            "discount": 0.5,
            "gae_lambda": 0.5,
            "critic_sizes": (4,),
            "learning_rate": 0.125,
            "num_epochs": 1,
            "minibatch_size": 8,
        },
    ),
}
EVERY = pytest.mark.parametrize("searcher", SEARCHERS, ids=lambda searcher: searcher.__name__)
WRONG = ["abc", True, math.nan, math.inf, -1, [0.5, 0.5], {}, None, object()]
MAY_BE = {  # what is not wrong after all
    "anneal_steps": (None,),
    "prob_min_final": (None,),
    "chunk_size": (None,),
    "center_init": (None, -1),
    "ranking_method": (None,),
    "obj_index": (None, -1),  # the last one
    "optimizer": (None,),
    "optimizer_config": (None, {}),
}
EVOTORCH_CHECKS = {"obj_index"}  # EvoTorch's own argument and words


@pytest.fixture(autouse=True)
def no_random_state_is_left():
    with torch.random.fork_rng(devices=[]):
        yield


@EVERY
def test_the_good_values_are_all_the_arguments_there_are(searcher):
    _, _, *names = inspect.signature(searcher.__init__).parameters  # without self and problem
    assert names == list(SEARCHERS[searcher][1])


@EVERY
def test_wrong_values_are_refused_by_name(searcher):
    make_problem, good = SEARCHERS[searcher]
    problem, accepted, unnamed = make_problem(), [], []
    searcher(problem, **good)
    for name in set(good) - EVOTORCH_CHECKS:
        for value in WRONG:
            if any(type(value) is type(good_too) and value == good_too for good_too in MAY_BE.get(name, ())):
                continue
            try:
                searcher(problem, **{**good, name: value})
            except (ValueError, TypeError) as error:
                message = str(error)
                if not message.startswith(name) or "expected" not in message or "\n" in message:
                    unnamed.append((name, value, message))
            else:
                accepted.append((name, value))
    assert accepted == []
    assert unnamed == []


@EVERY
@pytest.mark.parametrize(("whole", "real"), [(np.int64, np.float64), (np.int32, np.float32)])
def test_numbers_of_numpy_are_as_good_as_those_of_python(searcher, whole, real):
    make_problem, good = SEARCHERS[searcher]

    def convert(value):
        if isinstance(value, tuple):
            return tuple(map(convert, value))
        if isinstance(value, dict):
            return {key: convert(v) for key, v in value.items()}
        return {int: whole, float: real}.get(type(value), type(value))(value)

    searches = [
        searcher(make_problem(), **{name: as_(v) for name, v in good.items()}) for as_ in (convert, lambda v: v)
    ]
    for search in searches:
        search.run(2)
    ours, theirs = (dict(search.status) for search in searches)
    assert torch.equal(ours["center"], theirs["center"])
    assert ours["mean_eval"] == theirs["mean_eval"]


@pytest.mark.parametrize("config", [{"beta1": 0.5}, {"beta1": 2.0, "beta2": 0.875}, {"speed": 1.0}])
def test_a_config_that_does_not_fit_the_optimizer_is_named(config):
    with pytest.raises(ValueError, match="optimizer_config: expected keywords of 'adam'"):
        EvolvingConnectivity(bits(), popsize=4, optimizer="adam", optimizer_config=config)
