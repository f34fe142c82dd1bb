"""Keeping numba and PyTorch to some threads."""

import numba
import torch


def limit_threads(num_threads: int) -> None:
    """Sets the threads of numba (no more than it has) and of PyTorch.

    Where numba's threads are OpenMP's, as PyTorch's are, numba starting them sets PyTorch's to all cores, if PyTorch
    has begun to use its own; so numba is told first.
    """
    numba.set_num_threads(min(num_threads, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(num_threads)
