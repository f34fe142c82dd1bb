"""A search that is taken up again from its state ends where an unbroken one does."""

import copy
from functools import partial
from itertools import count

import numpy as np
import pytest
import torch
from evotorch import Problem
from evotorch.algorithms import CEM, PGPE, SNES, XNES, GeneticAlgorithm
from evotorch.neuroevolution.net import str_to_net
from evotorch.operators import OnePointCrossOver
from torch.utils._pytree import tree_map

from agents import LSTM, RNN, RSNN, ModuleAgent
from ec_evotorch import (
    PPO,
    ActorCriticEC,
    EvolutionStrategy,
    EvolvingConnectivity,
    Incumbent,
    Resumable,
    RolloutProblem,
)
from envs import make_vec

PENDULUM = partial(make_vec, "InvertedPendulum-v5")


def rollouts(agent, **options):
    return RolloutProblem(PENDULUM, agent, num_envs=3, num_threads=1, seed=3, **options)


def sphere():
    return Problem(
        "min", lambda x: (x - 1).square().sum(dim=1), solution_length=5, initial_bounds=(-1, 1), vectorized=True, seed=3
    )


def onemax():
    return Problem("max", lambda x: x.sum(dim=1).float(), solution_length=30, dtype=torch.bool, vectorized=True, seed=3)


REAL, BITS = partial(RSNN, num_neurons=8, connections="real"), partial(RSNN, num_neurons=8)
SMALL_EC = partial(ActorCriticEC, batch_size=96, num_envs=4, minibatch_size=40, critic_sizes=(8,))
SMALL_PPO = partial(PPO, batch_size=96, num_envs=4, num_epochs=2, num_minibatches=2)
GAUSSIAN = {
    "pgpe": partial(PGPE, popsize=6, center_learning_rate=0.1, stdev_learning_rate=0.1, stdev_init=0.3),
    "pgpe with adam": partial(
        PGPE, popsize=6, center_learning_rate=0.1, stdev_learning_rate=0.1, stdev_init=0.3, optimizer="adam"
    ),
    "snes": partial(SNES, popsize=6, stdev_init=0.3),
    "cem": partial(CEM, popsize=6, parenthood_ratio=0.5, stdev_init=0.3),
}
SEARCHES = {
    "ec": lambda: EvolvingConnectivity(rollouts(BITS), popsize=6),
    "ec by chunks": lambda: EvolvingConnectivity(rollouts(BITS), popsize=6, chunk_size=4),
    "ec, plain ascent": lambda: EvolvingConnectivity(onemax(), popsize=6, optimizer=None, center_learning_rate=0.2),
    "ec, closing": lambda: EvolvingConnectivity(rollouts(BITS), popsize=6, entropy_penalty=0.5),
    "es": lambda: EvolutionStrategy(rollouts(REAL), popsize=6, stdev=0.3, center_learning_rate=0.1),
    "es with clipup": lambda: EvolutionStrategy(
        sphere(), popsize=6, stdev=0.3, center_learning_rate=0.1, optimizer="clipup"
    ),
    "ppo": lambda: SMALL_PPO(rollouts(REAL)),
    "ppo, annealed": lambda: SMALL_PPO(rollouts(REAL), anneal_steps=400),
    "ppo, lstm": lambda: SMALL_PPO(rollouts(partial(LSTM, num_neurons=8), observation_normalization=False)),
    "ppo, module": lambda: SMALL_PPO(
        rollouts(partial(ModuleAgent, module=partial(str_to_net, "RNN(obs_length, 4) >> Linear(4, act_length)")))
    ),
    "ec with a critic": lambda: SMALL_EC(rollouts(BITS)),
    "ec with a critic, annealed": lambda: SMALL_EC(
        rollouts(BITS), center_learning_rate=0.2, prob_min_final=0.01, batch_growth=3, anneal_steps=400
    ),
    "ec with a critic, plain ascent": lambda: SMALL_EC(rollouts(BITS, observation_normalization=False), optimizer=None),
    "ec with a critic, by networks": lambda: SMALL_EC(
        rollouts(partial(RNN, num_neurons=8, connections="boolean")), optimizer="clipup"
    ),
    "snes by interactions": lambda: SNES(
        rollouts(partial(RNN, num_neurons=4, connections="real")), popsize=6, stdev_init=0.3, num_interactions=150
    ),
    "xnes": lambda: XNES(sphere(), popsize=6, stdev_init=0.3),
    **{
        f"{name}, rollouts": lambda made=made: made(rollouts(partial(RNN, num_neurons=4, connections="real")))
        for name, made in GAUSSIAN.items()
    },
    **{f"{name}, sphere": lambda made=made: made(sphere()) for name, made in GAUSSIAN.items()},
}


def flat(tree, path=""):
    if isinstance(tree, dict):
        return {k: v for key, value in tree.items() for k, v in flat(value, f"{path}/{key}").items()}
    return {path: tree}


