"""Runs side by side share the cores out: OMP_NUM_THREADS holds for numba and for PyTorch."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import numba, torch
from experiments.thread_limit import limit_threads
limit_threads()
print(numba.get_num_threads(), torch.get_num_threads())
"""


@pytest.mark.parametrize("asked", [1, 2])
def test_the_variable_holds_for_both(asked):
    environment = os.environ | {"OMP_NUM_THREADS": str(asked), "NUMBA_NUM_THREADS": "3"}
    words = [sys.executable, "-c", PROGRAM]
    printed = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    expected = min(asked, len(os.sched_getaffinity(0)))
    assert printed.split() == [str(expected), str(expected)]
