"""Trains a run as the command does, from Python, and reads what it has come to."""

from pathlib import Path

from experiments.run_config.compose import compose_config
from experiments.run_folder.trained_run import TrainedRun
from experiments.training.run import train


def main(folder: Path, *words: str) -> TrainedRun:
    """Trains in a folder, and returns it: a path that knows its scores."""
    return train(compose_config(["env=hopper", "agent=rsnn", "searcher=ec", "seed=0", f"run_dir={folder}", *words]))


if __name__ == "__main__":
    run = main(Path("runs/from-python"), "budget=1e5")
    print("folder:", run)
    print("score, the mean return of the last evaluation:", run.score)
    print("best evaluation:", run.status["best_evaluation"])
    print(run.metrics[["steps", "mean_return", "center_return_mean"]].tail())
