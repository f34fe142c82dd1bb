"""Trains a run as the command does, from Python, and reads its final score."""

from pathlib import Path

from experiments.analysis import load, run_scores
from experiments.run_config.compose import compose_config
from experiments.training.run import train


def main(folder: Path, *words: str) -> float:
    """Trains in a folder, and returns the mean return of the centre in the last evaluation."""
    config = compose_config(["env=hopper", "agent=rsnn", "searcher=ec", "seed=0", f"run_dir={folder}", *words])
    return float(run_scores(load(train(config))).score.iloc[0])


if __name__ == "__main__":
    print("final score:", main(Path("runs/from-python"), "budget=1e5"))
