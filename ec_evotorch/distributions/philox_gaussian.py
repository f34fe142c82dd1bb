"""The search distribution of the evolution strategy where a population lives as a seed on a device."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from ec_evotorch.distributions.antithetic_gaussian import AntitheticGaussian
from ec_evotorch.distributions.gaussian import check_rows_of_pairs
from ec_evotorch.distributions.philox_normal import pair_noise
from native.warp_device import find_device


@dataclass(frozen=True, eq=False)
class PhiloxGaussian(AntitheticGaussian):
    """Antithetic pairs like `AntitheticGaussian`, whose noise comes from Philox instead of PyTorch's generators.

    The law is the same, the numbers are others. These are made alike on the host and on a device of NVIDIA Warp, so it
    is a distribution for devices too (`protocols.DeviceDistribution`). Attributes are those of `AntitheticGaussian`.
    """

    def fill_rows(self, out: torch.Tensor, key: int, generation: int, first_row: int, popsize: int) -> None:
        """Samples consecutive rows of a population on the host, each for itself: it is meant for a few of them.

        Row k < N/2 is center + σ ε_k and row N/2 + k is center − σ ε_k in float32, with the noise of `pair_noise`.

        Args:
            out: (n, L) float32, contiguous; overwritten.
            key: 64-bit key of the search.
            generation: Number of the generation, in [0, 2**32).
            first_row: Number of the first row of `out` in the population.
            popsize: N, even.
        """
        check_rows_of_pairs(self.center, out, first_row, popsize)
        center, num_pairs = self.center.detach().cpu().numpy(), popsize // 2
        for row, k in zip(out, range(first_row, first_row + len(out)), strict=True):
            step = np.float32(self.stdev) * pair_noise(len(center), key, generation, k % num_pairs)
            row.copy_(torch.from_numpy(center + step if k < num_pairs else center - step))

    # --- on a device of NVIDIA Warp, where no array of a population is made ---

    def on_device(self, device):
        """Makes what samples rows of a population where they are needed.

        Args:
            device: Name of a device of Warp.

        Returns:
            `ec_evotorch.distributions.warp_gaussian.DeviceGaussian`, of rows of this length.
        """
        from ec_evotorch.distributions.warp_gaussian import DeviceGaussian  # Warp is an extra

        return DeviceGaussian(len(self.center), find_device(device))

    def set_rows(self, sampler, key: int, generation: int, popsize: int) -> None:
        """Says which rows a sampler makes.

        Args:
            sampler: What `on_device` has made of a distribution over vectors of this length.
            key: 64-bit key of the search.
            generation: Number of the generation.
            popsize: N.
        """
        sampler.set(self.center, self.stdev, key, generation, popsize)

    def updated_by_seed(
        self,
        key: int,
        generation: int,
        utilities: torch.Tensor,
        optimizer,
        learning_rate: float | None,
        device,
    ) -> Self:
        """Returns what `updated` does up to rounding, from noise that a device makes once more.

        Args:
            key: 64-bit key of the search.
            generation: Number of the generation.
            utilities: As for `updated`.
            optimizer: As for `updated`.
            learning_rate: As for `updated`.
            device: Name of a device of Warp.
        """
        from ec_evotorch.distributions.warp_gaussian import seeded_center_gradient  # Warp is an extra

        gradient = seeded_center_gradient(utilities, self.center, self.stdev, key, generation=generation, device=device)
        return self._following(gradient, optimizer, learning_rate)
