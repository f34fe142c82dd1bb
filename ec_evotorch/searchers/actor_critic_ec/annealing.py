"""What changes with the environment steps in the course of a training: bounds that fall, batches that grow.

After a share s of the steps, at most 1, a number that goes from a to b is a^(1 − s) · b^s.
"""

import torch
from evotorch import Problem

from ec_evotorch.distributions.separable_bernoulli import SeparableBernoulli
from ec_evotorch.searchers.initial_center import number_or_vector
from native.arguments import check_steps


def check_anneal_steps(anneal_steps: int | None, **changes: bool) -> int | None:
    """Returns the environment steps within which something changes, or None if nothing does.

    Args:
        anneal_steps: What was given.
        **changes: Names of the arguments that say what changes, and whether they do.

    Raises:
        ValueError: If they are no positive whole number, None where something changes, or given where nothing does.
    """
    changing = [name for name, does in changes.items() if does]
    if anneal_steps is None and changing:
        raise ValueError(
            f"anneal_steps: expected a number of environment steps, for {' and '.join(changing)}, got None"
        )
    if anneal_steps is not None and not changing:
        raise ValueError(f"anneal_steps: expected None without {' or '.join(changes)}, got {anneal_steps!r}")
    return None if anneal_steps is None else check_steps("anneal_steps", anneal_steps)


class AnnealedBounds:
    """Lets `prob_min` of a distribution fall.

    Args:
        problem: Problem whose solutions the bits are.
        distribution: The first distribution, with the `prob_min` to begin with.
        prob_min_final: As `prob_min` of `EvolvingConnectivity`, positive and at most the first one; None: it stays.
        anneal_steps: Environment steps until then.

    Raises:
        ValueError: If `prob_min_final` is out of its range.
    """

    def __init__(self, problem: Problem, distribution: SeparableBernoulli, prob_min_final, anneal_steps: int | None):
        self._steps = None if prob_min_final is None else anneal_steps
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


class GrowingBatches:
    """Lets the environment steps of an iteration grow.

    The better a policy is, the more does its return depend on chance and the less on one small step of learning, so
    that more has to be averaged: McCandlish et al. (2018), https://arxiv.org/abs/1812.06162, whose noise scale grows
    as the loss falls; growing batches instead of falling step sizes after Smith et al. (2018),
    https://arxiv.org/abs/1711.00489.

    Args:
        batch_size: Environment steps of the first iteration, a multiple of `multiple`.
        batch_growth: Times as many as that in the end; 1: they stay.
        anneal_steps: Environment steps until then; of no matter if they stay.
        multiple: What the environment steps of an iteration are a multiple of; sizes in between are rounded down.
    """

    def __init__(self, batch_size: int, batch_growth: float, anneal_steps: int | None, multiple: int):
        self._first, self._growth, self._steps, self._multiple = batch_size, batch_growth, anneal_steps, multiple

    def after(self, steps: int) -> int:
        """Returns the environment steps of the iteration that begins after so many."""
        if self._growth == 1.0:
            return self._first
        size = self._first * self._growth ** min(1.0, steps / self._steps)
        size = round(size, 6)  # 6400 · 4.6 is 29439.999999999996 in floating point
        return int(size) // self._multiple * self._multiple
