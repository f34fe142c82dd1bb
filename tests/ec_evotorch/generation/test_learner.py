"""One algorithm over any seeded distribution: through the searcher, through EvoTorch's methods, in chunks, resumed."""

import math
from dataclasses import dataclass, replace
from itertools import chain, repeat

import pytest
import torch
from evotorch import Problem
from evotorch.optimizers import Adam, ClipUp
from evotorch.tools.ranking import rankers

from ec_evotorch import EvolvingConnectivity, Resumable, SeparableBernoulli
from ec_evotorch.distributions.antithetic_gaussian import AntitheticGaussian
from ec_evotorch.distributions.philox_gaussian import PhiloxGaussian
from ec_evotorch.distributions.weighted_sum import sum_weighted_rows
from ec_evotorch.generation.learner import Learner
from ec_evotorch.generation.seeded_rows import SeededRows
from ec_evotorch.protocols import SeededDistribution
from ec_evotorch.randomness import make_generator
from ec_evotorch.searchers.population_search import PopulationSearch

LENGTH, POPSIZE, LEARNING_RATE = 40, 7, 0.1
OPTIMIZERS = {
    "adam": lambda: Adam(stepsize=LEARNING_RATE, solution_length=LENGTH, dtype=torch.float32),
    "clipup": lambda: ClipUp(stepsize=LEARNING_RATE, solution_length=LENGTH, dtype=torch.float32),
    "plain": lambda: None,
}
FITNESSES = {
    "different": lambda theta: theta @ torch.linspace(-1.0, 2.0, LENGTH),
    "far from zero": lambda theta: 1e4 + theta @ torch.linspace(-1.0, 2.0, LENGTH),
    "some equal": lambda theta: theta[:, :3].sum(dim=1),
    "all equal": lambda theta: torch.full((len(theta),), 0.1),
    "some failed": lambda theta: torch.where(theta[:, 0] > 0, math.nan, theta.sum(dim=1)),
    "all failed": lambda theta: torch.full((len(theta),), math.nan),
}


# --- a step of the searcher is EvoTorch's three methods ---


@pytest.mark.parametrize("ranking_method", sorted(rankers))
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("fitness", FITNESSES)
@pytest.mark.parametrize("sense", ["max", "min"])
def test_a_step_is_to_sample_compute_gradients_and_update_parameters(ranking_method, optimizer, fitness, sense):
    fitnesses = chain([FITNESSES["different"]], repeat(FITNESSES[fitness]))  # the first generation must not fail
    problem = Problem(
        sense,
        lambda theta: next(fitnesses)(theta.float()),
        solution_length=LENGTH,
        dtype=torch.bool,
        vectorized=True,
        eval_dtype=torch.float64,
        seed=3,
    )
    search = EvolvingConnectivity(
        problem,
        popsize=POPSIZE,
        center_learning_rate=LEARNING_RATE,
        ranking_method=ranking_method,
        optimizer=OPTIMIZERS[optimizer](),
    )
    by_hand, other = search.distribution, OPTIMIZERS[optimizer]()
    for _ in range(3):
        search.step()
        gradients = by_hand.compute_gradients(
            search.population.values,
            search.population.access_evals(0),
            objective_sense=sense,
            ranking_method=ranking_method,
        )
        by_hand = by_hand.update_parameters(
            gradients,
            learning_rates={"rho": LEARNING_RATE} if other is None else None,
            optimizers=None if other is None else {"rho": other},
        )
        assert torch.equal(search.distribution.rho, by_hand.rho)


def test_sample_gives_the_first_generation_of_the_key_that_it_draws():
    problem = Problem("max", lambda theta: theta.sum(), solution_length=LENGTH, dtype=torch.bool, seed=3)
    state = problem.generator.get_state()
    search = EvolvingConnectivity(problem, popsize=POPSIZE)
    first = torch.empty(POPSIZE, LENGTH, dtype=torch.bool)
    SeededRows(search.distribution, POPSIZE, search.key, 0).fill(first, 0)
    problem.generator.set_state(state)
    assert torch.equal(search.distribution.sample(POPSIZE, generator=problem), first)


# --- a distribution of one's own is one class and a searcher of a few lines ---


@dataclass(frozen=True, eq=False)
class IsotropicGaussian:
    """Independent normal vectors center + σ ε, without antithetic pairs."""

    center: torch.Tensor
    stdev: float

    @property
    def vector(self):
        return self.center

    def with_vector(self, vector):
        return replace(self, center=vector)

    def fill_rows(self, out, key, generation, first_row, popsize):
        for k, row in enumerate(out, start=first_row):
            row.normal_(generator=make_generator(key, generation * popsize + k))
            row.mul_(self.stdev).add_(self.center)

    def updated(self, parts, utilities, optimizer, learning_rate):
        weights, total, row = utilities - utilities.mean(), None, 0
        for rows in parts:
            total = sum_weighted_rows(rows, weights[row : row + len(rows)], total)
            row += len(rows)
        gradient = (total / (len(utilities) * self.stdev)).to(torch.float32)
        step = learning_rate * gradient if optimizer is None else optimizer.ascent(gradient)
        return self.with_vector(self.center + step)


class IsotropicSearch(PopulationSearch):
    """A searcher over `IsotropicGaussian`."""

    DTYPE = torch.float32
    HOW_TO_GET_DTYPE = "Make a problem with Problem(..., dtype=torch.float32)."

    def __init__(self, problem, *, stdev=0.1, **options):
        super().__init__(problem, center=self._get_center, **options)
        self._begin_with(IsotropicGaussian(torch.ones(problem.solution_length), stdev))

    def _get_center(self):
        return self.distribution.vector


