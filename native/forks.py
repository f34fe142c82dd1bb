"""What a process that was forked from another must know: the threads of the other one are not there.

`fork` copies memory, but no thread except the one that calls it. GNU OpenMP, on which numba's threads run unless the
package tbb is installed, ends such a process as soon as it would use them; PyTorch, which has an OpenMP of its own,
waits for ever. So whatever runs in threads runs in one thread there. `multiprocessing` starts processes by `fork` on
Linux before Python 3.14.
"""

import os

import numba

_lost_threads = False


def has_lost_threads() -> bool:
    """Returns whether this process was forked from one in which numba had started threads."""
    return _lost_threads


def _notice_fork() -> None:
    global _lost_threads
    try:
        numba.threading_layer()
    except ValueError:  # no thread has been started
        return
    _lost_threads = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_notice_fork)
