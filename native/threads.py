"""How many threads a process should use when nobody says."""

import os


def default_num_threads() -> int:
    """Returns the number of cores that the process may use, or OMP_NUM_THREADS if that is set and smaller.

    With the variable those who run several processes side by side, such as joblib, share the cores out. MuJoCo and
    numba do not heed it by themselves.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # a list is for nested levels
    return min(cores, int(asked)) if asked.isdecimal() and int(asked) > 0 else cores
