"""What the searchers of this package share: sample a population, evaluate it, rank it and learn from it at once."""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import ClassVar

import torch
from evotorch import Problem, Solution
from evotorch.algorithms.searchalgorithm import SearchAlgorithm

from ec_evotorch.distributions.utilities import check_ranking_method
from ec_evotorch.generation.optimizer import make_optimizer
from ec_evotorch.generation.population import Population
from ec_evotorch.generation.solution_state import load_solution, solution_state
from ec_evotorch.randomness import draw_key
from ec_evotorch.rollout.problem import RolloutProblem
from ec_evotorch.threads import one_torch_thread


class PopulationSearch(SearchAlgorithm):
    """A searcher whose population is a function of (key, generation, what was learned) and which ranks it soundly.

    A subclass declares the dtype it searches over, and makes `_learner`, a `Learner` with the settings `_learning`.

    Status after step k, besides that of the problem (`best`, `best_eval`, …) and of the subclass:
        pop_best, pop_best_eval: best finite solution of the population of step k; of NaNs only, its first one.
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
        chunk_size: int | None = None,
        **status_getters,
    ):
        """Checks the arguments that all searchers have in common and allocates the population, or a chunk of it.

        Args:
            problem: an EvoTorch problem of dtype `DTYPE`.
            popsize: solutions a step, at least 2.
            center_learning_rate: step size of the optimizer, or of plain ascent; positive.
            optimizer: see `make_optimizer`.
            optimizer_config: see `make_optimizer`.
            ranking_method: see `compute_utilities`; None means "raw".
            obj_index: which objective to follow; needed when there are several.
            chunk_size: how many solutions are kept in memory at once; None for all.
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
        chunk_size = popsize if chunk_size is None else chunk_size
        if isinstance(chunk_size, bool) or not isinstance(chunk_size, Integral) or chunk_size < 1:
            raise ValueError(f"chunk_size: expected a positive whole number or None, got {chunk_size!r}")
        if not isinstance(center_learning_rate, Real) or not 0.0 < center_learning_rate < float("inf"):
            raise ValueError(f"center_learning_rate: expected a positive number, got {center_learning_rate!r}")
        ranking_method = ranking_method or "raw"
        check_ranking_method(ranking_method)

        SearchAlgorithm.__init__(
            self,
            problem,
            pop_best=self._get_pop_best,
            pop_best_eval=self._get_pop_best_eval,
            mean_eval=self._get_mean_eval,
            median_eval=self._get_median_eval,
            **status_getters,
        )
        self._obj_index = problem.normalize_obj_index(obj_index)
        optimizer = make_optimizer(
            optimizer,
            optimizer_config,
            stepsize=center_learning_rate,
            solution_length=problem.solution_length,
            device=problem.device,
        )
        sizes = [min(int(chunk_size), int(popsize) - row) for row in range(0, int(popsize), int(chunk_size))]
        buffers = {size: Population(problem, size, device=problem.device, empty=True) for size in dict.fromkeys(sizes)}
        self._chunks = [buffers[size] for size in sizes]
        self._evals = self._pop_best = None
        self._learning = {
            "popsize": int(popsize),
            "key": draw_key(problem),
            "objective_sense": problem.senses[self._obj_index],
            "ranking_method": ranking_method,
            "optimizer": optimizer,
            "learning_rate": float(center_learning_rate),
        }

    @property
    def population(self) -> Population:
        """The solutions of the last step and their evaluations; reused by the next step.

        Raises:
            RuntimeError: if there is a `chunk_size` smaller than `popsize`: they are not kept then.
        """
        if len(self._chunks) > 1:
            raise RuntimeError(
                "population: not kept, as chunk_size says; status has pop_best and the evaluations' mean"
            )
        return self._chunks[0]

    @property
    def optimizer(self):
        """The optimizer that turns gradients into steps, or None for plain ascent."""
        return self._learner.optimizer

    @property
    def obj_index(self) -> int:
        """Index of the objective that is followed."""
        return self._obj_index

    @property
    def key(self) -> int:
        """The 64-bit key of every population of this search."""
        return self._learner.key

    def _step(self) -> None:
        rows = self._learner.rows(self.step_count)
        has_workers = isinstance(self.problem, RolloutProblem) and self.problem.num_actors > 0
        if has_workers:  # they play while the population is sampled here
            self.problem.begin_generation(rows, self._learner)
        evals, self._pop_best = [], None
        for chunk in self._sampled_chunks(rows):
            self.problem.evaluate(chunk)
            evals.append(chunk.access_evals(self._obj_index).clone())
            self._keep_best(chunk)
        self._evals = torch.cat(evals)
        if has_workers:  # their copies learn while this one does
            self.problem.end_generation(self._evals, self._learner)
        self._learner.learn(self._evals, self._sampled_values(rows))

    def _sampled_chunks(self, rows) -> Iterator[Population]:
        """The population in parts, each sampled when its turn comes; a later one may overwrite it."""
        first_row, popsize = 0, sum(map(len, self._chunks))
        for chunk in self._chunks:
            chunk.place(rows, first_row, popsize)
            rows.fill(chunk.access_values(), first_row)
            first_row += len(chunk)
            yield chunk

    def _sampled_values(self, rows) -> Iterator[torch.Tensor]:
        """The rows of this step's population in parts, sampled once more unless they are still there."""
        if len(self._chunks) == 1:
            yield self._chunks[0].access_values(keep_evals=True)
        else:
            yield from (chunk.access_values() for chunk in self._sampled_chunks(rows))

    def _keep_best(self, chunk: Population) -> None:
        best = chunk[int(chunk.argbest(self._obj_index))]
        value = best.evals[self._obj_index]
        before = None if self._pop_best is None else self._pop_best.evals[self._obj_index]
        sign = 1 if self.problem.senses[self._obj_index] == "max" else -1
        if before is None or not torch.isfinite(before) or sign * value > sign * before:
            self._pop_best = best.clone()

    def state_dict(self) -> dict:
        """What steps change, for `load_state_dict` of a searcher made with the same arguments; see `Resumable`."""
        return {
            "learner": self._learner.state_dict(),
            "evals": self._evals,
            "pop_best": solution_state(self._pop_best),
        }

    def load_state_dict(self, state: dict) -> None:
        self._learner.load_state_dict(state["learner"])
        self._evals = None if state["evals"] is None else torch.as_tensor(state["evals"]).to(self.problem.device)
        self._pop_best = load_solution(self.problem, state["pop_best"])

    def _get_finite_evals(self) -> torch.Tensor:
        return self._evals[torch.isfinite(self._evals)]

    def _get_pop_best(self) -> Solution:
        return self._pop_best

    def _get_pop_best_eval(self) -> float:
        return float(self._pop_best.evals[self._obj_index])

    def _get_mean_eval(self) -> float:
        with one_torch_thread():
            return self._get_finite_evals().mean().item()

    def _get_median_eval(self) -> float:
        finite = self._get_finite_evals()
        return finite.median().item() if len(finite) else float("nan")
