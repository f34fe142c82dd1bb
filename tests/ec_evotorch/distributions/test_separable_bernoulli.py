"""The search distribution, as EvoTorch and as a user see it."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
import torch
from evotorch import Problem
from evotorch.optimizers import Adam, ClipUp
from evotorch.tools import as_read_only_tensor
from evotorch.tools.ranking import rankers

from ec_evotorch.distributions.bernoulli import entropy_descent
from ec_evotorch.distributions.separable_bernoulli import SeparableBernoulli

RANKING_METHODS = sorted(rankers)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def distribution(rho=(0.2, 0.5, 0.9), **parameters):
    return SeparableBernoulli({"rho": torch.tensor(rho), **parameters})


# --- the protocol of EvoTorch ---


def test_rho_stays_float32_whatever_dtype_evotorch_asks_for():
    problem_dtype = distribution().modified_copy(dtype=torch.bool)
    assert problem_dtype.rho.dtype == problem_dtype.dtype == torch.float32
    assert problem_dtype.sample(2).dtype == torch.bool


def test_modified_copy_keeps_the_other_parameters():
    copy = distribution(prob_min=0.1).modified_copy(rho=torch.tensor([0.3, 0.4]))
    assert copy.solution_length == 2
    assert copy.parameters["prob_min"] == 0.1


def test_evotorch_can_sample_and_compute_gradients_with_it():
    problem = Problem(
        "max",
        lambda theta: theta.float().sum(1),
        vectorized=True,
        solution_length=3,
        dtype=torch.bool,
        initial_bounds=(False, True),
        seed=1,
    )
    result = problem.sample_and_compute_gradients(distribution(), 500, ranking_method="centered")
    assert (result["gradients"]["rho"] > 0.0).all()


def test_the_read_only_views_of_evotorch_are_good_arguments():
    theta = distribution().sample(4, generator=generator())
    fitnesses = torch.tensor([1.0, 3.0, 2.0, 0.0])
    settings = {"objective_sense": "max", "ranking_method": "centered"}
    expected = distribution().compute_gradients(theta, fitnesses, **settings)["rho"]
    views = as_read_only_tensor(theta), as_read_only_tensor(fitnesses)
    assert torch.equal(distribution().compute_gradients(*views, **settings)["rho"], expected)
    assert torch.equal(distribution().log_prob(views[0]), distribution().log_prob(theta))


@pytest.mark.parametrize(
    ("parameters", "kwargs", "error", "message"),
    [
        ({}, {}, ValueError, 'parameters: expected an entry "rho"'),
        ({"rho": [0.5], "sigma": 1.0}, {}, ValueError, "Unrecognized parameter: 'sigma'"),
        ({"rho": [0.5, 1.1]}, {}, ValueError, r"rho: expected probabilities in \[0, 1\]"),
        ({"rho": [0.5, math.nan]}, {}, ValueError, r"rho: expected probabilities in \[0, 1\]"),
        ({"rho": [[0.5]]}, {}, ValueError, r"rho: expected a non-empty 1-dimensional tensor, got shape \(1, 1\)"),
        ({"rho": [0.5]}, {"solution_length": 2}, ValueError, "solution_length: expected the length 1 of rho, got 2"),
        ({"rho": [0.5], "prob_min": 0.5}, {}, ValueError, r"prob_min: expected a number in \[0, 0.5\), got 0.5"),
        ({"rho": [0.5], "entropy_decay": -1.0}, {}, ValueError, "entropy_decay: expected a number"),
        ({"rho": [0.5]}, {"dtype": torch.float64}, TypeError, "dtype: expected .*, got torch.float64"),
    ],
)
def test_bad_parameters_are_refused(parameters, kwargs, error, message):
    with pytest.raises(error, match=message):
        SeparableBernoulli(parameters, **kwargs)


# --- sampling ---


def test_samples_are_boolean_with_frequencies_rho():
    theta = distribution().sample(100_000, generator=generator())
    assert theta.dtype == torch.bool
    # Standard errors are at most 0.0016: false alarm once in a million seeds.
    torch.testing.assert_close(theta.float().mean(0), distribution().rho, atol=0.008, rtol=0.0)


def test_equal_generator_states_sample_equal_bits_and_advance():
    shared = generator()
    first = distribution().sample(50, generator=shared)
    assert torch.equal(first, distribution().sample(50, generator=generator()))
    assert not torch.equal(first, distribution().sample(50, generator=shared))


def test_a_problem_serves_as_generator():
    by_problem = distribution().sample(50, generator=SimpleNamespace(generator=generator()))
    assert torch.equal(by_problem, distribution().sample(50, generator=generator()))


def test_sampling_into_a_tensor_fills_that_tensor():
    out = torch.empty((50, 3), dtype=torch.bool)
    assert distribution().sample(out=out, generator=generator()) is out
    assert torch.equal(out, distribution().sample(50, generator=generator()))


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({}, ValueError, "both `num_solutions` and `out` as None"),
        ({"num_solutions": 1, "out": torch.empty((1, 3), dtype=torch.bool)}, ValueError, "Received both"),
        ({"out": torch.empty((1, 4), dtype=torch.bool)}, ValueError, "has 4 columns"),
        ({"out": torch.empty((1, 3))}, TypeError, "out: expected .*torch.bool, got torch.float32"),
    ],
)
def test_sampling_refuses(kwargs, error, message):
    with pytest.raises(error, match=message):
        distribution().sample(**kwargs)


# --- gradients and updates ---


def test_gradient_points_to_the_better_network_for_either_sense():
    theta = torch.tensor([[True, False, True], [False, False, True]])
    maximised = distribution().compute_gradients(theta, [5.0, 1.0], objective_sense="max", ranking_method="centered")
    minimised = distribution().compute_gradients(theta, [5.0, 1.0], objective_sense="min", ranking_method="centered")
    torch.testing.assert_close(maximised["rho"], torch.tensor([0.25, 0.0, 0.0]))
    torch.testing.assert_close(minimised["rho"], torch.tensor([-0.25, 0.0, 0.0]))


def test_raw_is_the_default_ranking_and_has_the_mean_as_its_baseline():
    theta = torch.tensor([[True, False, True], [False, False, True]])
    gradients = distribution().compute_gradients(theta, [5.0, 1.0], objective_sense="max")
    # utilities ±2 about their mean; column 0: (2·0.8 + 2·0.2)/2; columns 1 and 2 are the same in both networks
    torch.testing.assert_close(gradients["rho"], torch.tensor([1.0, 0.0, 0.0]))


@pytest.mark.parametrize("ranking_method", RANKING_METHODS)
def test_a_constant_added_to_all_fitnesses_changes_no_gradient(ranking_method):
    theta = distribution().sample(9, generator=generator())
    fitnesses = torch.arange(9.0).roll(4)
    settings = {"objective_sense": "max", "ranking_method": ranking_method}
    near = distribution().compute_gradients(theta, fitnesses, **settings)["rho"]
    far = distribution().compute_gradients(theta, fitnesses + 1000.0, **settings)["rho"]
    torch.testing.assert_close(far, near)


@pytest.mark.parametrize("ranking_method", RANKING_METHODS)
def test_fitnesses_without_differences_give_a_gradient_of_exactly_zero(ranking_method):
    theta = distribution().sample(9, generator=generator())
    gradients = distribution().compute_gradients(
        theta, torch.full((9,), 0.1), objective_sense="max", ranking_method=ranking_method
    )
    assert not gradients["rho"].any()


@pytest.mark.parametrize("count", [0, 2, 4])
def test_one_fitness_is_needed_for_each_network(count):
    theta = distribution().sample(3, generator=generator())
    with pytest.raises(ValueError, match="utilities: expected"):
        distribution().compute_gradients(theta, torch.ones(count), objective_sense="max")


@pytest.mark.parametrize("ranking_method", RANKING_METHODS)
def test_failed_evaluations_never_reach_rho(ranking_method):
    theta = distribution().sample(4, generator=generator())
    fitnesses = torch.tensor([math.nan, 1.0, math.inf, -math.inf])
    gradients = distribution().compute_gradients(theta, fitnesses, objective_sense="max", ranking_method=ranking_method)
    assert torch.isfinite(gradients["rho"]).all()


def test_when_every_evaluation_failed_the_gradient_is_zero():
    theta = distribution().sample(3, generator=generator())
    gradients = distribution().compute_gradients(theta, [math.nan] * 3, objective_sense="max")
    assert gradients["rho"].tolist() == [0.0, 0.0, 0.0]


class PublishedAdam:
    """Adam as the published run computed it: with 1 − β^t in float32, which is off by up to 1e-5 of itself."""

    def __init__(self, stepsize: float, solution_length: int):
        self.stepsize, self.num_steps = np.float32(stepsize), 0
        self.mean, self.square = np.zeros((2, solution_length), dtype=np.float32)

    def ascent(self, gradient):
        gradient = gradient.numpy()
        self.num_steps += 1
        self.mean = np.float32(0.9) * self.mean + np.float32(0.1) * gradient
        self.square = np.float32(0.999) * self.square + np.float32(0.001) * gradient**2
        mean = self.mean / (1 - np.power(np.float32(0.9), np.float32(self.num_steps)))
        square = self.square / (1 - np.power(np.float32(0.999), np.float32(self.num_steps)))
        return torch.from_numpy(self.stepsize * (mean / (np.sqrt(square) + np.float32(1e-8))))


def replayed_rho(golden_update, optimizer):
    """Feeds the published networks and fitnesses to a distribution; returns ρ before, between and after."""
    current = distribution(golden_update["rho"][0], prob_min=float(golden_update["epsilon"]))
    rhos = [current.rho]
    for theta, fitness in zip(golden_update["theta"], golden_update["fitness"], strict=True):
        gradients = current.compute_gradients(
            torch.from_numpy(theta), fitness, objective_sense="max", ranking_method="centered"
        )
        current = current.update_parameters(gradients, optimizers={"rho": optimizer})
        rhos.append(current.rho)
    return torch.stack(rhos).numpy()


def test_rho_follows_the_published_trajectory(golden_update):
    adam = PublishedAdam(float(golden_update["learning_rate"]), golden_update["rho"].shape[1])
    np.testing.assert_allclose(replayed_rho(golden_update, adam), golden_update["rho"], rtol=0.0, atol=1e-6)


def test_with_the_adam_of_evotorch_rho_stays_close_to_the_published_trajectory(golden_update):
    # PyTorch corrects the bias in double precision, hence the wider tolerance; see PublishedAdam.
    adam = Adam(
        stepsize=float(golden_update["learning_rate"]),
        solution_length=golden_update["rho"].shape[1],
        dtype=torch.float32,
    )
    np.testing.assert_allclose(replayed_rho(golden_update, adam), golden_update["rho"], rtol=0.0, atol=5e-6)


def test_an_update_makes_a_new_distribution():
    old = distribution()
    new = old.update_parameters({"rho": torch.tensor([1.0, -1.0, 0.0])}, learning_rates={"rho": 0.1})
    torch.testing.assert_close(new.rho, torch.tensor([0.3, 0.4, 0.9]))
    assert torch.equal(old.rho, torch.tensor([0.2, 0.5, 0.9]))


@pytest.mark.parametrize(("prob_min", "expected"), [(0.0, [1.0, 0.0]), (0.05, [0.95, 0.05])])
def test_updates_are_clipped(prob_min, expected):
    new = distribution((0.5, 0.5), prob_min=prob_min).update_parameters({"rho": torch.tensor([9.0, -9.0])})
    torch.testing.assert_close(new.rho, torch.tensor(expected))


@pytest.mark.parametrize("optimizer", [Adam, ClipUp])
def test_a_zero_gradient_changes_nothing(optimizer):
    optimizers = {"rho": optimizer(stepsize=0.1, solution_length=3, dtype=torch.float32)}
    moved = distribution().update_parameters({"rho": torch.tensor([1.0, -1.0, 0.5])}, optimizers=optimizers)
    assert torch.equal(moved.update_parameters({"rho": torch.zeros(3)}, optimizers=optimizers).rho, moved.rho)


# --- what it says of itself ---


def test_log_prob_is_that_of_scipy():
    theta = distribution().sample(20, generator=generator())
    expected = scipy.stats.bernoulli.logpmf(theta.int().numpy(), distribution().rho.double().numpy()).sum(1)
    torch.testing.assert_close(distribution().log_prob(theta), torch.from_numpy(expected).float())


def test_center_is_the_most_probable_network():
    assert distribution((0.49, 0.5, 0.51)).center.tolist() == [False, False, True]


def test_density_is_the_mean_of_rho():
    assert distribution((0.25, 0.5, 0.75, 1.0)).density == 0.625


def test_an_update_goes_up_the_gradient_and_then_down_the_entropy():
    """By plain numbers: 0.2 + 0.1 = 0.3, and then 0.5 · 0.3 · 0.7 · ln(0.3 / 0.7) further; bounds hold both times."""
    one = distribution((0.2, 0.5, 0.9, 0.0), prob_min=0.02, entropy_decay=0.5)
    moved = one.update_parameters({"rho": torch.tensor([0.1, 0.0, 0.5, 0.0])}, learning_rates={"rho": 1.0})
    low = 0.02 + 0.5 * 0.02 * 0.98 * math.log(0.02 / 0.98)  # below 0.02
    assert low < 0.02
    torch.testing.assert_close(moved.rho, torch.tensor([0.3 + 0.105 * math.log(3 / 7), 0.5, 0.98, 0.02]))
    assert torch.equal(one.update_parameters({"rho": torch.zeros(4)}, learning_rates={"rho": 1.0}).rho, one.rho)


def test_the_descent_of_entropy_by_hand():
    rho = torch.tensor([0.0, 0.3, 0.5, 0.9, 1.0])
    expected = torch.tensor([0.0, 0.21 * math.log(3 / 7), 0.0, 0.09 * math.log(9), 0.0])
    torch.testing.assert_close(entropy_descent(rho), expected)


def test_entropy_is_in_bits_per_connection():
    assert distribution((0.5, 0.5)).entropy == pytest.approx(1.0)
    assert distribution((0.0, 1.0)).entropy == 0.0
    rho = (0.2, 0.5, 0.9)
    expected = sum(scipy.stats.bernoulli.entropy(p) for p in rho) / math.log(2.0) / 3.0
    assert distribution(rho).entropy == pytest.approx(expected, abs=1e-6)


def test_density_and_entropy_do_not_depend_on_the_number_of_threads():
    rho = torch.rand(10, 80_000, generator=torch.Generator().manual_seed(0))  # PyTorch splits sums as long as this
    many = [SeparableBernoulli({"rho": row}) for row in rho]
    before = torch.get_num_threads()
    try:
        values = []
        for num_threads in (1, 2, 3):
            torch.set_num_threads(num_threads)
            values.append([(one.density, one.entropy) for one in many])
    finally:
        torch.set_num_threads(before)
    assert values[0] == values[1] == values[2]
