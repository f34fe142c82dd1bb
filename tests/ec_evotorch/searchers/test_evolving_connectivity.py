"""The searcher on EvoTorch problems that have no environment."""

import math
from typing import ClassVar

import pytest
import torch
from evotorch import Problem
from evotorch.logging import PandasLogger, StdOutLogger
from evotorch.optimizers import Adam

from ec_evotorch.searchers.evolving_connectivity import EvolvingConnectivity

LENGTH = 40


def count_ones(theta):
    return theta.sum(dim=1, dtype=torch.float32)


def onemax(sense="max", fitness=count_ones, seed=0, **kwargs):
    kwargs = {"solution_length": LENGTH, "dtype": torch.bool, "vectorized": True, **kwargs}
    return Problem(sense, fitness, seed=seed, **kwargs)


def searcher(problem=None, **kwargs):
    kwargs = {"popsize": 50, "center_learning_rate": 0.1, **kwargs}
    return EvolvingConnectivity(onemax() if problem is None else problem, **kwargs)


def trajectory(search, num_generations=5):
    rhos = []
    search.log_hook.append(lambda status: rhos.append(status["prob"]))
    search.run(num_generations)
    return torch.stack(rhos)


# --- it searches ---


@pytest.mark.parametrize(("sense", "best"), [("max", LENGTH), ("min", 0)])
def test_onemax_is_solved(sense, best):
    search = searcher(onemax(sense))
    search.run(30)
    assert search.status["center"].sum() == best
    assert search.status["best_eval"] == best


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adam", "optimizer_config": {"beta1": 0.5, "beta2": 0.9}},
        {"optimizer": Adam},
        {"optimizer": Adam(stepsize=0.1, solution_length=LENGTH, dtype=torch.float32)},
        {"optimizer": "sgd", "center_learning_rate": 2.0, "optimizer_config": {"momentum": 0.5}},
        {"optimizer": "clipup", "center_learning_rate": 0.5},
        {"optimizer": None, "center_learning_rate": 3.0},
    ],
    ids=["adam", "class", "object", "sgd", "clipup", "plain"],
)
def test_every_optimizer_ascends(settings):
    search = searcher(**settings)
    search.run(30)
    assert search.status["mean_eval"] > 0.8 * LENGTH


@pytest.mark.parametrize("ranking_method", ["centered", "linear", "nes", "normalized", "raw", None])
def test_every_ranking_method_climbs(ranking_method):
    search = searcher(ranking_method=ranking_method)
    search.run(30)
    assert search.status["mean_eval"] > 0.8 * LENGTH


def test_plain_ascent_by_hand():
    search = searcher(optimizer=None, center_learning_rate=2.0, popsize=2)
    search.step()
    theta = search.population.values.float()
    better, worse = theta[search.population.argbest()], theta[search.population.argworst()]
    # utilities ±0.5, hence ρ + 2·(0.5·better − 0.5·worse)/2
    torch.testing.assert_close(search.status["prob"], (0.5 + (better - worse) / 2.0).clamp(1e-3, 1.0 - 1e-3))


def test_an_entropy_penalty_closes_what_leans_to_one_side():
    """By plain numbers, as above, and then 2 · 0.25 · ρ (1 − ρ) ln(ρ / (1 − ρ)) further."""
    search = searcher(optimizer=None, center_learning_rate=2.0, popsize=2, prob_init=0.25, entropy_penalty=0.25)
    search.step()
    theta = search.population.values.float()
    better, worse = theta[search.population.argbest()], theta[search.population.argworst()]
    moved = (0.25 + (better - worse) / 2.0).clamp(1e-3, 1.0 - 1e-3)
    expected = moved + 0.5 * moved * (1.0 - moved) * torch.logit(moved)
    torch.testing.assert_close(search.status["prob"], expected.clamp(1e-3, 1.0 - 1e-3))
    assert len(expected.unique()) == 3


def test_an_entropy_penalty_lowers_the_entropy_where_nothing_is_to_be_learned():
    def nonsense(theta):
        return torch.sin(1e3 * theta.float() @ torch.linspace(1.0, 2.0, LENGTH))

    entropies = []
    for penalty in (0.0, 1.0):
        search = searcher(onemax(fitness=nonsense), entropy_penalty=penalty, popsize=8)
        search.run(60)
        entropies.append(search.status["entropy"])
    assert entropies[1] < 0.5 * entropies[0]


