"""Bounds that fall and batches that grow: by plain numbers, through the search that uses them."""

from functools import partial

import pytest
import torch

from agents import RSNN
from ec_evotorch import ActorCriticEC, RolloutProblem
from ec_evotorch.searchers.actor_critic_ec.annealing import GrowingBatches
from envs import make_vec


def make_problem():
    return RolloutProblem(partial(make_vec, "Hopper-v5"), partial(RSNN, num_neurons=12), num_envs=2, seed=3)


def make_searcher(problem=None, **kwargs):
    problem = make_problem() if problem is None else problem
    small = {"batch_size": 160, "num_envs": 4, "hold_steps": 4, "critic_sizes": (8,), "minibatch_size": 40}
    return ActorCriticEC(problem, **{**small, **kwargs})


def test_bounds_fall_geometrically_with_the_environment_steps():
    """By plain numbers, from 1/8 to 1/32 within 640 steps, of which an iteration takes 160; ρ follows them at once."""
    problem = make_problem()
    places = problem.agent.places()
    annealed = {"prob_min": 0.125, "prob_min_final": {name: 0.125 for name in places}, "anneal_steps": 640}
    annealed["prob_min_final"]["kernel_in"] = 0.03125
    searcher = make_searcher(problem, optimizer=None, center_learning_rate=1e6, entropy_penalty=0.0, **annealed)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0, 1.0):
        searcher.step()
        bounds = problem.agent.split(torch.minimum(searcher.status["prob"], 1.0 - searcher.status["prob"])[None])
        assert bounds["kernel_in"].min().item() == pytest.approx(0.125 * 0.25**share, rel=1e-5)
        assert bounds["kernel_out"].min().item() == pytest.approx(0.125)


@pytest.mark.parametrize("to_where_it_is", [{"prob_min_final": 0.05, "anneal_steps": 320}, {"batch_growth": 1}])
def test_what_changes_to_where_it_is_changes_nothing(to_where_it_is):
    fixed, annealed = make_searcher(), make_searcher(**to_where_it_is)
    fixed.run(3)
    annealed.run(3)
    assert torch.equal(fixed.status["prob"], annealed.status["prob"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"prob_min_final": 0.01},
            "anneal_steps: expected a number of environment steps, for prob_min_final, got None",
        ),
        ({"prob_min_final": 0.01, "anneal_steps": 0}, "anneal_steps: expected a positive whole number, got 0"),
        (
            {"prob_min_final": 0.06, "anneal_steps": 100},
            "prob_min_final: expected numbers in \\(0, prob_min\\], where prob_min is 0.05, got 0.06",
        ),
        (
            {"prob_min_final": 0.0, "anneal_steps": 100},
            "prob_min_final: expected numbers in \\(0, prob_min\\], where prob_min is 0.05, got 0.0",
        ),
        ({"prob_min_final": {"kernel_in": 0.01}, "anneal_steps": 100}, "prob_min_final: expected a number for each of"),
        ({"batch_growth": 2}, "anneal_steps: expected a number of environment steps, for batch_growth, got None"),
        (
            {"batch_growth": 2, "prob_min_final": 0.01},
            "anneal_steps: expected a number of environment steps, for prob_min_final and batch_growth, got None",
        ),
        ({"anneal_steps": 100}, "anneal_steps: expected None without prob_min_final or batch_growth, got 100"),
        ({"batch_growth": 0.5, "anneal_steps": 100}, "batch_growth: expected a number in \\[1, .*, got 0.5"),
    ],
)
def test_what_cannot_fall_or_grow_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_searcher(**wrong)


def test_the_message_says_between_which_numbers_the_first_bounds_are():
    first = {"kernel_in": 0.05, "kernel_h": 0.001, "kernel_out": 0.05}
    with pytest.raises(ValueError, match=r"where prob_min is 0\.001 to 0\.05, got 0\.01"):
        make_searcher(prob_min=first, prob_min_final=0.01, anneal_steps=100)


def test_rounding_takes_nothing_off_the_last_batch():
    """6400 · 4.6 = 29440 = 115 · 256, and 3840 · 8.2 = 31488 = 123 · 256."""
    assert [GrowingBatches(size, growth, 1000, 256).after(5000) for size, growth in [(6400, 4.6), (3840, 8.2)]] == [
        29440,
        31488,
    ]


def test_batches_grow_geometrically_with_the_environment_steps():
    """From 32 to 128 steps within 160 environment steps, in multiples of four environments times four steps."""
    problem, sizes = make_problem(), []
    searcher = make_searcher(problem, batch_size=32, batch_growth=4, anneal_steps=160)
    for _ in range(6):
        before = problem.episode_statistics.interactions
        searcher.step()
        sizes.append((before, problem.episode_statistics.interactions - before))
    # 32 · 4^(32/160) = 42.2, 32 · 4^(64/160) = 55.7, 32 · 4^(112/160) = 84.4, 32 · 4^(192/160) → 128
    assert sizes == [(0, 32), (32, 32), (64, 48), (112, 80), (192, 128), (320, 128)]
