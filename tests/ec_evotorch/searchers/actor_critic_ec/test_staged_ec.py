"""Laws of the search in two stages: with a critic at first, and then by whole episodes."""

import pickle
from functools import partial

import pytest
import torch
from evotorch.logging import PandasLogger

from agents import RSNN
from ec_evotorch import ActorCriticEC, EvolvingConnectivity, Incumbent, Resumable, RolloutProblem, StagedEC
from envs import make_vec

WITH_CRITIC = {"batch_size": 160, "num_envs": 4, "hold_steps": 4, "critic_sizes": (8,), "minibatch_size": 40}
EPISODES = {"popsize": 6, "center_learning_rate": 0.1, "prob_min": 0.01}


def make_problem():
    env = partial(make_vec, "Hopper-v5")
    return RolloutProblem(env, partial(RSNN, num_neurons=12), num_envs=3, num_threads=1, seed=3)


def make_searcher(problem=None, **settings):
    stages = {"critic_steps": 400, "episodes": EPISODES}
    return StagedEC(make_problem() if problem is None else problem, **{**WITH_CRITIC, **stages, **settings})


def test_it_is_one_search_and_then_the_other():
    """By hand: a search with a critic alone, and then one by episodes that begins with what it has learned."""
    problem = make_problem()
    first = ActorCriticEC(problem, **WITH_CRITIC)
    then = EvolvingConnectivity(problem, **EPISODES)
    staged = make_searcher()
    for _ in range(3):  # 480 steps
        first.step()
        staged.step()
        assert torch.equal(staged.status["prob"], first.status["prob"])
    then.go_on_from(first.status["prob"])
    for step in range(4, 7):
        then.step()
        staged.step()
        for name in ("prob", "center"):
            assert torch.equal(staged.status[name], then.status[name])
        for name in ("mean_eval", "pop_best_eval", "total_interaction_count", "mean_return", "entropy"):
            assert staged.status[name] == then.status[name]
        assert staged.status["iter"] == staged.step_count == step
    assert staged.distribution.parameters["prob_min"] == 0.01


def test_rho_is_brought_within_the_bounds_of_the_search_that_goes_on():
    staged = make_searcher(prob_min=0.0, prob_init=0.0, episodes={"prob_min": 0.2, "center_learning_rate": 1e-9})
    staged.run(4)
    assert torch.equal(staged.status["prob"], torch.full_like(staged.status["prob"], 0.2))


def test_what_tells_of_the_critic_ends_with_it():
    searcher = make_searcher()
    logger = PandasLogger(searcher)
    searcher.run(5)
    table = logger.to_dataframe()
    assert table.value_loss.notna().tolist() == table.explained_variance.notna().tolist() == [True] * 3 + [False] * 2
    assert table[["mean_eval", "total_interaction_count", "density"]].notna().all(axis=None)


@pytest.mark.parametrize("before", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("after", [0, 5])
def test_a_saved_search_goes_on_to_the_last_bit(before, after):
    """Whatever stage the state is of, and whatever stage the search that it is loaded into was in."""
    searches = make_searcher(), make_searcher()
    incumbents = [Incumbent(search) for search in searches]
    saved, loaded = map(Resumable, searches, incumbents)
    searches[0].run(before)
    state = saved.state_dict()
    searches[1].run(after)
    loaded.load_state_dict(state)
    for search in searches:
        search.run(4)
    for name in ("prob", "incumbent"):
        assert torch.equal(searches[0].status[name], searches[1].status[name])
    for name in ("mean_eval", "total_interaction_count", "iter"):
        assert searches[0].status[name] == searches[1].status[name]


def test_its_state_holds_the_probabilities_in_both_stages():
    searcher = make_searcher()
    for _ in range(5):
        searcher.step()
        assert torch.equal(EvolvingConnectivity.prob_in(searcher.state_dict()), searcher.status["prob"])


def test_the_key_of_the_episodes_comes_with_the_state():
    problem = make_problem()
    problem.manual_seed(8)  # another generator, as where a problem has no seed
    searcher, other = make_searcher(), make_searcher(problem)
    searcher.step()
    assert other.state_dict()["key_of_episodes"] != searcher.state_dict()["key_of_episodes"]
    other.load_state_dict(searcher.state_dict())
    assert other.state_dict()["key_of_episodes"] == searcher.state_dict()["key_of_episodes"]


@pytest.mark.parametrize("steps", [1, 4])
def test_a_copy_goes_on(steps):
    searcher = make_searcher()
    searcher.run(steps)
    copy = pickle.loads(pickle.dumps(searcher))
    searcher.run(3)
    copy.run(3)
    assert torch.equal(searcher.status["prob"], copy.status["prob"])


@pytest.mark.parametrize("steps", [1, 4])
def test_a_state_of_a_search_without_stages_is_refused(steps):
    staged, whole = make_searcher(), ActorCriticEC(make_problem(), **WITH_CRITIC)
    whole.run(steps)
    with pytest.raises(KeyError, match="key_of_episodes"):
        staged.load_state_dict(whole.state_dict())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"critic_steps": 0}, "critic_steps: expected a positive whole number, got 0"),
        ({"batch_size": 100}, "batch_size: expected a multiple of num_envs times hold_steps"),
        ({"batch": 100}, "unexpected keyword argument 'batch'"),
        ({"episodes": 16}, "episodes: expected keywords of EvolvingConnectivity, center_learning_rate, .*; got 16"),
        ({"episodes": {"popsise": 16}}, "episodes: expected keywords of EvolvingConnectivity, .*; got {'popsise': 16}"),
        ({"episodes": {"prob_init": 0.5}}, "episodes: expected keywords of EvolvingConnectivity, .*; got {'prob_init"),
        ({"episodes": {"popsize": 1}}, r"episodes\.popsize: expected a whole number of at least 2, got 1"),
        ({"episodes": {"prob_min": 0.7}}, r"episodes\.prob_min: expected a number in \[0, 0\.5\), got 0\.7"),
        ({"episodes": {"optimizer": 3}}, r"episodes\.optimizer: expected a name"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_searcher(**settings)
