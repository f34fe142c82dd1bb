"""What the searchers of this package share: sample a population, evaluate it, rank it and learn from it at once."""

from numbers import Integral
from typing import ClassVar

import torch
from evotorch import Problem
from evotorch.algorithms.searchalgorithm import SearchAlgorithm, SinglePopulationAlgorithmMixin

from ec_evotorch.optimizer import make_optimizer
from ec_evotorch.philox import draw_key
from ec_evotorch.population import Population
from ec_evotorch.utilities import check_ranking_method, compute_utilities


class RankedSearch(SearchAlgorithm, SinglePopulationAlgorithmMixin):
    """A searcher whose population is a function of (key, generation, what was learned) and which ranks it soundly.

    A subclass declares the dtype it searches over, and writes `_sample` and `_update`.

    Status after step k, besides that of the problem (`best`, `best_eval`, …) and of the subclass:
        pop_best, pop_best_eval: best finite solution of the population of step k.
        mean_eval, median_eval: over the finite evaluations of that population; NaN when there is none.
        iter: k.

    Randomness: one key is drawn from `problem.generator` at construction (`Problem(..., seed=...)` sets it; without a
    seed EvoTorch means PyTorch's default generator). Later draws from the generator, by whomever, change nothing.
    """

    DTYPE: ClassVar[torch.dtype]
    HOW_TO_GET_DTYPE: ClassVar[str]

    def __init__(
        self,
        problem: Problem,
        *,
        popsize: int,
        center_learning_rate: float,
        optimizer,
        optimizer_config: dict | None,
        ranking_method: str | None,
        obj_index: int | None,
        **status_getters,
    ):
        """Checks the arguments that all searchers have in common and allocates the population.

        Args:
            problem: an EvoTorch problem of dtype `DTYPE`.
            popsize: solutions a step, at least 2.
            center_learning_rate: step size of the optimizer, or of plain ascent; positive.
            optimizer: see `make_optimizer`.
            optimizer_config: see `make_optimizer`.
            ranking_method: see `compute_utilities`; None means "raw".
            obj_index: which objective to follow; needed when there are several.
            **status_getters: the subclass's own entries of the status, see EvoTorch's `SearchAlgorithm`.

        Raises:
            ValueError: if the problem has another dtype, or an argument is out of its range or unknown.
            TypeError: if `optimizer` is nothing that can be one.
        """
        if problem.dtype != self.DTYPE:
            raise ValueError(
                f"problem: {type(self).__name__} needs a problem of dtype {self.DTYPE}, got {problem.dtype}."
                f" {self.HOW_TO_GET_DTYPE}"
            )
        if not isinstance(popsize, Integral) or popsize < 2:
            raise ValueError(f"popsize: expected an integer of at least 2, got {popsize!r}")
        if not 0.0 < center_learning_rate < float("inf"):
            raise ValueError(f"center_learning_rate: expected a positive number, got {center_learning_rate!r}")
        ranking_method = ranking_method or "raw"
        check_ranking_method(ranking_method)

        SearchAlgorithm.__init__(
            self, problem, mean_eval=self._get_mean_eval, median_eval=self._get_median_eval, **status_getters
        )
        self._obj_index = problem.normalize_obj_index(obj_index)
        self._ranking_method = ranking_method
        self._optimizer = make_optimizer(
            optimizer,
            optimizer_config,
            stepsize=center_learning_rate,
            solution_length=problem.solution_length,
            device=problem.device,
        )
        self._learning_rate = float(center_learning_rate) if self._optimizer is None else None  # of plain ascent
        self._population = Population(problem, int(popsize), device=problem.device, empty=True)
        self._key = draw_key(problem)
        # The mixin adds pop_best and pop_best_eval; its means and medians are NaN after one failed evaluation.
        SinglePopulationAlgorithmMixin.__init__(self, exclude={"mean_eval", "median_eval"})

    @property
    def population(self) -> Population:
        """The solutions of the last step and their evaluations; reused by the next step."""
        return self._population

    @property
    def optimizer(self):
        """The optimizer that turns gradients into steps, or None for plain ascent."""
        return self._optimizer

    @property
    def obj_index(self) -> int:
        """Index of the objective that is followed."""
        return self._obj_index

    @property
    def key(self) -> int:
        """The 64-bit key of every population of this search."""
        return self._key

    def _step(self) -> None:
        self._sample(self._population.access_values())
        self.problem.evaluate(self._population)
        utilities = compute_utilities(
            self._population.access_evals(self._obj_index),
            objective_sense=self.problem.senses[self._obj_index],
            ranking_method=self._ranking_method,
        )
        self._update(self._population.access_values(keep_evals=True), utilities)

    def _sample(self, out: torch.Tensor) -> None:
        """Fills `out` (N, L) with the population of this step, a function of `key` and `step_count` alone."""
        raise NotImplementedError

    def _update(self, samples: torch.Tensor, utilities: torch.Tensor) -> None:
        """Learns from `samples` (N, L) and their `utilities` (N,) float64, finite, higher is better."""
        raise NotImplementedError

    def _get_finite_evals(self) -> torch.Tensor:
        evals = self._population.access_evals(self._obj_index)
        return evals[torch.isfinite(evals)]

    def _get_mean_eval(self) -> float:
        return self._get_finite_evals().mean().item()

    def _get_median_eval(self) -> float:
        finite = self._get_finite_evals()
        return finite.median().item() if len(finite) else float("nan")
