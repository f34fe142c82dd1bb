"""Gymnasium's own vector environments, and limits of steps: the same episodes, whatever plays them."""

import logging
import re
from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from agents import RNN, RSNN
from ec_evotorch import PPO, ActorCriticEC, EvolvingConnectivity, RolloutProblem
from ec_evotorch.rollout import components
from ec_evotorch.rollout.resting import RestingSlots
from envs import make_vec

ENV = "InvertedPendulum-v5"


def gymnasiums(num_envs, num_threads, kind=SyncVectorEnv, env_id=ENV, **kwargs):
    """A vector environment of Gymnasium, in the mode that the problem asks for."""
    return kind([partial(gymnasium.make, env_id, **kwargs)] * num_envs, autoreset_mode=AutoresetMode.DISABLED)


class Contract(gymnasium.vector.VectorWrapper):
    """A vector environment of one's own that has no more than the contract asks for."""

    def reset(self, *, seed=None, options=None):
        return self.env.reset(seed=seed, options=options)


def contract(num_envs, num_threads, **kwargs):
    return Contract(make_vec(ENV, num_envs, num_threads, **kwargs))


def make_problem(env, **kwargs):
    return RolloutProblem(env, partial(RSNN, num_neurons=12), **{"num_envs": 3, "seed": 3, **kwargs})


def history(problem):
    searcher, seen = EvolvingConnectivity(problem, popsize=7, center_learning_rate=0.1), []
    for _ in range(3):
        searcher.step()
        status = searcher.status
        seen.append([status["mean_eval"], status["total_interaction_count"], status["prob"].tolist()])
    seen.append(problem.evaluate_center(searcher.status["center"], 5, seed=1).tolist())
    problem.close()
    return seen


@pytest.fixture(scope="module")
def expected():
    return history(make_problem(partial(make_vec, ENV)))


@pytest.mark.parametrize(
    "kind", [SyncVectorEnv, partial(AsyncVectorEnv, context="spawn"), partial(SyncVectorEnv, copy=False)]
)
@pytest.mark.parametrize("num_envs", [3, 9])
def test_gymnasiums_vector_environments_play_the_same_episodes(expected, kind, num_envs):
    assert history(make_problem(partial(gymnasiums, kind=kind), num_envs=num_envs)) == expected


@pytest.mark.parametrize("make", [gymnasiums, partial(make_vec, ENV), contract, partial(make_vec, "Hopper-v5")])
@pytest.mark.parametrize(
    ("agent", "searcher"),
    [(RNN, partial(PPO, bptt_length=5, num_minibatches=2)), (RSNN, partial(ActorCriticEC, hold_steps=4))],
    ids=["ppo", "ec with a critic"],
)
def test_actor_critics_collect_whatever_ends_the_episodes(agent, searcher, make):
    problem = RolloutProblem(make, partial(agent, num_neurons=8), num_envs=2, seed=3, max_episode_steps=5)
    searcher = searcher(problem, batch_size=60, num_envs=3, num_epochs=1, critic_sizes=(4,))
    searcher.step()
    assert 0 < problem.episode_statistics.status["mean_episode_length"] <= 5


@pytest.fixture(scope="module")
def limited():
    """What is played in an environment that Gymnasium itself has limited."""
    return history(make_problem(partial(make_vec, ENV, max_episode_steps=7)))


@pytest.mark.parametrize("num_envs", [1, 3, 9])
@pytest.mark.parametrize(
    "make",
    [
        partial(make_vec, ENV),
        partial(make_vec, ENV, max_episode_steps=-1),
        gymnasiums,
        partial(gymnasiums, max_episode_steps=-1),
        contract,
    ],
)
def test_a_limit_truncates_as_gymnasiums_own_does(limited, expected, make, num_envs):
    assert history(make_problem(make, max_episode_steps=7, num_envs=num_envs)) == limited != expected


def test_the_smaller_limit_counts(limited):
    assert history(make_problem(partial(make_vec, ENV, max_episode_steps=7), max_episode_steps=30)) == limited


@pytest.mark.parametrize("limit", [0, 2.5, True, "7"])
def test_a_limit_is_a_positive_whole_number(limit):
    with pytest.raises(ValueError, match=f"^max_episode_steps: expected a positive whole number, got {limit!r}$"):
        make_problem(partial(make_vec, ENV), max_episode_steps=limit)


@pytest.fixture
def warnings_of(caplog):
    """The texts of the warnings while a problem is made."""

    def warnings_of(*arguments, **kwargs):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            make_problem(*arguments, **kwargs).close()
        return [record.getMessage() for record in caplog.records if record.name == components.__name__]

    components._warn_once.cache_clear()
    return warnings_of


@pytest.mark.parametrize("make", [partial(make_vec, ENV), gymnasiums])
def test_an_environment_without_an_end_is_warned_of_once(warnings_of, make):
    endless = partial(make, max_episode_steps=-1)
    assert warnings_of(make) == warnings_of(endless, max_episode_steps=9) == []
    (said,) = warnings_of(endless)
    assert re.match(rf"env: {ENV} has no max_episode_steps: .*max_episode_steps=", said)
    assert warnings_of(endless) == []


def test_a_resting_slot_keeps_what_it_has_and_pays_nothing():
    env = RestingSlots(gymnasiums(3, 1), max_episode_steps=2)
    env.reset(seed=[1, 2, 3], options={"reset_mask": np.array([True, True, False])})
    actions = np.zeros((3, 1), np.float32)
    first = env.step(actions)
    assert first[2].tolist() == [False, False, True]
    second = env.step(actions)
    assert second[3].tolist() == [True, True, False]
    third = env.step(actions)
    np.testing.assert_array_equal(third[0], second[0])
    assert third[1].tolist() == [0.0, 0.0, 0.0]
    observations, _ = env.reset(seed=[None, None, 3], options={"reset_mask": np.array([False, False, True])})
    np.testing.assert_array_equal(observations[:2], second[0][:2])
    assert env.step(actions)[1].tolist() == [0.0, 0.0, 1.0]


def test_diverged_slots_are_told():
    env = RestingSlots(make_vec("Hopper-v5", 2), max_episode_steps=5)
    env.reset(seed=[0, 1])
    env._env._time[1] = -1.0  # as if the simulation had begun anew
    env.step(np.zeros((2, 3), np.float32))
    assert env.diverged.tolist() == [False, True]
    env.reset(seed=[0, 1])
    assert env.diverged.tolist() == [False, False]
