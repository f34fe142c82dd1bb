"""A population as a seed: a small object that can make any of its rows, anywhere and in any order."""

from dataclasses import dataclass

import torch

from ec_evotorch.protocols import SeededDistribution


@dataclass(frozen=True, eq=False)
class SeededRows:
    """The population of one generation.

    Attributes:
        distribution: Distribution from which the population is sampled.
        popsize: N, rows of the population.
        key: 64-bit key of the search.
        generation: Number of the generation.
    """

    distribution: SeededDistribution
    popsize: int
    key: int
    generation: int

    def fill(self, out: torch.Tensor, first_row: int) -> None:
        """Overwrites `out` (n, L) with the rows from `first_row` on."""
        self.distribution.fill_rows(out, self.key, self.generation, first_row, self.popsize)