def test_a_population_in_chunks_is_closed_by_the_same_penalty():
    whole, chunks = (searcher(entropy_penalty=0.4, chunk_size=size) for size in (None, 7))
    assert torch.equal(trajectory(whole, 5), trajectory(chunks, 5))


def test_flipping_the_sense_and_the_fitness_changes_nothing():
    minimising = onemax("min", lambda theta: -count_ones(theta))
    assert torch.equal(trajectory(searcher(minimising)), trajectory(searcher()))


def test_rho_stays_within_its_bounds():
    rhos = trajectory(searcher(prob_min=0.2, center_learning_rate=0.5), 10)
    assert rhos.min() >= 0.2
    assert rhos.max() == pytest.approx(0.8)


def test_the_initial_probabilities_are_those_given():
    prob_init = torch.linspace(0.1, 0.9, LENGTH)
    assert torch.equal(searcher(prob_init=prob_init).status["prob"], prob_init)
    assert torch.equal(searcher(prob_init=0.25).status["prob"], torch.full((LENGTH,), 0.25))


class TwoKernels(Problem):
    """Counts ones in solutions of 10 bits and 30 bits, which have names."""

    parameter_shapes: ClassVar = {"first": (2, 5), "second": (30,)}

    def __init__(self):
        super().__init__("max", count_ones, solution_length=LENGTH, dtype=torch.bool, vectorized=True, seed=3)


def test_each_kernel_may_have_probabilities_and_bounds_of_its_own():
    search = EvolvingConnectivity(
        TwoKernels(),
        popsize=8,
        center_learning_rate=0.5,
        prob_init={"second": 0.25, "first": 0.5},
        prob_min={"first": 0.125, "second": 0.0625},
    )
    assert torch.equal(search.status["prob"], torch.tensor([0.5] * 10 + [0.25] * 30))
    rhos = trajectory(search, 10)
    for kernel, bound in ((rhos[:, :10], 0.125), (rhos[:, 10:], 0.0625)):
        assert kernel.min() == bound
        assert kernel.max() == 1.0 - bound


def test_bounds_that_are_equal_for_all_bits_are_as_good_as_a_number():
    one, each = searcher(prob_min=0.125), searcher(prob_min=[0.125] * LENGTH)
    assert torch.equal(trajectory(one, 5), trajectory(each, 5))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"first": 0.5}, r"prob_init: expected a number for each of first, second, got \{'first': 0.5\}"),
        ({"first": 0.5, "second": 0.5, "third": 0.5}, "prob_init: expected a number for each of first, second, got"),
        ({"first": "x", "second": 0.5}, "prob_init.first: expected a number"),
        (
            {"first": [0.5] * 40, "second": 0.5},
            r"prob_init.first: expected a number or shape \(2, 5\), got shape \(40,\)",
        ),
        ({"first": 0.5, "second": math.nan}, "prob_init.second: expected a finite number, got nan"),
    ],
)
def test_kernels_that_are_missing_or_unknown_are_named(value, message):
    with pytest.raises(ValueError, match=message):
        EvolvingConnectivity(TwoKernels(), popsize=4, prob_init=value)


def test_without_kernels_a_mapping_is_refused():
    with pytest.raises(ValueError, match="prob_min: expected a number or one for each bit, because this problem names"):
        searcher(prob_min={"kernel_h": 0.1})


@pytest.mark.parametrize("prob_init", [1e-3, 1.0 - 1e-3])
def test_the_initial_probabilities_may_lie_on_the_bounds(prob_init):
    assert searcher(prob_init=prob_init, prob_min=1e-3).status["density"] == pytest.approx(prob_init)


def test_of_several_objectives_the_chosen_one_is_followed():
    problem = onemax(["max", "min"], lambda theta: torch.stack([count_ones(theta)] * 2, dim=1))
    search = searcher(problem, obj_index=1)
    search.run(30)
    assert search.status["mean_eval"] < 0.2 * LENGTH


