"""Where a search over real numbers starts."""

import torch
from evotorch import Problem


def make_initial_center(problem: Problem, center_init) -> torch.Tensor:
    """Makes the first centre (L,) float32 from a number, (L,) numbers, or None: `problem.generate_values(1)`.

    Raises:
        ValueError: if `center_init` is something else, has another shape or is not finite.
    """
    if center_init is None:
        center_init = problem.generate_values(1)[0]
    try:
        center = torch.as_tensor(center_init, dtype=torch.float32, device=problem.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"center_init: expected a number or a sequence of them, got {center_init!r}") from error
    if center.shape not in ((), (problem.solution_length,)):
        raise ValueError(
            f"center_init: expected a number or shape ({problem.solution_length},), got shape {tuple(center.shape)}"
        )
    if not torch.isfinite(center).all():
        raise ValueError("center_init: expected finite numbers, got NaN or infinity among them")
    return center.as_subclass(torch.Tensor).expand(problem.solution_length).clone()
