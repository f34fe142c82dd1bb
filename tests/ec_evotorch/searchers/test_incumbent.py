"""The incumbent of a search: by hand on scripted returns, and by law on real episodes."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from evotorch import Problem
from evotorch.algorithms import SNES, GeneticAlgorithm
from evotorch.operators import OnePointCrossOver
from torch.utils._pytree import tree_map

from agents import GRU, RSNN
from ec_evotorch import PPO, ActorCriticEC, EvolvingConnectivity, Incumbent, Resumable, RolloutProblem
from ec_evotorch.rollout.episode_statistics import EpisodeStatistics
from ec_evotorch.rollout.normalizer import ObservationNormalizer
from envs import make_vec

PENDULUM = partial(make_vec, "InvertedPendulum-v5")


class Scripted(Problem):
    """Counts ones; a generation takes `steps` environment steps, an episode of a trial one, with a return as told."""

    def __init__(self, returns, steps=100):
        super().__init__("max", initial_bounds=(False, True), solution_length=4, dtype=torch.bool, seed=1)
        self.episode_statistics, self._steps = EpisodeStatistics(), steps
        self._script, self.seeds, self.solutions = iter(returns), [], []

    def _evaluate_batch(self, batch):
        evals = batch.values.sum(dim=1).double()
        batch.set_evals(evals)
        self.episode_statistics.add(evals[:, None].numpy(), np.full((len(evals), 1), self._steps / len(evals)))

    def play_trial(self, solution, num_episodes, seed):
        returns = np.array([next(self._script) for _ in range(num_episodes)], dtype=float)
        self.seeds.append(seed)
        self.solutions.append(solution)
        self.episode_statistics.count(returns, num_episodes)
        return returns


def chosen(returns, steps, **options):
    """Returns (incumbent_iter, incumbent_return) after each step of a search whose trials return what is scripted."""
    problem = Scripted(returns)
    searcher = EvolvingConnectivity(problem, popsize=4)
    Incumbent(searcher, share=0.5, **options)
    history = []
    for _ in range(steps):
        searcher.step()
        history.append((searcher.status["incumbent_iter"], searcher.status["incumbent_return"]))
    return history, problem


def test_the_first_centre_is_the_first_incumbent_and_plays_again():
    history, _ = chosen([3, 5, 1, 3], steps=1, num_episodes=2)
    assert history == [(1, 3.0)]


def test_a_challenger_must_look_better_twice():
    first = [10, 12]  # the first centre, and its second trial: mean 11
    looks_worse = [9, 11]  # the second centre; then the incumbent again: mean 11
    loses_the_second_time = [20, 1, 14]  # (20 + 1) / 2 is below 11; then the incumbent again: mean 11.75
    wins = [20, 16, 12]  # (20 + 16) / 2; then the new incumbent again: mean 16
    history, problem = chosen([*first, *looks_worse, *loses_the_second_time, *wins], steps=4, num_episodes=1)
    assert history == [(1, 11.0), (1, 11.0), (1, 11.75), (4, 16.0)]
    assert problem.seeds == list(range(10))


def test_a_failed_episode_is_worse_than_any_other():
    history, _ = chosen([-5, -7, np.nan, -6, np.inf, -6], steps=3, num_episodes=1)
    assert history == [(1, -6.0)] * 3
    history, _ = chosen([np.nan, np.nan, -100, -100, -100], steps=2, num_episodes=1)
    assert history == [(1, -np.inf), (2, -100.0)]


def test_an_incumbent_is_tried_ten_times_and_then_left_alone():
    returns = [8.0, *[8.0] * 1, *[0.0, 8.0] * 8, *[0.0] * 4]  # ten trials of the incumbent are over after step 9
    history, problem = chosen(returns, steps=13, num_episodes=1)
    assert history[-1] == (1, 8.0)
    assert len(problem.seeds) == len(returns)


def test_trials_take_their_share_of_the_steps():
    problem = Scripted([0.0] * 10_000, steps=100)
    searcher = EvolvingConnectivity(problem, popsize=4)
    Incumbent(searcher, share=0.04, num_episodes=5)
    for _ in range(100):
        searcher.step()
    counts = problem.episode_statistics
    trials = counts.interactions - 100 * 100
    assert 0.04 * counts.interactions - 5 <= trials <= 0.04 * counts.interactions + 15
    assert searcher.status["total_interaction_count"] == counts.interactions
    assert searcher.status["total_episode_count"] == counts.episodes == 400 + trials


def rollouts(agent, **options):
    return RolloutProblem(PENDULUM, agent, num_envs=3, num_threads=1, seed=3, **options)


SEARCHES = {
    "ec": lambda: EvolvingConnectivity(rollouts(partial(RSNN, num_neurons=8)), popsize=6),
    "snes": lambda: SNES(rollouts(partial(GRU, num_neurons=4)), popsize=6, stdev_init=0.3),
    "ec with a critic": lambda: ActorCriticEC(rollouts(partial(RSNN, num_neurons=8)), batch_size=96, num_envs=4),
    "ppo": lambda: PPO(
        rollouts(partial(GRU, num_neurons=4)), batch_size=96, num_envs=4, num_epochs=2, num_minibatches=2
    ),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_trials_change_neither_the_search_nor_its_summary_of_the_population(name):
    alone, observed = SEARCHES[name](), SEARCHES[name]()
    Incumbent(observed, share=0.3)
    for _ in range(4):
        alone.step()
        observed.step()
        assert torch.equal(observed.status["center"], alone.status["center"])
        assert observed.status["mean_return"] == alone.status["mean_return"]
    np.testing.assert_array_equal(observed.problem.normalizer.mean, alone.problem.normalizer.mean)
    counted, expected = observed.status["total_interaction_count"], alone.status["total_interaction_count"]
    assert counted > expected
    assert counted == observed.problem.episode_statistics.interactions
    assert observed.status["incumbent"].shape == observed.status["center"].shape


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("steps", [0, 2])
def test_a_search_with_an_incumbent_ends_the_same_when_taken_up_again(name, steps):
    def begin():
        searcher = SEARCHES[name]()
        return searcher, Resumable(searcher, Incumbent(searcher, share=0.4, num_episodes=2))

    searcher, unbroken = begin()
    for _ in range(steps):
        searcher.step()
    state = unbroken.state_dict()
    again, resumed = begin()
    resumed.load_state_dict(tree_map(lambda x: x.numpy() if isinstance(x, torch.Tensor) else x, state))
    if steps:
        assert torch.equal(again.status["incumbent"], searcher.status["incumbent"])
        normalizers = [each.status["incumbent_normalizer"] for each in (again, searcher)]
        np.testing.assert_array_equal(*(normalizer.stdev for normalizer in normalizers))
    for _ in range(3):
        searcher.step()
        again.step()
        for entry in ("incumbent_return", "incumbent_iter", "total_interaction_count"):
            assert again.status[entry] == searcher.status[entry]
        assert torch.equal(again.status["incumbent"], searcher.status["incumbent"])


@pytest.mark.parametrize("name", SEARCHES)
def test_an_incumbent_acts_with_the_normaliser_that_it_was_chosen_with(name):
    searcher = SEARCHES[name]()
    problem = searcher.problem
    Incumbent(searcher, share=0.4, num_episodes=2)
    seen = {}  # step -> mean of its normaliser when the centre of the step was tried
    played = []
    play_trial = problem.play_trial

    def noted(solution, num_episodes, seed, normalizer=None):
        played.append((problem.normalizer if normalizer is None else normalizer).mean.copy())
        return play_trial(solution, num_episodes, seed, normalizer)

    problem.play_trial = noted
    for step in range(1, 9):
        played.clear()
        searcher.step()
        seen[step] = problem.normalizer.mean.copy()
        chosen = searcher.status["incumbent_iter"]
        np.testing.assert_array_equal(searcher.status["incumbent_normalizer"].mean, seen[chosen])
        if len(played) > 1 and chosen != step:
            np.testing.assert_array_equal(played[-1], seen[chosen])
    assert not np.array_equal(seen[1], seen[8])


def test_a_policy_and_an_evaluation_take_an_earlier_normaliser():
    searcher = SEARCHES["ec"]()
    problem = searcher.problem
    searcher.step()
    earlier, center = problem.normalizer.copy(), searcher.status["center"]
    before = problem.evaluate_center(center, 5, seed=1)
    for _ in range(5):
        searcher.step()
    assert not np.array_equal(problem.normalizer.mean, earlier.mean)
    np.testing.assert_array_equal(problem.evaluate_center(center, 5, seed=1, normalizer=earlier), before)
    np.testing.assert_array_equal(problem.to_policy(center, earlier).observation_mean, earlier.mean)
    np.testing.assert_array_equal(problem.to_policy(center).observation_mean, problem.normalizer.mean)


def test_a_normaliser_of_something_else_is_refused():
    problem = rollouts(partial(RSNN, num_neurons=8))
    solution = problem.generate_values(1)[0]
    with pytest.raises(ValueError, match="normalizer: expected one of 4 observations, got 3"):
        problem.evaluate_center(solution, 1, normalizer=ObservationNormalizer(3))
    with pytest.raises(ValueError, match="normalizer: expected an earlier copy, got a dict"):
        problem.to_policy(solution, {})
    raw = rollouts(partial(RSNN, num_neurons=8), observation_normalization=False)
    with pytest.raises(ValueError, match="normalizer: expected None without observation_normalization"):
        raw.play_trial(solution, 1, 0, problem.normalizer)


def test_a_state_of_a_version_that_kept_no_normaliser_goes_on_with_the_latest():
    searcher = SEARCHES["ec"]()
    resumable = Resumable(searcher, Incumbent(searcher, share=0.4, num_episodes=2))
    searcher.step()
    state = resumable.state_dict()
    del state["incumbent"]["normalizer"]
    again = SEARCHES["ec"]()
    Resumable(again, Incumbent(again, share=0.4, num_episodes=2)).load_state_dict(state)
    assert again.status["incumbent_normalizer"] is None
    again.step()


def test_without_a_centre_the_best_solution_is_tried():
    problem = Scripted([1.0] * 100)
    operators = [OnePointCrossOver(problem, tournament_size=2)]
    searcher = GeneticAlgorithm(problem, popsize=4, operators=operators, re_evaluate=True)
    Incumbent(searcher, num_episodes=1)
    searcher.step()
    assert torch.equal(problem.solutions[0], searcher.status["best"].values.as_subclass(torch.Tensor))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0.0}, r"share: expected a number in \(0, 1\), got 0.0"),
        ({"share": 1}, r"share: expected a number in \(0, 1\), got 1"),
        ({"num_episodes": 0}, "num_episodes: expected a positive whole number, got 0"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Incumbent(EvolvingConnectivity(Scripted([]), popsize=4), **options)


def test_a_problem_that_plays_no_trials_is_refused():
    problem = Problem("max", lambda x: x.sum(), solution_length=3, dtype=torch.bool)
    with pytest.raises(ValueError, match="searcher: expected one on a problem with play_trial, got one on a Problem"):
        Incumbent(EvolvingConnectivity(problem, popsize=4))


def test_the_state_of_a_search_without_an_incumbent_is_refused():
    state = Resumable(SEARCHES["ec"]()).state_dict()
    searcher = SEARCHES["ec"]()
    with pytest.raises(ValueError, match="state: expected that of a search with an Incumbent"):
        Resumable(searcher, Incumbent(searcher)).load_state_dict(state)


def test_a_copy_of_a_search_goes_on_with_an_incumbent_of_its_own():
    searcher = SEARCHES["ec"]()
    Incumbent(searcher, share=0.4, num_episodes=2)
    searcher.step()
    copied = copy.deepcopy(searcher)
    for _ in range(3):
        searcher.step()
        copied.step()
        assert copied.status["incumbent_return"] == searcher.status["incumbent_return"]
        assert copied.status["total_interaction_count"] == searcher.status["total_interaction_count"]
