"""A run that is killed ends as an unbroken one, whatever the moment."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.experiments.training.tiny_runs import words

KILLS = {"ec": 15, "es": 15, "pgpe": 15, "snes": 15, "cem": 15, "ppo": 15, "ec_critic": 15, "ec_staged": 15}
KILLS_WITH_WORKERS = 10


class Killer:
    """Commands in processes that die by SIGKILL, in the working directory; see killable.py.

    Args:
        warm: The folder of the run to warm up with.

    Attributes:
        seconds: Processor time of the last command.
    """

    def __init__(self, warm: Path):
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "NUMBA_THREADING_LAYER": "workqueue",
            "NUMBA_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("killable.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._send(["train", *words("ec", f"run_dir={warm}")])

    def _send(self, line: object) -> None:
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def __call__(self, *words: str, after: float | None = None, at: list | None = None) -> int:
        self._send({"words": words, "folder": os.getcwd(), "after": after, "at": at})
        code, seconds = self._process.stdout.readline().split()
        self.seconds = float(seconds)
        return int(code)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


@pytest.fixture(scope="module")
def killer(tmp_path_factory):
    """A `Killer` for all tests, each of which has a folder of its own."""
    killer = Killer(tmp_path_factory.mktemp("warm") / "run")
    yield killer
    killer.close()


def begin(*command: str) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen([sys.executable, "-m", "experiments.cli", *command], env=environment)


def num_rows(metrics: Path) -> int:
    return metrics.read_bytes().count(b"\n") - 1 if metrics.exists() else 0


def go_on(killer: Killer, searcher: str, *more: str, **death) -> int:
    if Path("run/config.yaml").exists():
        return killer("resume", "run", **death)
    return killer("train", *words(searcher, *more, "run_dir=run", "overwrite=true"), **death)


@pytest.mark.parametrize(("searcher", "kills"), [("ec", 5), pytest.param("ppo", 2, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_at_random_moments_ends_as_an_unbroken_one(
    searcher, kills, killer, unbroken, assert_same_end
):
    rng = np.random.default_rng(0)
    killed = 0
    while killed < kills:
        if go_on(killer, searcher, after=rng.uniform(0.0, 0.6)) == -signal.SIGKILL:
            killed += 1
        else:  # it came to its end before; the next one starts anew
            assert_same_end(Path("run"), unbroken(searcher))
            shutil.rmtree("run")
    assert go_on(killer, searcher) == 0
    assert_same_end(Path("run"), unbroken(searcher))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("searcher", "kills"), KILLS.items())
def test_a_hundred_runs_of_all_searchers_are_killed_and_resumed_to_the_same_end(
    searcher, kills, killer, unbroken, assert_same_end, capsys
):
    """Each run is killed once, at a moment that is drawn from all of its time, and then goes on to its end."""
    assert go_on(killer, searcher) == 0
    whole, rng, resumed = killer.seconds, np.random.default_rng(2), 0
    while resumed < kills:
        shutil.rmtree("run")
        is_killed = go_on(killer, searcher, after=rng.uniform(0.0, whole)) == -signal.SIGKILL
        assert go_on(killer, searcher) == 0
        assert_same_end(Path("run"), unbroken(searcher))
        resumed += is_killed
    with capsys.disabled():
        print(f"\n| {searcher} | {kills} | {resumed} |")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_runs_with_workers_are_killed_and_resumed_to_the_same_end(unbroken, assert_same_end, capsys):
    """Here the moment is when some row is written, as workers take long to start. The unbroken run has no workers."""
    more = ["budget=3000", "eval.every=500"]
    rng, resumed = np.random.default_rng(3), 0
    while resumed < KILLS_WITH_WORKERS:
        shutil.rmtree("run", ignore_errors=True)
        process = begin("train", *words("ec", *more, "problem.num_actors=2", "run_dir=run"))
        row = int(rng.integers(1, 12))
        while process.poll() is None and num_rows(Path("run/metrics.csv")) < row:
            time.sleep(0.001)
        process.kill()
        was_killed = process.wait() == -signal.SIGKILL  # else it came to its end before
        assert begin("resume", "run").wait() == 0
        assert_same_end(Path("run"), unbroken("ec", *more))
        resumed += was_killed
    with capsys.disabled():
        print(f"\n| ec, two workers | {KILLS_WITH_WORKERS} | {resumed} |")


@pytest.mark.slow
def test_a_run_survives_a_hundred_kills(killer, unbroken, assert_same_end):
    rng = np.random.default_rng(1)
    more = ["budget=300000", "checkpoint_every=1"]
    killed = 0
    while killed < 100:
        code = go_on(killer, "ec", *more, after=rng.uniform(0.1, 0.7))
        assert code == -signal.SIGKILL  # else the budget is too small for a hundred
        killed += 1
    assert go_on(killer, "ec", *more) == 0
    assert_same_end(Path("run"), unbroken("ec", *more))


def test_a_run_that_is_killed_in_every_write_ends_as_an_unbroken_one(killer, unbroken, assert_same_end):
    moments = [[name, number] for number in (1, 2, 3, 4, 5) for name in ("fsync", "replace")] + [["unlink", 1]]
    assert [go_on(killer, "ec", at=moment) for moment in moments[:8]] == [-signal.SIGKILL] * 8
    for moment in moments[8:]:
        go_on(killer, "ec", at=moment)
    assert go_on(killer, "ec") == 0
    assert_same_end(Path("run"), unbroken("ec"))
