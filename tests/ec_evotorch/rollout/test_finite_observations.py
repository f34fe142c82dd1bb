"""An episode with an observation that is not finite has failed, whoever searches, plays and counts."""

import logging
from functools import cache, partial

import numpy as np
import pytest
import torch

from agents import GRU, RSNN
from ec_evotorch import PPO, ActorCriticEC, EvolutionStrategy, EvolvingConnectivity, RolloutProblem
from ec_evotorch.rollout.finite_observations import FINITE, find_nonfinite_rows, first_sensor
from ec_evotorch.rollout.visited_states import VisitedStates
from envs import make_vec

HOPPER = {"id": "Hopper-v5", "max_episode_steps": 20}
SENSOR, TOO_MUCH = 5, 1e39  # which is finite, but not in float32
WHAT = [float("nan"), float("inf"), -float("inf"), TOO_MUCH]


AGENTS = {
    "in C": partial(RSNN, num_neurons=8),
    "in Python": partial(RSNN, num_neurons=8, backend="torch"),
    "GRU": partial(GRU, num_neurons=8),
}
EVERY_AGENT = pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
FIRST, LAST = "first", "last"


def is_hit(seed):
    return seed % 3 == 0


def break_sensor(env, what, when=FIRST, hits=is_hit):
    """Lets a sensor show `what` in the first or the last observation of some episodes, which their seeds decide."""
    hit = np.zeros(env.num_envs, dtype=bool)

    def reset(*, seed, options, plain=env.reset):
        _, info = plain(seed=seed, options=options)
        for slot in np.flatnonzero(options["reset_mask"]):
            hit[slot] = hits(seed[slot])
        if when == FIRST:
            env.observations[options["reset_mask"] & hit, SENSOR] = what
        return env.observations.copy(), info

    def rollout(*arguments, plain=env.rollout):
        plain(*arguments)
        env.observations[env.finished & hit, SENSOR] = what

    def step(actions, plain=env.step):
        observations, reward, terminated, truncated, info = plain(actions)
        observations[(terminated | truncated) & hit, SENSOR] = what
        return observations, reward, terminated, truncated, info

    env.reset = reset
    if when == LAST:
        env.rollout, env.step = rollout, step
    return env


def make_env(num_envs, num_threads, **how):
    return break_sensor(make_vec(**HOPPER, num_envs=num_envs, num_threads=num_threads), **how)


def make_problem(agent, what=None, when=FIRST, hits=is_hit, **kwargs):
    env = partial(make_vec, **HOPPER) if what is None else partial(make_env, what=what, when=when, hits=hits)
    return RolloutProblem(env, agent, **{"num_envs": 4, "num_threads": 1, "seed": 3, **kwargs})


def play(problem, popsize=12):
    generator = torch.Generator().manual_seed(0)
    return problem.play(problem.agent.initial_solutions(popsize, generator), 0)


@cache
def played_without_a_fault(agent, normalized):
    return play(make_problem(agent, observation_normalization=normalized))


@EVERY_AGENT
@pytest.mark.parametrize("when", [FIRST, LAST])
@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("normalized", [True, False])
def test_the_episodes_concerned_fail_and_the_others_are_what_they_were(agent, when, what, normalized):
    plain = played_without_a_fault(agent, normalized)
    problem = make_problem(agent, what, when, observation_normalization=normalized)
    seeds = problem.episode_seeds(0, np.arange(12), np.zeros(12, dtype=np.int64), 0)
    hit = np.array([is_hit(seed) for seed in seeds])
    played = play(problem)
    assert 0 < hit.sum() < 12
    np.testing.assert_array_equal(np.isnan(played.returns), hit)
    np.testing.assert_array_equal(played.nonfinite, np.where(hit, SENSOR, FINITE))
    for name in ("returns", "lengths", "sums", "sums_of_squares"):
        np.testing.assert_array_equal(getattr(played, name)[~hit], getattr(plain, name)[~hit])


def searcher_on(problem):
    if problem.dtype == torch.bool:
        return EvolvingConnectivity(problem, popsize=12)
    return EvolutionStrategy(problem, popsize=12, stdev=0.1, center_learning_rate=0.1)


