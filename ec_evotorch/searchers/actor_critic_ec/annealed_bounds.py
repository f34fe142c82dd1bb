"""Bounds of connection probabilities that fall in the course of a training."""

import torch
from evotorch import Problem

from ec_evotorch.distributions.separable_bernoulli import SeparableBernoulli
from ec_evotorch.searchers.initial_center import number_or_vector
from native.arguments import check_steps


class AnnealedBounds:
    """Lets `prob_min` of a distribution fall geometrically, as a function of the environment steps alone.

    After a share s of the steps, at most 1, it is prob_min^(1 − s) · prob_min_final^s.

    Args:
        problem: Problem whose solutions the bits are.
        distribution: The first distribution, with the `prob_min` to begin with.
        prob_min_final: As `prob_min` of `EvolvingConnectivity`, positive and at most the first one; or None.
        anneal_steps: Environment steps until then; None without `prob_min_final`.

    Raises:
        ValueError: If an argument is out of its range, or only one of both is given.
    """

    def __init__(self, problem: Problem, distribution: SeparableBernoulli, prob_min_final, anneal_steps: int | None):
        if (prob_min_final is None) != (anneal_steps is None):
            missing = "prob_min_final" if prob_min_final is None else "anneal_steps"
            raise ValueError(f"{missing}: expected a value, because prob_min_final and anneal_steps need each other")
        self._steps = None if anneal_steps is None else check_steps("anneal_steps", anneal_steps)
        if self._steps is None:
            return
        self._first = torch.as_tensor(distribution.parameters["prob_min"], dtype=torch.float32)
        final = number_or_vector("prob_min_final", problem, prob_min_final, of="bit")
        if not torch.all((final > 0.0) & (final <= self._first)):
            first = " to ".join(dict.fromkeys(f"{bound:.4g}" for bound in torch.aminmax(self._first)))
            raise ValueError(
                f"prob_min_final: expected numbers in (0, prob_min], where prob_min is {first}, got {prob_min_final!r}"
            )
        self._ratio = final / self._first

    def after(self, steps: int, distribution: SeparableBernoulli) -> SeparableBernoulli:
        """Returns a distribution with the bounds that it has after so many environment steps."""
        if self._steps is None:
            return distribution
        bounds = (self._first * self._ratio ** min(1.0, steps / self._steps)).expand(distribution.solution_length)
        return distribution.modified_copy(prob_min=bounds)