def assert_same(one, other):
    one, other = flat(one), flat(other)
    assert list(one) == list(other)
    for name, value in one.items():
        if isinstance(value, torch.Tensor | np.ndarray):
            np.testing.assert_array_equal(value, other[name], err_msg=name)
        else:
            assert value == other[name], name


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_search_ends_the_same_when_taken_up_again(name, steps):
    searcher = SEARCHES[name]()
    unbroken = Resumable(searcher)
    for _ in range(steps):
        searcher.step()
    state = unbroken.state_dict()
    before = copy.deepcopy(state)
    for _ in range(2):
        searcher.step()
    assert_same(state, before)  # later steps leave it as it is

    again = SEARCHES[name]()
    torch.rand(3, generator=again.problem.generator)  # stands for anything drawn in between
    resumed = Resumable(again)
    resumed.load_state_dict(
        tree_map(lambda x: x.numpy() if isinstance(x, torch.Tensor) else x, state)
    )  # as from a file
    assert_same(resumed.state_dict(), state)
    assert again.step_count == steps
    for _ in range(2):
        again.step()
    at_the_end = unbroken.state_dict()
    assert_same(resumed.state_dict(), at_the_end)
    for entry in ("iter", "best_eval", "mean_eval", "median_eval", "total_interaction_count", "mean_return"):
        if entry in searcher.status:
            np.testing.assert_equal(again.status[entry], searcher.status[entry])

    resumed.load_state_dict(state)  # back to where it was, in a search that has gone on
    assert_same(resumed.state_dict(), state)
    for _ in range(2):
        again.step()
    assert_same(resumed.state_dict(), at_the_end)


@pytest.mark.parametrize(
    ("name", "evaluation"),
    [("pgpe, rollouts", 1), ("cem, rollouts", 1), ("snes by interactions", 1), ("snes by interactions", 2), ("ec", 1)],
)
def test_a_step_that_is_interrupted_is_repeated(name, evaluation):
    searcher, undisturbed = SEARCHES[name](), SEARCHES[name]()
    resumable, expected = Resumable(searcher), Resumable(undisturbed)
    searcher.run(2)
    undisturbed.run(2)
    evaluations = count(1)

    def interrupt(_):
        if next(evaluations) == evaluation:
            raise KeyboardInterrupt

    searcher.problem.before_eval_hook.append(interrupt)
    with pytest.raises(KeyboardInterrupt):
        searcher.step()
    assert_same(resumable.state_dict(), expected.state_dict())
    searcher.run(2)
    undisturbed.run(2)
    assert_same(resumable.state_dict(), expected.state_dict())


@pytest.mark.parametrize("name", ["pgpe", "cem", "snes"])
def test_an_incumbent_changes_no_population_that_adapts_to_interactions(name):
    def search(with_incumbent):
        problem = rollouts(partial(RNN, num_neurons=4, connections="real"))
        searcher = GAUSSIAN[name](problem, num_interactions=150)
        return searcher, Resumable(searcher, Incumbent(searcher, share=0.3) if with_incumbent else None)

    def sizes(searcher, steps):
        return [searcher.step() or len(searcher.population) for _ in range(steps)]

    (alone, _), (searcher, unbroken), (again, resumed) = search(False), search(True), search(True)
    expected = sizes(alone, 6)
    assert len(set(expected)) > 1
    first = sizes(searcher, 2)
    resumed.load_state_dict(unbroken.state_dict())
    rest = sizes(searcher, 4)
    assert [*first, *rest] == expected
    assert sizes(again, 4) == rest
    assert_same(resumed.state_dict(), unbroken.state_dict())


def test_status_has_the_best_at_once():
    searcher = SEARCHES["ec"]()
    unbroken = Resumable(searcher)
    searcher.run(3)
    again = SEARCHES["ec"]()
    Resumable(again).load_state_dict(unbroken.state_dict())
    assert again.status["iter"] == 3
    assert again.status["best_eval"] == searcher.status["best_eval"]
    assert torch.equal(again.status["best"].values, searcher.status["best"].values)
    assert torch.equal(again.status["center"], searcher.status["center"])
    assert torch.equal(again.status["pop_best"].values, searcher.status["pop_best"].values)


@pytest.mark.parametrize("name", ["ppo", "ec with a critic"])
def test_an_environment_that_goes_another_way_is_noticed(name):
    searcher = SEARCHES[name]()
    resumable = Resumable(searcher)
    searcher.step()
    state = resumable.state_dict()
    state["search"]["collector"]["actions"][-1] += 0.5
    with pytest.raises(RuntimeError, match="did not repeat the running episodes"):
        Resumable(SEARCHES[name]()).load_state_dict(state)


def test_a_state_of_another_length_is_refused():
    resumable = Resumable(EvolvingConnectivity(onemax(), popsize=6))
    state = resumable.state_dict()
    state["search"]["learner"]["learned"] = torch.full((31,), 0.5)
    with pytest.raises(ValueError, match=r"learned: expected shape \(30,\), got \(31,\)"):
        resumable.load_state_dict(state)


def test_a_state_of_another_number_of_connections_is_refused():
    resumable = Resumable(SEARCHES["ec with a critic"]())
    state = resumable.state_dict()
    state["search"]["prob"] = torch.full((31,), 0.5)
    with pytest.raises(ValueError, match=r"prob: expected shape \(\d+,\), got \(31,\)"):
        resumable.load_state_dict(state)


def test_a_searcher_without_a_state_is_named():
    genetic = GeneticAlgorithm(sphere(), popsize=6, operators=[OnePointCrossOver(sphere(), tournament_size=2)])
    with pytest.raises(ValueError, match="the state of a GeneticAlgorithm cannot be saved"):
        Resumable(genetic)


def test_an_optimizer_without_a_state_is_named():
    class Ascent:
        def ascent(self, gradient):
            return 0.1 * gradient

    with pytest.raises(ValueError, match="the state of a Ascent cannot be saved"):
        Resumable(EvolvingConnectivity(onemax(), popsize=6, optimizer=Ascent()))
