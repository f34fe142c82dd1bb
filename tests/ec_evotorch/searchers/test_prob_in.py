"""The connection probabilities are found in the saved state of a search, and in no other state."""

import pytest
import torch
from evotorch import Problem

from ec_evotorch import EvolutionStrategy, EvolvingConnectivity, Resumable

LENGTH = 7


def ones(theta):
    return theta.sum(dim=1, dtype=torch.float32)


def problem(dtype):
    return Problem("max", ones, solution_length=LENGTH, dtype=dtype, initial_bounds=(0, 1), vectorized=True, seed=0)


def test_probabilities_are_in_the_state_of_a_searcher_and_of_a_resumable():
    search = EvolvingConnectivity(problem(torch.bool), popsize=4)
    resumable = Resumable(search)
    search.run(3)
    for state in (search.state_dict(), resumable.state_dict()):
        rho = EvolvingConnectivity.prob_in(state)
        assert rho.dtype == torch.float32
        assert torch.equal(rho, search.status["prob"])
        assert not torch.all(rho == 0.5)


def test_the_state_of_another_searcher_has_none():
    search = EvolutionStrategy(problem(torch.float32), popsize=4, stdev=1.0, center_learning_rate=0.1, center_init=5.0)
    with pytest.raises(ValueError, match=r"state: expected that of an EvolvingConnectivity searcher; what it learned"):
        EvolvingConnectivity.prob_in(search.state_dict())


@pytest.mark.parametrize("state", [{}, {"search": {}}, {"learner": {"learned": "x"}}, {"learner": None}, []])
def test_what_is_no_state_has_none(state):
    with pytest.raises(ValueError, match="state: expected that of an EvolvingConnectivity searcher; it has no ρ"):
        EvolvingConnectivity.prob_in(state)
