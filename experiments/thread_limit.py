"""Keeping numba and PyTorch to the threads that a process should use."""

import numba
import torch

from native.threads import default_num_threads


def limit_threads() -> None:
    """Sets the threads of numba and of PyTorch to `default_num_threads`.

    PyTorch reads OMP_NUM_THREADS itself, but where numba's threads are OpenMP's too, numba starting them sets it to all
    cores; so numba is told first.
    """
    num_threads = default_num_threads()
    numba.set_num_threads(min(num_threads, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(num_threads)
