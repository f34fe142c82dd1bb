"""Utilities: the weights that a population's fitnesses have in the gradient."""

import torch
from evotorch.tools.ranking import rank, rankers

from ec_evotorch.tensors import check_tensor
from native.arguments import check_choice


def check_ranking_method(ranking_method: str) -> None:
    """Checks that EvoTorch knows a ranking method.

    Raises:
        ValueError: If it does not.
    """
    check_choice("ranking_method", ranking_method, sorted(rankers))


def compute_utilities(fitnesses: torch.Tensor, *, objective_sense: str, ranking_method: str) -> torch.Tensor:
    """Turns fitnesses into utilities by one of EvoTorch's ranking methods; higher utility is better.

    Failed evaluations rank worst, see `replace_failed`. All utilities are zero if the fitnesses tell nothing: none is
    finite, or they are all equal and the method is "normalized".

    Deviation: EvoTorch ranks equal fitnesses by their position. Here equal fitnesses share their mean utility, so that
    utilities do not depend on the order of the population.

    Args:
        fitnesses: (N,) real numbers, NaN or infinite where an evaluation failed.
        objective_sense: "max" or "min".
        ranking_method: "centered", "linear", "nes", "normalized" or "raw", see `evotorch.tools.ranking`.

    Returns:
        (N,) float64, finite.

    Raises:
        ValueError: If `objective_sense` or `ranking_method` is unknown, or `fitnesses` is not 1-dimensional.
    """
    check_choice("objective_sense", objective_sense, ("max", "min"))
    check_ranking_method(ranking_method)
    check_tensor("fitnesses", fitnesses, "a tensor of real numbers")
    if fitnesses.ndim != 1:
        raise ValueError(f"fitnesses: expected a 1-dimensional tensor, got shape {tuple(fitnesses.shape)}")
    fitnesses = fitnesses.as_subclass(torch.Tensor).to(torch.float64)  # EvoTorch's ranking cannot use its own views
    if not torch.isfinite(fitnesses).any():
        return torch.zeros_like(fitnesses)
    fitnesses = replace_failed(fitnesses, objective_sense=objective_sense)
    utilities = rank(fitnesses, ranking_method, higher_is_better=objective_sense == "max")
    return torch.nan_to_num(_share_between_equals(utilities, fitnesses), nan=0.0)


def replace_failed(fitnesses: torch.Tensor, *, objective_sense: str) -> torch.Tensor:
    """Replaces every NaN and infinite fitness by a number just worse than the worst finite one.

    A failed evaluation can then neither win a comparison nor put anything infinite into a mean or a gradient. The
    number is worse by two relative float32 precisions, because EvoTorch's distributions round fitnesses to float32
    before they rank them.

    Args:
        fitnesses: (N,) floating point, NaN or infinite where an evaluation failed.
        objective_sense: "max" or "min".

    Returns:
        (N,) finite, in the dtype of `fitnesses`; all zero if none of them is finite.
    """
    finite = torch.isfinite(fitnesses)
    if not finite.any():
        return torch.zeros_like(fitnesses)
    worst, sign = (fitnesses[finite].min(), 1.0) if objective_sense == "max" else (fitnesses[finite].max(), -1.0)
    float32 = torch.finfo(torch.float32)
    just_worse = worst - sign * (2.0 * float32.eps * worst.abs() + float32.tiny)
    return torch.where(finite, fitnesses, just_worse)


def _share_between_equals(utilities: torch.Tensor, fitnesses: torch.Tensor) -> torch.Tensor:
    _, group, group_size = torch.unique(fitnesses, return_inverse=True, return_counts=True)
    group_total = torch.zeros(len(group_size), dtype=utilities.dtype, device=utilities.device)
    group_total.index_add_(0, group, utilities)
    return (group_total / group_size)[group]
