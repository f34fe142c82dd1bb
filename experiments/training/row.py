"""The row of a generation, as it goes into metrics.csv, to the loggers and to the progress display."""

import math
import re
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
import torch
from evotorch.algorithms import SearchAlgorithm

from ec_evotorch.searchers.incumbent import latest_center
from experiments.run_config.settings import RunSettings
from experiments.run_folder.metrics import COLUMNS, VALUES

MOST_OF_A_COLUMN = 1 << 63  # a whole number from here on is written as a float
COUNTS_OF_STATUS = {  # column of metrics.csv -> entry of the searcher's status
    "generation": "iter",
    "steps": "total_interaction_count",
    "episodes": "total_episode_count",
    "failed_episodes": "failed_episode_count",
}


def generation_row(
    searcher: SearchAlgorithm, steps_before: int, seconds: float, diagnostics: tuple[str, ...] | None
) -> dict[str, int | float | None]:
    """Returns the row of the generation that a searcher has just stepped, without an evaluation of its centre.

    Args:
        searcher: Searcher after the step.
        steps_before: Environment steps before the generation.
        seconds: Wall time of the step.
        diagnostics: Entries of the status besides the columns that every run has; None takes every entry that is a
            number, as in the first generation of a run.

    Returns:
        Column -> number; a diagnostic that is NaN or not there now is None, another such value is left out.

    Raises:
        ValueError: If nothing was evaluated in the step.
    """
    status = searcher.status
    for entry in COUNTS_OF_STATUS.values():
        if entry not in status:
            raise ValueError(f"the searcher evaluated nothing in its first step: its status has no '{entry}'")
    if status[COUNTS_OF_STATUS["steps"]] <= steps_before:
        raise ValueError("the searcher evaluated nothing in this step: the number of environment steps did not rise")
    entries = {column_of(name): name for name in reversed(list(status))}  # of two that share a column, the first
    if diagnostics is None:
        diagnostics = diagnostics_of(status)
    values = {name: _number(status[name]) for name in VALUES if name in status}
    row: dict[str, int | float | None] = {
        name: float(value) for name, value in values.items() if value is not None and not np.isnan(value)
    }
    row |= {name: int(status[entry]) for name, entry in COUNTS_OF_STATUS.items()}
    row["steps_per_second"] = (row["steps"] - steps_before) / seconds
    for name in diagnostics:
        value = _number(status[entries[name]]) if name in entries else None
        row[name] = None if value is None or np.isnan(value) else value
    return row


def diagnostics_of(status: Mapping) -> tuple[str, ...]:
    """Returns the columns of the entries of a status that are numbers and are in no column that every run has."""
    known = {*COLUMNS, *COUNTS_OF_STATUS.values()}
    columns = {column_of(name): name for name in reversed(list(status)) if name not in known}
    return tuple(
        column
        for column, name in reversed(columns.items())
        if column not in known and _number(status[name]) is not None
    )


def column_of(entry: str) -> str:
    """Returns the column of an entry of a status: its name, with "_" for what would need quotes in a CSV file."""
    return re.sub(r'[\s,"\x00-\x1f\x7f]+', "_", entry) or "_"


def center_evaluation(searcher: SearchAlgorithm, num_episodes: int, generation: int) -> dict[str, float]:
    """Plays fresh episodes of a searcher's centre and returns the columns of the row that tell of them.

    Args:
        searcher: Searcher of a problem that can evaluate its centre, as `RolloutProblem` can.
        num_episodes: Number of episodes.
        generation: Generation that the centre is of; it decides which episodes are played.
    """
    solution, how = policy_of(searcher)
    returns = searcher.problem.evaluate_center(solution, num_episodes=num_episodes, seed=generation, **how)
    return {"center_return_mean": float(np.mean(returns)), "center_return_std": float(np.std(returns))}


def episodes_due(settings: RunSettings, steps_before: int, steps: int) -> int:
    """Returns how many episodes of the centre are to be played after a generation.

    An evaluation is due after the first generation that reaches each multiple of `eval.every` steps, and after the
    last generation of the run.

    Args:
        settings: Settings of the run.
        steps_before: Environment steps before the generation.
        steps: Environment steps after it.
    """
    evaluations = settings.eval
    if steps >= settings.budget:
        return evaluations.final_episodes
    if evaluations.every is not None and steps // evaluations.every > steps_before // evaluations.every:
        return evaluations.episodes
    return 0


def policy_of(searcher: SearchAlgorithm) -> tuple[torch.Tensor, dict]:
    """Returns the solution (L,) that stands for a search, and keywords of the problem's methods that play it.

    It is the incumbent, with the normaliser that it had; or the centre, if the search chooses none.
    """
    if "incumbent" not in searcher.status:
        return latest_center(searcher), {}
    normalizer = searcher.status["incumbent_normalizer"]
    return searcher.status["incumbent"], {} if normalizer is None else {"normalizer": normalizer}


def _number(value: object) -> int | float | None:
    """Returns a Python or NumPy number or a 0-d array or tensor as an int or a float; None for anything else."""
    if isinstance(value, torch.Tensor | np.ndarray):
        value = value.item() if value.ndim == 0 else None
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    if isinstance(value, Integral) and abs(int(value)) < MOST_OF_A_COLUMN:
        return int(value)
    try:
        return float(value)
    except OverflowError:  # a whole number beyond the largest float
        return math.inf if value > 0 else -math.inf
