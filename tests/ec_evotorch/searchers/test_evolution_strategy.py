"""The evolution strategy on EvoTorch problems that have no environment."""

import math

import pytest
import torch
from evotorch import Problem
from evotorch.logging import PandasLogger

from ec_evotorch import EvolutionStrategy
from ec_evotorch.distributions.gaussian import center_gradient

LENGTH = 50
LEARNING_RATE = 0.05


def negative_sphere(x):
    return -x.square().sum(dim=1)


def problem_of(sense="max", fitness=negative_sphere, seed=0, **kwargs):
    kwargs = {"solution_length": LENGTH, "initial_bounds": (-1.0, 1.0), "vectorized": True, **kwargs}
    return Problem(sense, fitness, seed=seed, **kwargs)


def strategy(problem=None, **kwargs):
    kwargs = {"popsize": 40, "stdev": 0.1, "center_learning_rate": LEARNING_RATE, **kwargs}
    return EvolutionStrategy(problem_of() if problem is None else problem, **kwargs)


def trajectory(search, num_generations=5):
    centers = []
    search.log_hook.append(lambda status: centers.append(status["center"]))
    search.run(num_generations)
    return torch.stack(centers)


# --- it searches ---


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer_config": {"beta1": 0.5, "beta2": 0.9}},
        {"optimizer": "clipup", "center_learning_rate": 0.1},
        {"optimizer": None, "center_learning_rate": 0.1},
        {"ranking_method": "nes"},
    ],
    ids=["adam", "adam with other betas", "clipup", "plain", "nes"],
)
def test_a_sphere_is_solved(settings):
    optimum = torch.linspace(-1.0, 1.0, LENGTH)
    problem = problem_of(fitness=lambda x: negative_sphere(x - optimum))
    search = strategy(problem, weight_decay=0.0, **settings)
    search.run(200)
    # σ alone costs a sample 50·0.1² = 0.5; the start is 33 away on average.
    assert negative_sphere(search.status["center"][None] - optimum) > -0.5


def test_flipping_the_sense_and_the_fitness_changes_nothing():
    minimising = problem_of("min", lambda x: -negative_sphere(x))
    assert torch.equal(trajectory(strategy(minimising)), trajectory(strategy()))


def test_of_several_objectives_the_chosen_one_is_followed():
    problem = problem_of(["max", "min"], lambda x: torch.stack([negative_sphere(x), -negative_sphere(x - 3.0)], dim=1))
    search = strategy(problem, obj_index=1, weight_decay=0.0)
    search.run(200)
    assert search.status["center"].mean() == pytest.approx(3.0, abs=0.1)


# --- the update ---


def test_the_first_step_of_adam_has_the_size_of_the_learning_rate_and_the_sign_of_the_gradient():
    search = strategy(center_init=1.0, weight_decay=0.1)
    search.step()
    gradient = center_gradient(search.population.values, _centred_ranks(search), 0.1)
    expected = 1.0 * (1.0 - LEARNING_RATE * 0.1) + LEARNING_RATE * gradient.sign()
    torch.testing.assert_close(search.status["center"], expected, rtol=0.0, atol=1e-5)


def _centred_ranks(search):
    return search.population.access_evals(0).argsort().argsort() / (len(search.population) - 1) - 0.5


def test_decay_is_decoupled_from_the_optimizer():
    # A linear objective: all ranks, hence all gradients and steps of Adam, are the same wherever the centre is.
    slope = torch.linspace(1.0, 2.0, LENGTH)
    plain, decayed = (
        trajectory(strategy(problem_of(fitness=lambda x: x @ slope), center_init=1.0, weight_decay=decay))
        for decay in (0.0, 2.0)
    )
    expected, center = [], torch.ones(LENGTH)
    for step in torch.diff(plain, dim=0, prepend=torch.ones(1, LENGTH)):
        center = center * (1.0 - 2.0 * LEARNING_RATE) + step
        expected.append(center)
    torch.testing.assert_close(decayed, torch.stack(expected), rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "clipup", None])
@pytest.mark.parametrize("useless", [7.3, math.nan])
def test_without_differences_the_centre_only_decays(optimizer, useless):
    fitnesses = iter([negative_sphere] + [lambda x: torch.full((len(x),), useless)] * 3)
    search = strategy(problem_of(fitness=lambda x: next(fitnesses)(x)), optimizer=optimizer, weight_decay=0.5)
    first, *others = trajectory(search, 4)
    expected = [first * (1.0 - 0.5 * LEARNING_RATE) ** k for k in (1, 2, 3)]
    torch.testing.assert_close(torch.stack(others), torch.stack(expected))


def test_the_initial_centre_is_the_one_given_or_else_the_problems():
    given = torch.linspace(-2.0, 2.0, LENGTH)
    assert torch.equal(strategy(center_init=given).status["center"], given)
    generated = strategy().status["center"]
    assert generated.abs().max() <= 1.0
    assert generated.unique().numel() == LENGTH


