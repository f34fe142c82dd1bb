"""What the population-based searchers share: they sample a population, evaluate it, rank it and learn from it."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from evotorch import Problem, Solution
from evotorch.algorithms.searchalgorithm import SearchAlgorithm

from ec_evotorch.distributions.ranking import check_ranking_method
from ec_evotorch.generation.learner import Learner
from ec_evotorch.generation.optimizer import make_optimizer
from ec_evotorch.generation.population import Population, SeededPopulation
from ec_evotorch.generation.seeded_rows import SeededRows
from ec_evotorch.generation.solution_state import load_solution, solution_state
from ec_evotorch.protocols import DeviceDistribution, DeviceProblem, GenerationProblem, SeededDistribution
from ec_evotorch.randomness import draw_key
from ec_evotorch.threads import one_torch_thread
from native.arguments import check_positive, check_whole


class PopulationSearch(SearchAlgorithm):
    """A searcher over a seeded distribution, whose population is a function of (key, generation, what was learned).

    A subclass declares the dtype it searches over, and its constructor calls `_begin_with` on the first distribution:

        class MySearch(PopulationSearch):
            DTYPE = torch.float32
            HOW_TO_GET_DTYPE = "Make a problem with Problem(..., dtype=torch.float32)."

            def __init__(self, problem, *, popsize, center_learning_rate, **options):
                super().__init__(
                    problem,
                    popsize=popsize,
                    center_learning_rate=center_learning_rate,
                    center=self._get_center,  # an entry of the status
                    **options,
                )
                self._begin_with(MyDistribution(torch.zeros(problem.solution_length)))

            def _get_center(self):
                return self.distribution.vector

    A problem with `begin_generation` and `end_generation` (`protocols.GenerationProblem`) is told of each generation.
    On a problem that plays on a device (`protocols.DeviceProblem`), a distribution that can be sampled there has no
    array of the population, whatever `chunk_size` is.

    Status after step k, besides that of the problem (`best`, `best_eval`, …) and of the subclass:
        pop_best, pop_best_eval: Best finite solution of the population of step k; its first one if all are NaN.
        mean_eval, median_eval: Over the finite evaluations of that population; NaN if there is none.
        iter: k.

    Randomness: one key is drawn from `problem.generator` at construction (`Problem(..., seed=...)` sets it; without a
    seed EvoTorch means PyTorch's default generator). Later draws from the generator, by whomever, change nothing.

    Attributes:
        DTYPE: Dtype of the solutions, declared by the subclass.
        HOW_TO_GET_DTYPE: A sentence for the message if a problem has another dtype, declared by the subclass.
    """

    DTYPE: ClassVar[torch.dtype]
    HOW_TO_GET_DTYPE: ClassVar[str]

    def __init__(
        self,
        problem: Problem,
        *,
        popsize: int,
        center_learning_rate: float,
        optimizer="adam",
        optimizer_config: dict | None = None,
        ranking_method: str | None = "centered",
        obj_index: int | None = None,
        chunk_size: int | None = None,
        **status_getters,
    ):
        """Checks the arguments that all searchers have in common and allocates the population, or a chunk of it.

        Args:
            problem: An EvoTorch problem of dtype `DTYPE`.
            popsize: Solutions in a step, at least 2.
            center_learning_rate: Step size of the optimizer, or of plain ascent; positive.
            optimizer: See `make_optimizer`.
            optimizer_config: See `make_optimizer`.
            ranking_method: See `compute_utilities`; None means "raw".
            obj_index: Objective that is followed; needed if there are several.
            chunk_size: Solutions that are kept in memory at once; None for all.
            **status_getters: The subclass's own entries of the status, as functions without arguments, see EvoTorch's
                `SearchAlgorithm`.

        Raises:
            ValueError: If the problem has another dtype, or an argument is out of its range or unknown.
            TypeError: If `optimizer` is nothing that can be one.
        """
        if problem.dtype != self.DTYPE:
            raise ValueError(
                f"problem: {type(self).__name__} needs a problem of dtype {self.DTYPE}, got {problem.dtype}."
                f" {self.HOW_TO_GET_DTYPE}"
            )
        popsize = check_whole("popsize", popsize, minimum=2)
        chunk_size = popsize if chunk_size is None else check_whole("chunk_size", chunk_size)
        center_learning_rate = check_positive("center_learning_rate", center_learning_rate)
        ranking_method = "raw" if ranking_method is None else ranking_method
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
        self._device_of_rows = problem.device_of_rows if isinstance(problem, DeviceProblem) else None
        optimizer = make_optimizer(
            optimizer,
            optimizer_config,
            stepsize=center_learning_rate,
            solution_length=problem.solution_length,
            device=problem.device,
        )
        self._chunk_sizes = [min(chunk_size, popsize - row) for row in range(0, popsize, chunk_size)]
        self._evals = self._pop_best = None
        self._learner_settings = {
            "popsize": popsize,
            "key": draw_key(problem),
            "objective_sense": problem.senses[self._obj_index],
            "ranking_method": ranking_method,
            "optimizer": optimizer,
            "learning_rate": center_learning_rate,
        }

    def _begin_with(self, distribution: SeededDistribution) -> None:
        """Makes the learner from the first distribution; a subclass calls this once, at the end of its constructor."""
        self._learner = Learner(distribution, **self._learner_settings)
        self._keeps_rows = self._device_of_rows is None or not isinstance(distribution, DeviceDistribution)
        self._chunks = self._make_chunks()

    def _make_chunks(self) -> list[Population]:
        if not self._keeps_rows:
            return [SeededPopulation(self.problem, sum(self._chunk_sizes))]
        buffers = {
            size: Population(self.problem, size, device=self.problem.device, empty=True)
            for size in dict.fromkeys(self._chunk_sizes)
        }
        return [buffers[size] for size in self._chunk_sizes]

    @property
    def distribution(self) -> SeededDistribution:
        """The current search distribution; each step puts a new one in its place."""
        return self._learner.distribution

    @property
    def population(self) -> Population:
        """The solutions of the last step and their evaluations; reused by the next step.

        Raises:
            RuntimeError: If the solutions are not kept: `chunk_size` is smaller than `popsize`, or they are known by
                their seeds alone, on a device.
        """
        if len(self._chunks) > 1 or not self._keeps_rows:
            why = "chunk_size is less than popsize" if self._keeps_rows else "a device makes it from its seed"
            raise RuntimeError(f"population: not kept, because {why}; the status has pop_best and mean_eval")
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
        is_told = isinstance(self.problem, GenerationProblem)
        if is_told:  # its workers play while the population is sampled here
            self.problem.begin_generation(rows, self._learner)
        evals, pop_best = [], None
        for chunk in self._sampled_chunks(rows):
            self.problem.evaluate(chunk)
            evals.append(chunk.access_evals(self._obj_index).clone())
            pop_best = self._better(pop_best, chunk)
        self._evals, self._pop_best = torch.cat(evals), pop_best
        if is_told:  # its workers' copies of the search learn while this one does
            self.problem.end_generation(self._evals, self._learner)
        if self._keeps_rows:
            self._learner.learn(self._evals, self._sampled_values(rows))
        else:
            self._learner.learn_by_seed(self._evals, rows.generation, self._device_of_rows)

    def _sampled_chunks(self, rows: SeededRows) -> Iterator[Population]:
        """Yields the population in parts, each sampled when its turn comes; a later one may overwrite it."""
        first_row, popsize = 0, sum(map(len, self._chunks))
        for chunk in self._chunks:
            chunk.place(rows, first_row, popsize)
            if self._keeps_rows:
                rows.fill(chunk.access_values(), first_row)
            first_row += len(chunk)
            yield chunk

    def _sampled_values(self, rows: SeededRows) -> Iterator[torch.Tensor]:
        """Yields the rows of this step's population in parts, sampled once more unless they are still there."""
        if len(self._chunks) == 1:
            yield self._chunks[0].access_values(keep_evals=True)
        else:
            yield from (chunk.access_values() for chunk in self._sampled_chunks(rows))

    def _better(self, known: Solution | None, chunk: Population) -> Solution:
        """Returns a copy of the best solution of a part of the population, or the one known if that is as good."""
        best = chunk[int(chunk.argbest(self._obj_index))]
        value = best.evals[self._obj_index]
        if known is not None:
            before = known.evals[self._obj_index]
            sign = 1 if self.problem.senses[self._obj_index] == "max" else -1
            if not torch.isfinite(value) or (torch.isfinite(before) and sign * value <= sign * before):
                return known
        return best.clone()

    def state_dict(self) -> dict:
        """Returns what steps change, for `load_state_dict` of a searcher made with the same arguments.

        `Resumable` adds to it what a problem and EvoTorch know.
        """
        return {
            "learner": self._learner.state_dict(),
            "evals": self._evals,
            "pop_best": solution_state(self._pop_best),
        }

    def load_state_dict(self, state: dict) -> None:
        """Takes the state of a searcher made with the same arguments.

        Raises:
            KeyError, ValueError: If the state is not one of such a searcher.
        """
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
