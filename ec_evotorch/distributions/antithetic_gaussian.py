"""The search distribution of the evolution strategy: antithetic pairs of normal vectors around a centre."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import torch

from ec_evotorch.distributions.gaussian import center_gradient_of_parts, sample_antithetic


@dataclass(frozen=True, eq=False)
class AntitheticGaussian:
    """Real vectors center ± σ ε in antithetic pairs, ε ~ N(0, I), with fixed σ; a seeded distribution (`protocols`).

    Attributes:
        center: (L,) float32 mean, which is learned.
        stdev: σ, positive.
        decay: Share of the centre that each update takes away, in [0, 1].
    """

    center: torch.Tensor
    stdev: float
    decay: float = 0.0

    @property
    def vector(self) -> torch.Tensor:
        """The centre, (L,) float32."""
        return self.center

    def with_vector(self, vector: torch.Tensor) -> Self:
        """Returns the distribution around another centre (L,)."""
        return replace(self, center=vector)

    def fill_rows(self, out: torch.Tensor, key: int, generation: int, first_row: int, popsize: int) -> None:
        """Samples consecutive rows of a population, see `sample_antithetic`.

        Args:
            out: (n, L) float32, contiguous; overwritten.
            key: 64-bit key of the search.
            generation: Number of the generation.
            first_row: Number of the first row of `out` in the population.
            popsize: N, even.
        """
        sample_antithetic(
            self.center, self.stdev, out, key, generation=generation, first_row=first_row, popsize=popsize
        )

    def updated(
        self, parts: Iterable[torch.Tensor], utilities: torch.Tensor, optimizer, learning_rate: float | None
    ) -> Self:
        """Returns the distribution around center · (1 − decay) + step, see `center_gradient` for the gradient.

        A gradient of zero, which is that of a population without differences, leaves the optimizer alone: the centre
        only decays then.

        Args:
            parts: All rows of the population in their order, in tensors (n, L).
            utilities: (N,) float64, finite; higher is better.
            optimizer: An object with `ascent(gradient)`, or None for plain ascent.
            learning_rate: Step size of plain ascent.
        """
        return self._following(center_gradient_of_parts(parts, utilities, self.stdev), optimizer, learning_rate)

    def _following(self, gradient: torch.Tensor, optimizer, learning_rate: float | None) -> Self:
        center = (1.0 - self.decay) * self.center  # a new tensor: centres that were logged stay as they are
        if torch.any(gradient):
            center += learning_rate * gradient if optimizer is None else optimizer.ascent(gradient)
        return replace(self, center=center)
