"""A batch's place in its generation, for populations of this package and for EvoTorch's own batches."""

import pytest
import torch
from evotorch import Problem, SolutionBatch

from ec_evotorch.generation.population import Part, Population, part_of_generation


@pytest.fixture
def problem():
    return Problem("max", lambda x: x.sum(), solution_length=2, dtype=torch.float32, initial_bounds=(0.0, 1.0))


def test_a_placed_population_is_its_part_until_it_is_placed_anew(problem):
    population, rows = Population(problem, 3, empty=True), object()
    population.place(rows, 3, popsize=9)
    assert part_of_generation(population) == Part(3, 6, ends_generation=False, rows=rows)
    population.place(rows, 6, popsize=9)
    assert part_of_generation(population) == Part(6, 9, ends_generation=True, rows=rows)


@pytest.mark.parametrize("make", [Population, SolutionBatch])
def test_a_batch_that_was_not_placed_is_a_generation_of_its_own(make, problem):
    assert part_of_generation(make(problem, 4, empty=True)) == Part(0, 4, ends_generation=True, rows=None)


def test_what_is_taken_out_of_a_population_has_no_place(problem):
    population = Population(problem, 4, empty=True)
    population.place(object(), 4, popsize=12)
    for taken in (population[1:3], population.take([0, 2])):
        assert part_of_generation(taken) == Part(0, 2, ends_generation=True, rows=None)


@pytest.mark.parametrize("first_row", [-1, 7])
def test_rows_that_a_generation_does_not_have_are_refused(first_row, problem):
    with pytest.raises(ValueError, match=rf"first_row: expected 4 rows within \[0, 10\), got rows from {first_row}"):
        Population(problem, 4, empty=True).place(object(), first_row, popsize=10)