def test_a_population_consists_of_pairs_around_the_centre_before_the_update():
    search = strategy(center_init=0.7)
    search.step()
    plus, minus = search.population.values.chunk(2)
    torch.testing.assert_close(plus + minus, torch.full_like(plus, 1.4))


@pytest.mark.parametrize("chunk_size", [1, 7, 20, 40])
def test_chunks_change_nothing(chunk_size):
    assert torch.equal(trajectory(strategy(chunk_size=chunk_size)), trajectory(strategy()))


# --- failed evaluations ---


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("sense", ["max", "min"])
def test_a_failed_evaluation_counts_as_the_worst(sense, failure):
    def fitness_that_is(value, evaluated):
        return lambda x: torch.where(evaluated(x), value, negative_sphere(x) * (1.0 if sense == "max" else -1.0))

    def fails(x):
        return x[:, 0] > 0.0

    worst = -1e6 if sense == "max" else 1e6
    settings = {"center_init": 0.0, "popsize": 8}
    failing = strategy(problem_of(sense, fitness_that_is(failure, fails)), **settings)
    expected = strategy(problem_of(sense, fitness_that_is(worst, fails)), **settings)
    assert torch.equal(trajectory(failing, 1), trajectory(expected, 1))
    assert all(math.isfinite(failing.status[key]) for key in ("mean_eval", "median_eval", "pop_best_eval", "best_eval"))


# --- randomness ---


def test_equal_seeds_give_equal_trajectories_and_others_do_not():
    first, again, other = (trajectory(strategy(problem_of(seed=seed))) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_other_draws_from_the_generator_of_the_problem_change_nothing():
    disturbed = strategy()
    disturbed.before_step_hook.append(lambda: torch.rand(3, generator=disturbed.problem.generator))
    assert torch.equal(trajectory(disturbed), trajectory(strategy()))


# --- what EvoTorch and its loggers see ---


def test_status_describes_the_evaluated_population():
    search = strategy()
    search.run(3)
    status, evals = dict(search.status), search.population.evals[:, 0]
    assert status["iter"] == 3
    assert status["mean_eval"] == pytest.approx(evals.mean().item())
    assert status["median_eval"] == evals.median().item()
    assert status["pop_best_eval"] == evals.max().item()
    assert status["best_eval"] >= status["pop_best_eval"]


def test_logged_centres_are_snapshots():
    assert len(trajectory(strategy(), 4).unique(dim=0)) == 4


def test_pandas_logger_has_a_row_for_each_generation():
    search = strategy()
    logger = PandasLogger(search)
    search.run(4)
    table = logger.to_dataframe()
    assert list(table.index) == [1, 2, 3, 4]
    assert {"mean_eval", "median_eval", "pop_best_eval", "best_eval"} <= set(table.columns)


# --- mistakes ---


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float64])
def test_a_problem_of_another_dtype_is_told_which_and_how(dtype):
    bounds = (False, True) if dtype == torch.bool else (-1, 1)
    with pytest.raises(
        ValueError, match=r"EvolutionStrategy needs a problem of dtype torch.float32, got torch.*dtype=torch.float32\)"
    ):
        strategy(problem_of(dtype=dtype, initial_bounds=bounds))


def test_strict_bounds_are_refused():
    with pytest.raises(ValueError, match="unbounded"):
        strategy(problem_of(bounds=(-1.0, 1.0)))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"popsize": 7}, ValueError, "popsize: expected an even integer.*, got 7"),
        ({"popsize": 0}, ValueError, "popsize: expected a whole number of at least 2, got 0"),
        ({"stdev": 0.0}, ValueError, "stdev: expected a positive number, got 0.0"),
        ({"stdev": math.nan}, ValueError, "stdev: expected a positive number, got nan"),
        ({"center_learning_rate": -1.0}, ValueError, "center_learning_rate: expected a positive number, got -1.0"),
        ({"weight_decay": -0.1}, ValueError, r"weight_decay: expected a number in \[0, 20\], got -0.1"),
        ({"weight_decay": 21.0}, ValueError, r"weight_decay: expected a number in \[0, 20\], got 21.0"),
        ({"ranking_method": "best"}, ValueError, "ranking_method: expected one of .*; got 'best'"),
        ({"optimizer": "adamw"}, ValueError, "optimizer: expected .*, got 'adamw'"),
        ({"optimizer": 3}, TypeError, "optimizer: expected .*, got 3"),
        ({"center_init": [0.0, 1.0]}, ValueError, r"center_init: expected a number or shape \(50,\), got shape \(2,\)"),
        ({"center_init": math.nan}, ValueError, "center_init: expected finite numbers"),
    ],
)
def test_bad_arguments_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        strategy(**settings)