def isotropic_search(**options):
    problem = Problem(
        "min", lambda x: x.square().sum(dim=1), solution_length=5, initial_bounds=(-1, 1), vectorized=True, seed=3
    )
    return IsotropicSearch(problem, **{"popsize": 20, "center_learning_rate": 0.05, **options})


def test_a_third_distribution_finds_the_minimum():
    search = isotropic_search()
    search.run(100)
    assert search.status["center"].norm() < 0.3  # it starts at √5 = 2.2
    assert search.status["best_eval"] < 0.1


@pytest.mark.parametrize("optimizer", ["adam", None])
@pytest.mark.parametrize("chunk_size", [1, 3, 7, 20])
def test_a_third_distribution_works_in_chunks(chunk_size, optimizer):
    whole, chunked = isotropic_search(optimizer=optimizer), isotropic_search(optimizer=optimizer, chunk_size=chunk_size)
    whole.run(3)
    chunked.run(3)
    assert torch.equal(chunked.status["center"], whole.status["center"])


@pytest.mark.parametrize("chunk_size", [3, None])
def test_a_third_distribution_is_resumed_to_the_last_bit(chunk_size):
    unbroken = isotropic_search(chunk_size=chunk_size)
    resumable = Resumable(unbroken)
    unbroken.run(2)
    state = resumable.state_dict()
    unbroken.run(2)
    again = isotropic_search(chunk_size=chunk_size)
    Resumable(again).load_state_dict(state)
    again.run(2)
    assert torch.equal(again.status["center"], unbroken.status["center"])
    assert again.status["best_eval"] == unbroken.status["best_eval"]


# --- the laws of every seeded distribution ---


def bernoulli():
    return SeparableBernoulli({"rho": torch.linspace(0.1, 0.9, LENGTH), "prob_min": 0.05}), torch.bool


def antithetic():
    return AntitheticGaussian(torch.linspace(-1.0, 1.0, LENGTH), 0.5, 0.1), torch.float32


def philox():
    return PhiloxGaussian(torch.linspace(-1.0, 1.0, LENGTH), 0.5, 0.1), torch.float32


def isotropic():
    return IsotropicGaussian(torch.linspace(-1.0, 1.0, LENGTH), 0.5), torch.float32


EVERY = pytest.mark.parametrize("make", [bernoulli, antithetic, philox, isotropic])
COUNT, KEY = 8, 0x9E3779B97F4A7C15


def sampled(distribution, dtype, *, key=KEY, generation=3, first_row=0, count=COUNT):
    out = torch.empty(count, LENGTH, dtype=dtype)
    distribution.fill_rows(out, key, generation, first_row, COUNT)
    return out


@EVERY
def test_it_has_what_a_search_needs(make):
    assert isinstance(make()[0], SeededDistribution)


@EVERY
def test_its_rows_are_functions_of_their_number(make):
    distribution, dtype = make()
    whole = sampled(distribution, dtype)
    for first_row, count in ((0, 1), (2, 5), (5, 3), (7, 1)):
        part = sampled(distribution, dtype, first_row=first_row, count=count)
        assert torch.equal(part, whole[first_row : first_row + count])
    assert not torch.equal(sampled(distribution, dtype, generation=4), whole)
    assert not torch.equal(sampled(distribution, dtype, key=KEY + 1), whole)


@EVERY
def test_another_vector_is_all_that_a_copy_changes(make):
    distribution, dtype = make()
    before = distribution.vector.clone()
    other = distribution.with_vector(torch.full((LENGTH,), 0.5))
    assert other.vector.tolist() == [0.5] * LENGTH
    assert torch.equal(distribution.vector, before)
    assert torch.equal(sampled(other.with_vector(before), dtype), sampled(distribution, dtype))


@EVERY
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_learning_makes_another_distribution_whatever_the_parts(make, optimizer):
    distribution, dtype = make()
    before, rows = distribution.vector.clone(), sampled(distribution, dtype)
    utilities = torch.linspace(-0.5, 0.5, COUNT, dtype=torch.float64)
    learned = [
        distribution.updated(rows.split(size), utilities, OPTIMIZERS[optimizer](), LEARNING_RATE).vector
        for size in (COUNT, 1, 3)
    ]
    assert torch.equal(distribution.vector, before)
    assert not torch.equal(learned[0], before)
    assert torch.equal(learned[1], learned[0])
    assert torch.equal(learned[2], learned[0])


@EVERY
def test_a_copy_of_a_learner_learns_the_same(make):
    def make_learner():
        distribution, _ = make()
        settings = {"objective_sense": "max", "ranking_method": "centered", "learning_rate": LEARNING_RATE}
        return Learner(distribution, popsize=COUNT, key=KEY, optimizer=OPTIMIZERS["adam"](), **settings)

    first, second = make_learner(), make_learner()
    second.key = 0
    evals, dtype = torch.arange(COUNT).double().roll(3), make()[1]

    def learn(learner):
        rows = torch.empty(COUNT, LENGTH, dtype=dtype)
        learner.rows(5).fill(rows, 0)
        learner.learn(evals, [rows])

    learn(first)
    second.load_state_dict(first.state_dict())
    assert second.digest() == first.digest()
    learn(first)
    assert second.digest() != first.digest()
    learn(second)
    assert second.digest() == first.digest()
