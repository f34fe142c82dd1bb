"""A long training takes no more memory and no more threads as it goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

MINUTES = float(os.environ.get("EC_EVOTORCH_SOAK_MINUTES", "3"))  # of each searcher
SECONDS_BETWEEN_SAMPLES = 5.0
WARM_UP = 0.25  # of the time: until caches and buffers have their size
MOST_GROWTH = 4.0  # MiB, between the second quarter of the time and the last
ROWS = 7  # of the table that is printed


def memory_and_threads(pid: int) -> tuple[float, int]:
    """Returns the resident memory of a process, in MiB, and the number of its threads."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["Threads"])


def processor_seconds(pid: int) -> float:
    """Returns how long a process has been running on a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def num_rows() -> int:
    """Returns how many generations are in the metrics of the run."""
    path = Path("run/metrics.csv")
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


def sample(pid: int, seconds: float) -> np.ndarray:
    """Watches a process, and returns (samples, 3): seconds since the start, memory in MiB, threads."""
    start, samples = time.monotonic(), []
    while (now := time.monotonic() - start) < seconds:
        samples.append((now, *memory_and_threads(pid)))
        time.sleep(SECONDS_BETWEEN_SAMPLES)
    return np.array(samples)


def table(samples: np.ndarray) -> str:
    """Returns some of the samples, evenly over the time, and the slope of the memory after warm-up."""
    chosen = samples[np.linspace(0, len(samples) - 1, ROWS).astype(int)]
    lines = [f"| {seconds / 60:.1f} min | {memory:.1f} MiB | {threads:.0f} |" for seconds, memory, threads in chosen]
    warm = samples[samples[:, 0] >= WARM_UP * samples[-1, 0]]
    slope = np.polyfit(warm[:, 0] / 3600, warm[:, 1], 1)[0]
    return "\n".join([*lines, f"slope after warm-up: {slope:+.2f} MiB an hour"])


@pytest.mark.slow
@pytest.mark.timeout(60 * MINUTES + 300)
@pytest.mark.parametrize("searcher", ["ec", "ppo", "ec_critic"])
def test_a_long_training_grows_neither_in_memory_nor_in_threads(searcher, capsys):
    """Also writes a checkpoint at each generation, and evaluates every 20,000 steps, more often than runs do."""
    words = ["env=hopper", "agent=rsnn", f"searcher={searcher}", "budget=1e15", "run_dir=run", "progress=false"]
    words += ["problem.num_threads=1", "eval.every=20000", "checkpoint_every=1"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", "experiments.cli", "train", *words], env=environment)
    try:
        while num_rows() < 2:
            assert process.poll() is None
            time.sleep(0.5)
        samples = sample(process.pid, 60.0 * MINUTES)
        work = f"{searcher}, {num_rows():,} generations in {processor_seconds(process.pid):,.0f} s of processor time"
        with capsys.disabled():
            print(f"\n{work}\n{table(samples)}")
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(600)  # on a machine that has other work
    assert code == 143
    quarter = (4 * np.arange(len(samples)) // len(samples))[:, None]
    second, last = (samples[(quarter == number)[:, 0]] for number in (1, 3))
    assert np.median(last[:, 1]) - np.median(second[:, 1]) <= MOST_GROWTH
    assert last[:, 2].max() <= second[:, 2].max()
