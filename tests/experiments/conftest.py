"""A training run small enough for a test, and what is compared of it."""

from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf, open_dict

from experiments.run_config.compose import compose_config
from experiments.run_folder.layout import CONFIG, METRICS
from experiments.run_folder.metrics import CLOCKS, OF_WORKERS, MetricsWriter
from experiments.training.run import train

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
    """Reads the rows of a run, without the columns that may differ between two runs of one seed."""
    return lambda folder: pd.read_csv(folder / "metrics.csv").drop(columns=[*CLOCKS, *OF_WORKERS], errors="ignore")


composed = cache(lambda *words: compose_config(list(words)))


@pytest.fixture
def write_run():
    """Writes a run folder without training.

    Its returns are {steps: return of the centre, or None where it was not evaluated}, a generation each, of one second.
    """

    def write(
        folder, returns, *words, seed=0, method="rsnn-ec", env="Hopper-v5", budget=None, mujoco="4.0.0", warp=None
    ) -> Path:
        agent, searcher = method.split("-")
        config = composed(f"agent={agent}", f"searcher={searcher}", *words).copy()
        config.env.id, config.seed, config.run_dir = env, seed, str(folder)
        config.budget = budget or max(returns, default=1)
        with open_dict(config):
            config.versions = {"mujoco": mujoco, "gymnasium": "1.4.0", "git_commit": None}
            if warp is not None:
                config.versions["mujoco-warp"] = warp
        path = Path(folder)
        path.mkdir(parents=True)
        OmegaConf.save(config, path / CONFIG)
        with MetricsWriter(path / METRICS) as metrics:
            for generation, (steps, value) in enumerate(returns.items(), start=1):
                row = {"generation": generation, "steps": steps, "episodes": 16 * generation, "mean_return": steps / 7}
                row |= {"center_return_mean": value, "center_return_std": value and 1.0}
                metrics.append({**row, "elapsed_seconds": float(generation), "steps_per_second": 3.0})
        return path

    return write
