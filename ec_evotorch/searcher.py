"""The searcher of Evolving Connectivity for EvoTorch problems over booleans."""

from numbers import Integral

import torch
from evotorch import Problem
from evotorch.algorithms.searchalgorithm import SearchAlgorithm, SinglePopulationAlgorithmMixin
from evotorch.optimizers import get_optimizer_class

from ec_evotorch.bernoulli import rho_gradient, sample_theta
from ec_evotorch.distribution import SeparableBernoulli
from ec_evotorch.philox import draw_key
from ec_evotorch.population import Population
from ec_evotorch.utilities import check_ranking_method, compute_utilities


class EvolvingConnectivity(SearchAlgorithm, SinglePopulationAlgorithmMixin):
    """Evolving Connectivity: natural evolution strategy over independent bits.

    Works on any EvoTorch problem of dtype `torch.bool`, maximised or minimised. Each step samples `popsize` solutions
    θ_k ~ Bernoulli(ρ), evaluates them, and moves ρ at once along mean_k w_k (θ_k − ρ) (Eq. 14), w being the
    utilities of the fitnesses with their mean subtracted (a baseline; zero already for "centered").

    Status after step k, besides what the problem reports (`best`, `best_eval`, …):
        prob: (L,) float32, ρ after the update of step k.
        center: (L,) bool, θ* = [ρ > 0.5].
        density: mean of ρ.
        entropy: bits per connection, see `SeparableBernoulli.entropy`.
        pop_best, pop_best_eval: best finite solution of the population of step k.
        mean_eval, median_eval: over the finite evaluations of that population; NaN when there is none.
        iter: k.
    The population of step k is sampled from ρ as it was before that step's update.

    Randomness: one key is drawn from `problem.generator` at construction (`Problem(..., seed=...)` sets it; without a
    seed EvoTorch means PyTorch's default generator). From then on population k is a pure function of the key, k and
    ρ, whatever else draws from the generator.

    Deviation: Eq. 14 is plain ascent; as in the published code the default is Adam, with ρ clipped to
    [prob_min, 1 − prob_min].

    Source: Wang et al. (2023), https://arxiv.org/abs/2305.17650; code: https://github.com/imoneoi/EvolvingConnectivity
    """

    def __init__(
        self,
        problem: Problem,
        *,
        popsize: int,
        center_learning_rate: float = 0.05,
        optimizer="adam",
        optimizer_config: dict | None = None,
        prob_init=0.5,
        prob_min: float = 1e-3,
        ranking_method: str | None = "centered",
        obj_index: int | None = None,
    ):
        """Makes the searcher.

        Args:
            problem: any EvoTorch problem of dtype `torch.bool`; bounds are not needed.
            popsize: solutions a step, at least 2.
            center_learning_rate: step size of the optimizer, or η of plain ascent; positive.
            optimizer: "adam", "sgd", "clipup" or another of EvoTorch's names; a class or function that takes its
                keywords (stepsize, solution_length, dtype, device); an object with `ascent(gradient)`, which has its
                own step size; or None for plain ascent.
            optimizer_config: further keywords for the optimizer, such as {"beta1": 0.9, "beta2": 0.99}.
            prob_init: initial ρ, a number or (L,), within [prob_min, 1 − prob_min].
            prob_min: in [0, 0.5); ρ is kept in [prob_min, 1 − prob_min].
            ranking_method: "centered", "linear", "nes", "normalized" or "raw"; None means "raw".
            obj_index: which objective to follow; needed when there are several.

        Raises:
            ValueError: if the problem is not boolean, or an argument is out of its range or unknown.
            TypeError: if `optimizer` is none of the above.
        """
        _check_boolean(problem)
        if not isinstance(popsize, Integral) or popsize < 2:
            raise ValueError(f"popsize: expected an integer of at least 2, got {popsize!r}")
        if not 0.0 < center_learning_rate < float("inf"):
            raise ValueError(f"center_learning_rate: expected a positive number, got {center_learning_rate!r}")
        ranking_method = ranking_method or "raw"
        check_ranking_method(ranking_method)

        SearchAlgorithm.__init__(
            self,
            problem,
            prob=self._get_prob,
            center=self._get_center,
            density=self._get_density,
            entropy=self._get_entropy,
            mean_eval=self._get_mean_eval,
            median_eval=self._get_median_eval,
        )
        self._obj_index = problem.normalize_obj_index(obj_index)
        self._ranking_method = ranking_method
        self._distribution = _initial_distribution(problem, prob_init, prob_min)
        self._optimizer = _make_optimizer(optimizer, optimizer_config, center_learning_rate, self._distribution)
        self._learning_rate = center_learning_rate if self._optimizer is None else None
        self._population = Population(problem, int(popsize), device=problem.device, empty=True)
        self._key = draw_key(problem)
        # The mixin adds pop_best and pop_best_eval; its means and medians are NaN after one failed evaluation.
        SinglePopulationAlgorithmMixin.__init__(self, exclude={"mean_eval", "median_eval"})

    @property
    def population(self) -> Population:
        """The solutions of the last step and their evaluations; reused by the next step."""
        return self._population

    @property
    def distribution(self) -> SeparableBernoulli:
        """The current search distribution; each update makes a new one."""
        return self._distribution

    @property
    def optimizer(self):
        """The optimizer of ρ, or None for plain ascent."""
        return self._optimizer

    @property
    def obj_index(self) -> int:
        """Index of the objective that is followed."""
        return self._obj_index

    @property
    def key(self) -> int:
        """The 64-bit key of every population of this search, see `sample_theta`."""
        return self._key

    def _step(self) -> None:
        rho = self._distribution.rho
        theta = sample_theta(rho, self._population.access_values(), self._key, generation=self.step_count)
        self.problem.evaluate(self._population)
        utilities = compute_utilities(
            self._population.access_evals(self._obj_index),
            objective_sense=self.problem.senses[self._obj_index],
            ranking_method=self._ranking_method,
        )
        if torch.all(utilities == utilities[0]):
            return  # no solution stands out: nothing to follow, and an optimizer would scale up the rounding errors
        gradient = rho_gradient(theta, utilities - utilities.mean(), rho)
        self._distribution = self._distribution.update_parameters(
            {"rho": gradient}, learning_rates={"rho": self._learning_rate}, optimizers={"rho": self._optimizer}
        )

    def _get_prob(self) -> torch.Tensor:
        return self._distribution.rho

    def _get_center(self) -> torch.Tensor:
        return self._distribution.center

    def _get_density(self) -> float:
        return self._distribution.density

    def _get_entropy(self) -> float:
        return self._distribution.entropy

    def _get_finite_evals(self) -> torch.Tensor:
        evals = self._population.access_evals(self._obj_index)
        return evals[torch.isfinite(evals)]

    def _get_mean_eval(self) -> float:
        return self._get_finite_evals().mean().item()

    def _get_median_eval(self) -> float:
        finite = self._get_finite_evals()
        return finite.median().item() if len(finite) else float("nan")


