"""The number of threads that a process uses unless it is told otherwise."""

import os


def default_num_threads() -> int:
    """Returns the number of cores that the process may use, or `OMP_NUM_THREADS` if that is set and smaller.

    Programs that run several processes side by side, such as joblib, share out the cores with this variable. MuJoCo and
    numba do not heed it by themselves.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # a list is for nested levels
    return min(cores, int(asked)) if asked.isdecimal() and int(asked) > 0 else cores
