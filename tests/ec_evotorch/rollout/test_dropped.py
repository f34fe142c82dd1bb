"""Problems and environments that are dropped leave no threads and no memory behind."""

import ctypes
import gc
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from agents import RSNN
from ec_evotorch import EvolvingConnectivity, RolloutProblem
from envs import make_vec

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")


def status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])


def memory_in_use():
    """Returns KiB, without what the C library keeps of freed memory, which grows to some size and stays there."""
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # of the GNU library
        libc.malloc_trim(0)
    return status("VmRSS:")


def use_environment(env_id):
    env = make_vec(env_id, 8, num_threads=2)
    env.reset(seed=0)
    env.step(np.zeros(env.action_space.shape, np.float32))


def search(env_id):
    problem = RolloutProblem(partial(make_vec, env_id, max_episode_steps=5), partial(RSNN, num_neurons=8), num_envs=4)
    EvolvingConnectivity(problem, popsize=6).run(1)


@pytest.mark.parametrize(
    ("use", "times"),
    [
        (use_environment, 60),
        (search, 12),
        pytest.param(use_environment, 200, marks=pytest.mark.slow),
        pytest.param(search, 200, marks=pytest.mark.slow),
    ],
)
def test_what_is_dropped_leaves_neither_threads_nor_memory(use, times):
    for _ in range(3):  # what is started or loaded once, stays
        use("Hopper-v5")
    memory, threads, python_threads = memory_in_use(), status("Threads:"), threading.active_count()
    for _ in range(times):
        use("Hopper-v5")
    deadline = time.monotonic() + 30  # threads end some time after they were told to
    while time.monotonic() < deadline and (status("Threads:") > threads or threading.active_count() > python_threads):
        gc.collect()
        time.sleep(0.1)
    print(f"{use.__name__}, {times} times: {threads} threads, then {status('Threads:')};", end=" ")
    grown = memory_in_use() - memory
    print(f"{memory / 1024:.1f} MiB, and {grown / 1024:+.1f}")
    assert threading.active_count() <= python_threads
    assert status("Threads:") <= threads
    assert grown < 10_000  # KiB; sixty environments that stay take six times as much
