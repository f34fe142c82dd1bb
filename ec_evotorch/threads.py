"""Limits on the threads of numba and PyTorch."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """For small arrays, and where results must not depend on the number of threads, as sums and decompositions do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def limit_threads(num_threads: int) -> None:
    """Sets the threads of numba (no more than it has) and of PyTorch.

    Where numba's threads are OpenMP's, as PyTorch's are, numba starting them sets PyTorch's to all cores, if PyTorch
    has begun to use its own; so numba is told first.
    """
    numba.set_num_threads(min(num_threads, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(num_threads)