def _check_boolean(problem: Problem) -> None:
    if problem.dtype != torch.bool:
        raise ValueError(
            f"problem: EvolvingConnectivity searches over booleans and needs a problem of dtype torch.bool, got"
            f" {problem.dtype}. Make an EvoTorch problem with Problem(..., dtype=torch.bool), and with"
            f" initial_bounds=(False, True) if anything else is to generate its solutions; give a RolloutProblem an"
            f' agent with connections="boolean".'
        )


def _initial_distribution(problem: Problem, prob_init, prob_min: float) -> SeparableBernoulli:
    rho = torch.as_tensor(prob_init, dtype=torch.float32, device=problem.device)
    if rho.shape not in ((), (problem.solution_length,)):
        raise ValueError(
            f"prob_init: expected a number or shape ({problem.solution_length},), got shape {tuple(rho.shape)}"
        )
    distribution = SeparableBernoulli({"rho": rho.expand(problem.solution_length).clone(), "prob_min": prob_min})
    if not torch.all((rho >= prob_min) & (rho <= 1.0 - prob_min)):
        raise ValueError(
            f"prob_init: expected values in [{prob_min}, {1.0 - prob_min}], as prob_min={prob_min} says, got values"
            f" from {rho.min().item()} to {rho.max().item()}"
        )
    return distribution


def _make_optimizer(optimizer, config: dict | None, stepsize: float, distribution: SeparableBernoulli):
    if optimizer is None or (hasattr(optimizer, "ascent") and not isinstance(optimizer, type)):
        if config is not None:
            raise ValueError(f"optimizer_config: expected None with optimizer={optimizer!r}, got {config!r}")
        return optimizer
    if isinstance(optimizer, str):
        try:
            optimizer = get_optimizer_class(optimizer)
        except ValueError:
            raise ValueError(
                f'optimizer: expected "adam", "sgd", "clipup" or another of EvoTorch\'s names, got {optimizer!r}'
            ) from None
    if not callable(optimizer):
        raise TypeError(f"optimizer: expected a name, a class, an object with ascent() or None, got {optimizer!r}")
    return optimizer(
        stepsize=float(stepsize),
        solution_length=distribution.solution_length,
        dtype=distribution.dtype,
        device=distribution.device,
        **(config or {}),
    )
