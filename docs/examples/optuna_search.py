"""Searches settings of EC on Hopper with Optuna; the same command again goes on where it was stopped."""

from functools import partial
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from experiments.analysis import load, run_scores
from experiments.cli import main as ec_evotorch


def score(trial: optuna.Trial, folder: Path, words: tuple[str, ...]) -> float:
    """Trains with the settings of a trial; a run that is there already is finished, not begun anew."""
    popsize = trial.suggest_categorical("popsize", [8, 16, 32])
    rate = trial.suggest_float("rate", 0.01, 0.2, log=True)
    run = folder / f"popsize{popsize}-rate{rate:g}"
    settings = (f"searcher.popsize={popsize}", f"searcher.center_learning_rate={rate}", f"run_dir={run}")
    if ec_evotorch(["train", "-m", "env=hopper", "agent=rsnn", "searcher=ec", "seed=0", *words, *settings]) != 0:
        raise optuna.TrialPruned(f"{run} did not end")
    return float(run_scores(load(run)).score.iloc[0])


def main(folder: Path, num_trials: int, *words: str) -> optuna.Study:
    """Goes on until so many trials are complete, and returns the study."""
    folder.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(folder / "study.log")))
    study = optuna.create_study(study_name="ec", storage=storage, direction="maximize", load_if_exists=True)
    for stopped in study.get_trials(states=(TrialState.RUNNING,)):  # on its way when the program was stopped
        study.tell(stopped.number, state=TrialState.FAIL)
        study.enqueue_trial(stopped.params)
    missing = num_trials - len(study.get_trials(states=(TrialState.COMPLETE,)))
    study.optimize(partial(score, folder=folder, words=words), n_trials=max(0, missing))
    return study


if __name__ == "__main__":
    best = main(Path("runs/optuna"), 20, "budget=200000").best_trial
    print(best.value, best.params)
