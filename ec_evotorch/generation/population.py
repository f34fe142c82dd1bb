"""Populations that know their place in a generation, and in which a failed evaluation is never the best."""

from dataclasses import dataclass

import torch
from evotorch import Problem, Solution, SolutionBatch


@dataclass(frozen=True)
class Part:
    """The rows of a generation that a batch holds.

    Attributes:
        first_row: Number of the first row within the generation.
        stop_row: Number of the row after the last one.
        ends_generation: Whether no part of the generation comes after this one.
        rows: The generation as an object that can make any of its rows (see `ec_evotorch.generation.seeded_rows`), or
            None if there is none, as for the searchers of EvoTorch.
    """

    first_row: int
    stop_row: int
    ends_generation: bool
    rows: object | None = None


def part_of_generation(batch: SolutionBatch) -> Part:
    """Returns which part of its generation a batch is: the whole of it, unless it is a `Population` that was placed."""
    part = batch.part if isinstance(batch, Population) else None
    return Part(0, len(batch), ends_generation=True) if part is None else part


class Population(SolutionBatch):
    """A `SolutionBatch` whose best and worst solutions are sought among those with finite evaluations.

    EvoTorch's own batch takes a NaN for the best and the worst at once. A problem that asks it for the best solution
    then remembers none, and fails at the first generation.

    Attributes:
        part: The rows of a generation that it holds, as `place` has said, or None before.
    """

    part: Part | None = None

    def place(self, rows: object, first_row: int, popsize: int) -> None:
        """Says which rows of a generation the population holds from now on.

        Args:
            rows: What can make any row of the generation, see `Part`.
            first_row: Number of the population's first row within the generation.
            popsize: Number of all rows of the generation.

        Raises:
            ValueError: If the generation does not have these rows.
        """
        stop_row = first_row + len(self)
        if not 0 <= first_row < stop_row <= popsize:
            raise ValueError(f"first_row: expected {len(self)} rows within [0, {popsize}), got rows from {first_row}")
        self.part = Part(first_row, stop_row, stop_row == popsize, rows)

    @torch.no_grad()
    def argbest(self, obj_index: int | None = None) -> torch.Tensor:
        """Returns the index of the best finite solution for an objective; 0 when no evaluation is finite."""
        return self._scores(obj_index, instead_of_failed=float("-inf")).argmax()

    @torch.no_grad()
    def argworst(self, obj_index: int | None = None) -> torch.Tensor:
        """Returns the index of the worst finite solution for an objective; 0 when no evaluation is finite."""
        return self._scores(obj_index, instead_of_failed=float("inf")).argmin()

    def _scores(self, obj_index: int | None, instead_of_failed: float) -> torch.Tensor:
        obj_index = self._optionally_get_obj_index(obj_index)
        evals = self.access_evals(obj_index)
        return torch.where(torch.isfinite(evals), self._get_objective_sign(obj_index) * evals, instead_of_failed)


class SeededPopulation(Population):
    """A population of which no row is in memory: its evaluations, and solutions that are made as they are looked at.

    `place` says which rows they are. A solution or some of them, `population[i]` or `population[i:j]`, are copies.
    EvoTorch's batch insists on a tensor of all values; here it is on PyTorch's device "meta", which holds no numbers.

    Args:
        problem: Problem of the solutions.
        popsize: N.
    """

    def __init__(self, problem: Problem, popsize: int):
        super().__init__(problem, 1, device=problem.device, empty=True)
        self._problem = problem
        self._data = torch.empty((popsize, problem.solution_length), dtype=problem.dtype, device="meta")
        self._evdata = self._evdata.repeat(popsize, 1)

    @property
    def device(self) -> torch.device:
        """Where evaluations are, and the solutions that are made."""
        return self._evdata.device

    @torch.no_grad()
    def take(self, indices) -> Population:
        """Makes the solutions of some indices, with their evaluations."""
        numbers = torch.arange(len(self))[indices]
        made = Population(self._problem, len(numbers), device=self.device, empty=True)
        values = made.access_values()
        for row, number in zip(values.split(1), numbers.tolist(), strict=True):
            self.part.rows.fill(row, self.part.first_row + number)
        made.set_evals(self.access_evals()[numbers])
        return made

    def __getitem__(self, index):
        """Returns a solution, or a population of some, with their evaluations."""
        return Solution(self, index) if torch.arange(len(self))[index].ndim == 0 else self.take(index)