# --- failed evaluations and populations without differences ---


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("sense", ["max", "min"])
def test_failed_evaluations_are_learned_to_be_avoided(sense, failure):
    def fails_with_first_bit(theta):
        return torch.where(theta[:, 0], failure, count_ones(theta))

    search = searcher(onemax(sense, fails_with_first_bit))
    search.step()
    status = dict(search.status)
    assert all(math.isfinite(status[key]) for key in ("mean_eval", "median_eval", "pop_best_eval", "best_eval"))
    assert not status["pop_best"].values[0]
    search.run(30)
    assert torch.isfinite(search.status["prob"]).all()
    assert search.status["prob"][0] < 0.1


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "clipup", None])
def test_a_population_without_differences_changes_nothing(optimizer):
    fitnesses = iter([count_ones, lambda theta: torch.full((len(theta),), 7.3)])
    search = searcher(onemax(fitness=lambda theta: next(fitnesses)(theta)), optimizer=optimizer)
    before, after = trajectory(search, 2)
    assert torch.equal(before, after)


def test_a_generation_in_which_everything_failed_changes_nothing():
    fitnesses = iter([count_ones, lambda theta: torch.full((len(theta),), math.nan)])
    search = searcher(onemax(fitness=lambda theta: next(fitnesses)(theta)))
    before, after = trajectory(search, 2)
    assert torch.equal(before, after)
    assert math.isnan(search.status["mean_eval"])
    assert math.isnan(search.status["median_eval"])


# --- randomness ---


def test_equal_seeds_give_equal_trajectories():
    assert torch.equal(trajectory(searcher(onemax(seed=3))), trajectory(searcher(onemax(seed=3))))


def test_other_seeds_give_other_trajectories():
    assert not torch.equal(trajectory(searcher(onemax(seed=3))), trajectory(searcher(onemax(seed=4))))


def test_other_draws_from_the_generator_of_the_problem_change_nothing():
    disturbed = searcher()
    disturbed.before_step_hook.append(lambda: torch.rand(3, generator=disturbed.problem.generator))
    assert torch.equal(trajectory(disturbed), trajectory(searcher()))


def test_every_generation_samples_anew():
    search = searcher(onemax(fitness=lambda theta: torch.zeros(len(theta))))  # ρ never moves
    search.step()
    first = search.population.values.clone()
    search.step()
    assert (first != search.population.values).float().mean() == pytest.approx(0.5, abs=0.06)  # 5 standard errors


# --- chunks ---


@pytest.mark.parametrize("chunk_size", [1, 7, 25, 50, 1000])
def test_chunks_change_nothing(chunk_size):
    whole, chunked = searcher(), searcher(chunk_size=chunk_size)
    assert torch.equal(trajectory(chunked), trajectory(whole))
    names = ("pop_best_eval", "best_eval", "mean_eval", "median_eval", "density")
    assert [chunked.status[name] for name in names] == [whole.status[name] for name in names]
    assert torch.equal(chunked.status["pop_best"].values, whole.status["pop_best"].values)


def test_the_best_of_all_chunks_is_kept_even_when_others_fail():
    def fitness(theta):
        ones = count_ones(theta)
        return torch.where(ones < LENGTH / 2, float("nan"), ones)

    whole, chunked = searcher(onemax(fitness=fitness)), searcher(onemax(fitness=fitness), chunk_size=3)
    assert torch.equal(trajectory(chunked), trajectory(whole))
    assert chunked.status["pop_best_eval"] == whole.status["pop_best_eval"]


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
def test_where_all_fail_the_best_is_the_first_one_in_chunks_too(failure):
    def best(chunk_size):
        fitnesses = [count_ones]
        search = searcher(onemax(fitness=lambda theta: fitnesses[-1](theta)), chunk_size=chunk_size)
        search.step()
        fitnesses.append(lambda theta: torch.full((len(theta),), failure))
        search.step()
        return search.status["pop_best"].values

    assert torch.equal(best(None), best(3))


def test_memory_does_not_grow_with_the_population(peak_memory):
    length = 100_003
    problem = onemax(solution_length=length, fitness=lambda theta: theta[:, 0].float())
    search = searcher(problem, popsize=1000, chunk_size=10)
    searcher(onemax(), chunk_size=10).step()  # compiles, starts threads
    assert peak_memory(search.step) < 300 * length  # all at once: 1,000 · length


def test_a_population_in_chunks_is_not_kept():
    search = searcher(chunk_size=10)
    search.step()
    with pytest.raises(RuntimeError, match="population: not kept, because chunk_size is less than popsize"):
        search.population  # noqa: B018


