"""A process keeps to its threads, in numba and in PyTorch, though numba starting its own undoes PyTorch's."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import numba, torch
torch.get_num_threads()  # begins to use them
from ec_evotorch.threads import limit_threads
limit_threads({num_threads})
print(numba.get_num_threads(), torch.get_num_threads())
"""


@pytest.mark.parametrize("num_threads", [1, 2])
def test_the_limit_holds_for_both(num_threads):
    words = [sys.executable, "-c", PROGRAM.format(num_threads=num_threads)]
    environment = os.environ | {"NUMBA_NUM_THREADS": "3"}
    printed = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(num_threads), str(num_threads)]