@EVERY_AGENT
def test_they_are_counted_as_failed_and_their_states_are_not_normalised_by(agent):
    problem, plain = make_problem(agent, WHAT[0]), make_problem(agent)
    search = searcher_on(problem)
    search.step()
    failed = torch.isnan(search.population.evals[:, 0]).numpy()
    assert problem.status["failed_episode_count"] == failed.sum() > 0
    played = plain.play(search.population.values, 0)
    visited = VisitedStates(plain.agent.obs_length)
    visited.add(played.lengths[~failed], played.sums[~failed], played.sums_of_squares[~failed])
    plain.normalizer.update(visited.count, visited.sums, visited.sums_of_squares)
    for name in ("count", "mean", "stdev"):
        np.testing.assert_array_equal(getattr(problem.normalizer, name), getattr(plain.normalizer, name))


@pytest.mark.parametrize("method", ["ec", "es", "ppo", "ec with a critic"])
def test_every_searcher_counts_every_episode_of_a_sensor_that_never_works_and_learns_nothing_false(method):
    problem = make_problem(AGENTS["in C" if "ec" in method else "GRU"], float("inf"), hits=lambda seed: True)
    if method == "ppo":
        search = PPO(problem, batch_size=48, num_envs=4, bptt_length=4, num_minibatches=2, critic_sizes=(4,))
    elif method == "ec with a critic":
        search = ActorCriticEC(problem, batch_size=48, hold_steps=4, num_envs=4, critic_sizes=(4,))
    else:
        search = searcher_on(problem)
    search.run(2)
    assert search.status["failed_episode_count"] == search.status["total_episode_count"] > 0
    assert torch.isfinite(search.status["center"]).all()
    assert problem.normalizer.count == 0
    np.testing.assert_array_equal(problem.normalizer.mean, 0.0)


@pytest.mark.parametrize(
    ("agent", "searcher"),
    [
        ("GRU", partial(PPO, bptt_length=8, num_minibatches=2)),
        ("in C", ActorCriticEC),
        ("in Python", partial(ActorCriticEC, credit="networks")),
    ],
    ids=["ppo", "ec with a critic", "ec with a critic, by networks"],
)
@pytest.mark.parametrize("when", [FIRST, LAST])
def test_actor_critics_learn_from_the_steps_of_sound_episodes_only(agent, searcher, when):
    problem = make_problem(AGENTS[agent], float("nan"), when)
    search = searcher(problem, batch_size=800, num_envs=4, num_epochs=1, critic_sizes=(4,))
    search.run(2)
    assert 0 < search.status["failed_episode_count"] < search.status["total_episode_count"]
    assert search.status["total_interaction_count"] == 1600
    assert (problem.normalizer.count < 1600) == (when == FIRST)
    assert np.isfinite(problem.normalizer.mean).all()
    assert np.isfinite(search.status["mean_return"])


@EVERY_AGENT
def test_the_sensor_is_named_once(agent, caplog):
    problem = make_problem(agent, float("inf"))
    search = searcher_on(problem)
    with caplog.at_level(logging.WARNING):
        search.run(2)
        problem.evaluate_center(search.status["center"], 20)
    assert sum(f"observation[{SENSOR}] was NaN, infinite" in record.message for record in caplog.records) == 1


def test_an_evaluation_of_a_centre_shows_failed_episodes_and_names_the_sensor(caplog):
    problem = make_problem(AGENTS["in C"], float("inf"))
    returns = problem.evaluate_center(torch.zeros(problem.solution_length, dtype=torch.bool), 30, seed=1)
    assert 0 < np.isnan(returns).sum() < 30
    assert f"observation[{SENSOR}]" in caplog.text


def test_sensors_are_passed_on_by_workers():
    visited, other = VisitedStates(3), VisitedStates(3)
    visited.note(np.array([FINITE, 2, FINITE]))
    other.note(np.array([1]))
    read = VisitedStates.from_bytes(visited.to_bytes())
    assert read.nonfinite == 2
    read.merge(other)
    read.merge(VisitedStates(3))
    assert read.nonfinite == 1
    assert VisitedStates.from_bytes(VisitedStates(3).to_bytes()).nonfinite == FINITE


def test_a_sensor_is_found_where_float32_cannot_hold_it():
    largest = float(np.finfo(np.float32).max)
    rows = np.array([[0.0, largest, -largest], [1.0, 2 * largest, np.nan], [np.nan, 0.0, 0.0], [0.0, 0.0, -np.inf]])
    assert find_nonfinite_rows(rows).tolist() == [FINITE, 1, 0, 2]
    assert first_sensor(find_nonfinite_rows(rows), 1) == 0
    assert first_sensor(FINITE) == FINITE
