"""A population in which a failed evaluation is never the best."""

import torch
from evotorch import SolutionBatch


class Population(SolutionBatch):
    """A `SolutionBatch` whose best and worst solutions are sought among those with finite evaluations.

    EvoTorch's own batch takes a NaN for the best and the worst at once. A problem that asks it for the best solution
    then remembers none, and fails at the first generation.

    Attributes:
        rows: What can make any row of its generation (`BernoulliRows` and the like), if that is known.
        first_row: Number of its first row in the generation, of which it may be a part.
        ends_generation: Whether no part of the generation comes after it.
    """

    rows = None
    first_row: int = 0
    ends_generation: bool = True

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
