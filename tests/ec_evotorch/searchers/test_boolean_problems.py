"""Problems over bits that are no spiking network, against EvoTorch's genetic algorithm at equally many evaluations."""

import pytest
import sklearn.datasets
import torch
from evotorch import Problem
from evotorch.algorithms import GeneticAlgorithm
from evotorch.operators import MultiPointCrossOver

from ec_evotorch import EvolvingConnectivity

SEEDS = [0, 1, 2]
POPSIZE = 50


def boolean_problem(fitness, solution_length, seed):
    return Problem(
        "max",
        fitness,
        solution_length=solution_length,
        dtype=torch.bool,
        initial_bounds=(False, True),
        vectorized=True,
        seed=seed,
    )


def best_of_genetic_algorithm(problem, num_evaluations):
    """Tournaments of four, four-point crossover, one flipped bit a child on average."""

    def flip_bits(values):
        flips = torch.rand(values.shape, generator=problem.generator) < 1.0 / problem.solution_length
        return values ^ flips

    crossover = MultiPointCrossOver(problem, tournament_size=4, num_points=4)
    search = GeneticAlgorithm(problem, popsize=POPSIZE, operators=[crossover, flip_bits], re_evaluate=False)
    search.run(num_evaluations // POPSIZE - 1)  # the first step evaluates parents and children
    return search.status["best_eval"]


def run_evolving_connectivity(problem, num_evaluations, **kwargs):
    search = EvolvingConnectivity(problem, popsize=POPSIZE, **kwargs)
    search.run(num_evaluations // POPSIZE)
    return search


def compare(fitness, solution_length, num_evaluations, **kwargs):
    """Runs both for every seed.

    Returns:
        The fitnesses of EC's centres, those of its best samples and those of the genetic algorithm's, each (seeds,).
    """
    results = []
    for seed in SEEDS:
        search = run_evolving_connectivity(boolean_problem(fitness, solution_length, seed), num_evaluations, **kwargs)
        rival = best_of_genetic_algorithm(boolean_problem(fitness, solution_length, seed), num_evaluations)
        results.append([fitness(search.status["center"][None]).item(), search.status["best_eval"], rival])
    return torch.tensor(results).T


def test_the_rival_is_given_as_many_evaluations():
    counts = []

    def fitness(bits):
        counts.append(len(bits))
        return bits.sum(dim=1).float()

    run_evolving_connectivity(boolean_problem(fitness, 20, seed=0), 200)
    ours = sum(counts)
    counts.clear()
    best_of_genetic_algorithm(boolean_problem(fitness, 20, seed=0), 200)
    assert (ours, sum(counts)) == (200, 200)


def test_onemax():
    centers, best, rival = compare(lambda bits: bits.sum(dim=1).float(), 200, 2500, center_learning_rate=0.1)
    assert centers.min() >= 195.0
    assert best.mean() >= rival.mean()


@pytest.fixture(scope="module")
def feature_fitness():
    """Leave-one-out accuracy of ridge regression on the chosen features of 569 tumours, less 0.002 for each of them.

    The prediction for the one left out is t − (t − fitted) / (1 − leverage), exactly, with no second fit.
    """
    features, classes = sklearn.datasets.load_breast_cancer(return_X_y=True)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    features = torch.nn.functional.pad(torch.tensor(features, dtype=torch.float32), (0, 1), value=1.0)
    targets = torch.tensor(2.0 * classes - 1.0, dtype=torch.float32)

    def fitness(chosen):
        x = features * torch.nn.functional.pad(chosen, (0, 1), value=True)[:, None]
        spread = x @ torch.linalg.inv(x.mT @ x + torch.eye(31))
        fitted, leverage = spread @ (x.mT @ targets)[:, :, None], (spread * x).sum(dim=2)
        left_out = targets - (targets - fitted[:, :, 0]) / (1.0 - leverage)
        return (left_out * targets > 0.0).float().mean(dim=1) - 0.002 * chosen.sum(dim=1)

    return fitness


def test_feature_selection(feature_fitness):
    all_features = feature_fitness(torch.ones(1, 30, dtype=torch.bool)).item()  # 0.896
    centers, best, rival = compare(feature_fitness, 30, 2000, center_learning_rate=0.05)
    assert centers.min() >= all_features + 0.04
    assert best.mean() >= rival.mean() - 0.005  # they are on a par here


@pytest.fixture(scope="module")
def pruning():
    """A 64-16-10 network trained on digits: the fitness of masks of its 1,184 weights, and the weights' magnitudes.

    Fitness is the accuracy with the weights that are kept, less 0.2 for all of them.
    """
    images, digits = sklearn.datasets.load_digits(return_X_y=True)
    images, digits = torch.tensor(images / 16.0, dtype=torch.float32), torch.tensor(digits)
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(shape, generator=generator) / 8.0 for shape in ((64, 16), (16, 10))]
    optimizer = torch.optim.Adam([weight.requires_grad_() for weight in weights], lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy((images @ weights[0]).relu() @ weights[1], digits).backward()
        optimizer.step()
    first, second = (weight.detach() for weight in weights)

    def fitness(kept):
        kept_first, kept_second = kept[:, :1024].reshape(-1, 64, 16), kept[:, 1024:].reshape(-1, 16, 10)
        outputs = (images @ (first * kept_first)).relu() @ (second * kept_second)
        return (outputs.argmax(dim=2) == digits).float().mean(dim=1) - 0.2 * kept.float().mean(dim=1)

    return fitness, torch.cat([first.flatten(), second.flatten()]).abs()


def test_pruning(pruning):
    fitness, magnitudes = pruning
    unpruned = fitness(torch.ones(1, len(magnitudes), dtype=torch.bool)).item()  # 0.8
    centers, best, rival = compare(fitness, len(magnitudes), 4000, center_learning_rate=0.1)
    assert centers.min() >= unpruned + 0.02
    assert best.mean() >= rival.mean()