@pytest.mark.parametrize("chunk_size", [0, -1, 2.5, "all", True])
def test_a_bad_chunk_size_is_named(chunk_size):
    with pytest.raises(ValueError, match="chunk_size: expected a positive whole number, got"):
        searcher(chunk_size=chunk_size)


# --- what EvoTorch and its loggers see ---


def test_status_describes_the_updated_distribution_and_the_evaluated_population():
    search = searcher(obj_index=0)
    search.run(3)
    status, evals = dict(search.status), search.population.evals[:, 0]
    assert status["iter"] == 3
    assert torch.equal(status["prob"], search.distribution.rho)
    assert torch.equal(status["center"], search.distribution.rho > 0.5)
    assert status["density"] == search.distribution.density
    assert status["entropy"] == search.distribution.entropy
    assert status["mean_eval"] == pytest.approx(evals.mean().item())
    assert status["median_eval"] == evals.median().item()
    assert status["pop_best_eval"] == evals.max().item() == count_ones(status["pop_best"].values[None]).item()
    assert status["best_eval"] >= status["pop_best_eval"]


def test_the_update_belongs_to_the_step_of_its_evaluation():
    search = searcher()
    search.step()
    assert not torch.equal(search.status["prob"], torch.full((LENGTH,), 0.5))


def test_the_population_is_reused():
    search = searcher()
    memory = search.population.access_values().data_ptr()
    search.run(2)
    assert search.population.access_values(keep_evals=True).data_ptr() == memory


def test_logged_probabilities_are_snapshots():
    rhos = trajectory(searcher(), 4)
    assert len(rhos.unique(dim=0)) == 4


def test_pandas_logger_has_a_row_for_each_generation():
    search = searcher()
    logger = PandasLogger(search)
    search.run(4)
    table = logger.to_dataframe()
    assert list(table.index) == [1, 2, 3, 4]
    assert {"mean_eval", "median_eval", "pop_best_eval", "best_eval", "density", "entropy"} <= set(table.columns)
    assert table["density"].is_monotonic_increasing


def test_stdout_logger_prints_the_scalars(capsys):
    search = searcher()
    StdOutLogger(search)
    search.step()
    assert "density" in capsys.readouterr().out


# --- mistakes ---


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_a_problem_that_is_not_boolean_is_told_how_to_become_so(dtype):
    with pytest.raises(
        ValueError, match=r"needs a problem of dtype torch.bool, got torch.*Problem\(.*dtype=torch.bool\)"
    ):
        searcher(onemax(dtype=dtype))


def test_several_objectives_need_an_index():
    with pytest.raises(ValueError, match="obj_index"):
        searcher(onemax(["max", "max"]))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"popsize": 1}, ValueError, "popsize: expected a whole number of at least 2, got 1"),
        ({"popsize": 2.5}, ValueError, "popsize: expected a whole number of at least 2, got 2.5"),
        ({"center_learning_rate": 0.0}, ValueError, "center_learning_rate: expected a positive number, got 0.0"),
        ({"center_learning_rate": math.nan}, ValueError, "center_learning_rate: expected a positive number, got nan"),
        ({"ranking_method": "best"}, ValueError, "ranking_method: expected one of .*; got 'best'"),
        ({"optimizer": "adamw"}, ValueError, "optimizer: expected .*, got 'adamw'"),
        ({"optimizer": 3}, TypeError, "optimizer: expected .*, got 3"),
        ({"optimizer": None, "optimizer_config": {"beta1": 1}}, ValueError, "optimizer_config: expected None with"),
        ({"prob_min": 0.5}, ValueError, r"prob_min: expected a number in \[0, 0.5\), got 0.5"),
        ({"prob_init": 0.05, "prob_min": 0.1}, ValueError, r"prob_init: expected values in \[0.1, 0.9\].*from 0.05"),
        (
            {"prob_min": [0.1] * 39 + [0.5]},
            ValueError,
            r"prob_min: expected numbers in \[0, 0.5\), got numbers from 0.1",
        ),
        ({"prob_min": "low"}, ValueError, "prob_min: expected a number or one for each bit, got 'low'"),
        (
            {"prob_min": [0.1] * 40, "prob_init": 0.05},
            ValueError,
            "prob_init: expected values in .prob_min.*for each bit",
        ),
        ({"prob_init": [0.5, 0.5]}, ValueError, r"prob_init: expected a number or shape \(40,\), got shape \(2,\)"),
    ],
)
def test_bad_arguments_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        searcher(**settings)
