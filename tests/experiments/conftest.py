"""A training run small enough for a test, and what is compared of it."""

import pandas as pd
import pytest

from experiments.config import compose_config
from experiments.metrics import CLOCKS
from experiments.training import train

TINY_RUN = [
    "env=inverted_pendulum",
    "agent.num_neurons=16",
    "searcher.popsize=4",
    "problem.num_envs=3",
    "problem.num_threads=1",
    "budget=500",
    "eval.every=200",
    "eval.episodes=2",
    "eval.final_episodes=3",
    "progress=false",
]


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch):
    """Runs every test in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_run():
    """Hydra's words for a run of a few generations."""
    return TINY_RUN


@pytest.fixture
def train_tiny():
    """Trains the tiny run with some words added, and returns its folder."""
    return lambda *words: train(compose_config([*TINY_RUN, *words]))


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """The folder of a tiny run that several tests read."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return train(compose_config([*TINY_RUN, f"run_dir={folder}"]))


@pytest.fixture(scope="session")
def rows():
    """Reads the rows of a run, without the clock columns."""
    return lambda folder: pd.read_csv(folder / "metrics.csv").drop(columns=list(CLOCKS))
