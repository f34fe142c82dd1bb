"""Limits on the threads of numba and PyTorch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch

from native.forks import has_lost_threads


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Limits PyTorch to one thread within a `with` block.

    It is for small arrays, for which further threads cost more than they gain, and for sums and decompositions, whose
    last bits depend on the number of threads.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def limit_threads(num_threads: int) -> None:
    """Sets the number of threads of PyTorch, and of numba, which cannot have more than it started with.

    Where both use OpenMP, numba sets PyTorch's threads to all cores when it starts its own, if PyTorch has begun to use
    threads before; so numba is told first.
    """
    numba.set_num_threads(min(num_threads, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(num_threads)


def _limit_after_fork() -> None:
    """Limits PyTorch to the thread that there is: it would wait for ever for those that a fork has lost."""
    if has_lost_threads():
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_limit_after_fork)  # after that of `native.forks`, which was registered before
