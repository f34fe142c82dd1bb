"""A solution and its evaluations as plain arrays, and back."""

import torch
from evotorch import Problem, Solution

from ec_evotorch.generation.population import Population


def solution_state(solution: Solution | None) -> dict | None:
    """Returns {"values": (L,), "evals": (objectives,)}; None for None."""
    if solution is None:
        return None
    return {"values": _plain(solution.values), "evals": _plain(solution.evals)}


def load_solution(problem: Problem, state: dict | None) -> Solution | None:
    """Makes a solution of the problem from its `solution_state`; None from None.

    Raises:
        ValueError: If the values do not have the problem's length.
    """
    if state is None:
        return None
    values = torch.as_tensor(state["values"])
    if values.shape != (problem.solution_length,):
        raise ValueError(f"values: expected shape ({problem.solution_length},), got {tuple(values.shape)}")
    batch = Population(problem, 1, device=problem.device, empty=True)
    batch.set_values(values[None])
    batch.set_evals(torch.as_tensor(state["evals"])[None])
    return batch[0]


def _plain(values: torch.Tensor) -> torch.Tensor:
    return values.as_subclass(torch.Tensor).clone()
