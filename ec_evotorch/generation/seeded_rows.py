"""A population as a seed: small objects that can make any of its rows, anywhere and in any order."""

from dataclasses import dataclass

import torch

from ec_evotorch.distributions.bernoulli import sample_theta
from ec_evotorch.distributions.gaussian import sample_antithetic


@dataclass(frozen=True, eq=False)
class BernoulliRows:
    """Networks θ_k ~ Bernoulli(ρ) of one generation, see `sample_theta`.

    Attributes:
        rho: (L,) float32.
        key: of the search.
        generation: number of the generation.
    """

    rho: torch.Tensor
    key: int
    generation: int

    def fill(self, out: torch.Tensor, first_row: int) -> None:
        """Overwrites `out` (n, L) bool with the rows from `first_row` on."""
        sample_theta(self.rho, out, self.key, generation=self.generation, first_row=first_row)


@dataclass(frozen=True, eq=False)
class GaussianRows:
    """Antithetic pairs center ± σ ε of one generation, see `sample_antithetic`.

    Attributes:
        center: (L,) float32.
        stdev: σ.
        popsize: N, even.
        key: of the search.
        generation: number of the generation.
    """

    center: torch.Tensor
    stdev: float
    popsize: int
    key: int
    generation: int

    def fill(self, out: torch.Tensor, first_row: int) -> None:
        """Overwrites `out` (n, L) float32, contiguous, with the rows from `first_row` on."""
        sample_antithetic(
            self.center,
            self.stdev,
            out,
            self.key,
            generation=self.generation,
            first_row=first_row,
            popsize=self.popsize,
        )
