"""Where the networks of slots come from: solutions that are given, or rows of a generation that are known by a seed.

Both write the solutions of slots in which an episode begins into `taken`, an array of Warp with a row for each slot:
⌈L / 32⌉ words of uint32 of which bit j % 32 of word j // 32 is number j, or L numbers of float32.
"""

import numpy as np
import torch

from ec_evotorch.generation.seeded_rows import SeededRows
from ec_evotorch.rollout.device import kernels
from ec_evotorch.rollout.device.kernels import wp
from native.memory import check_memory
from native.warp_device import launch

_WORD = 32  # bits


class GivenMembers:
    """Solutions in the memory of the device.

    Attributes:
        taken: See above.
        capacity: Number of solutions that fit.

    Args:
        capacity: Number of solutions.
        solution_length: L.
        dtype: `torch.bool` or `torch.float32`.
        num_slots: B.
        device: Device of Warp.
    """

    def __init__(self, capacity: int, solution_length: int, dtype: torch.dtype, num_slots: int, device):
        self.capacity, self._device = capacity, device
        self._solutions, taken = (_words(n, solution_length, dtype, device) for n in (capacity, num_slots))
        self._arrays = [wp.from_torch(words, dtype=wp.uint32) for words in (self._solutions, taken)]
        self.taken = _solutions_in(taken, dtype)

    def set(self, solutions: torch.Tensor) -> None:
        """Takes over (N, L) solutions, at most as many as fit."""
        solutions = solutions.detach().cpu().contiguous()
        words = _pack(solutions) if solutions.dtype == torch.bool else solutions.view(torch.int32)
        self._solutions[: len(words)].copy_(words)

    def launch_take(self, rows, starting) -> None:
        """Copies solutions.

        Args:
            rows: (B,) array of int64 of Warp, which solution each slot takes.
            starting: (B,) array of bool of Warp, slots that take one; the others keep theirs.
        """
        solutions, taken = self._arrays
        launch(kernels.copy_members, taken.shape, [starting, rows, solutions], [taken], self._device)


class SampledMembers:
    """Rows of a generation, of which each is sampled when a slot takes it.

    Attributes:
        taken: See above.
        kind: Class of the distribution from which they are sampled.

    Args:
        distribution: A `DeviceDistribution` over solutions of length L.
        dtype: `torch.bool` or `torch.float32`.
        num_slots: B.
        device: Device of Warp.
    """

    def __init__(self, distribution, dtype: torch.dtype, num_slots: int, device):
        self.kind, self._sampler = type(distribution), distribution.on_device(device)
        self.taken = _solutions_in(_words(num_slots, len(distribution.vector), dtype, device), dtype)

    def set(self, rows: SeededRows) -> None:
        """Takes notice of another generation, of as long rows from a distribution of the same kind."""
        rows.distribution.set_rows(self._sampler, rows.key, rows.generation, rows.popsize)

    def launch_take(self, rows, starting) -> None:
        """Samples rows; the arguments are those of `GivenMembers`, with numbers of rows in the generation."""
        self._sampler.launch_sample(rows, starting, self.taken)


def check_slots(num_slots: int, solution_length: int, dtype: torch.dtype, device) -> None:
    """Checks that there is memory for the solutions of slots, taken and in networks, where the host is the device.

    Raises:
        TooManyError: If not.
    """
    if device.is_cpu:
        check_memory("num_envs", num_slots, 2 * 4 * _width(solution_length, dtype))


def _width(solution_length: int, dtype: torch.dtype) -> int:
    """Returns the words of 32 bits of a solution."""
    return -(-solution_length // _WORD) if dtype == torch.bool else solution_length


def _words(count: int, solution_length: int, dtype: torch.dtype, device) -> torch.Tensor:
    """Makes memory for solutions, in words of 32 bits."""
    return torch.zeros((count, _width(solution_length, dtype)), dtype=torch.int32, device=str(device))


def _solutions_in(words: torch.Tensor, dtype: torch.dtype):
    """Returns the array of Warp whose memory the words are."""
    return wp.from_torch(words, dtype=wp.uint32) if dtype == torch.bool else wp.from_torch(words.view(torch.float32))


def _pack(solutions: torch.Tensor) -> torch.Tensor:
    """Packs (N, L) bits into (N, ⌈L / 32⌉) int32; bits beyond L are 0."""
    length = solutions.shape[1]
    whole = np.zeros((len(solutions), -(-length // _WORD) * _WORD // 8), dtype=np.uint8)
    whole[:, : -(-length // 8)] = np.packbits(solutions.as_subclass(torch.Tensor).numpy(), axis=1, bitorder="little")
    return torch.from_numpy(whole.view("<i4"))
