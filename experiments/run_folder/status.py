"""status.json: the state of a run, for scripts that look after many of them."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import NoneType

from experiments.errors import UserError
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.layout import STATUS

RUNNING, FINISHED, INTERRUPTED, FAILED = STATES = ("running", "finished", "interrupted", "failed")
EVALUATIONS = ("last_evaluation", "best_evaluation")


def write_status(
    folder: Path,
    state: str,
    steps: int,
    budget: int,
    reason: str | None = None,
    last_evaluation: Mapping | None = None,
    best_evaluation: Mapping | None = None,
) -> None:
    """Writes the state of a run.

    Args:
        folder: Folder of the run.
        state: One of `STATES`. A run that was killed stays "running".
        steps: Number of environment steps that were trained.
        budget: Number of environment steps that were asked for.
        reason: Why the run failed, why it was interrupted if not by a signal, or why it finished before its budget.
        last_evaluation: Column of metrics.csv -> number, of the last evaluation; None if there was none.
        best_evaluation: The same of the evaluation with the highest mean return.

    Raises:
        UserError: If the file cannot be written.
    """
    status = {"state": state, "steps": steps, "budget": budget, "reason": reason}
    for name, evaluation in zip(EVALUATIONS, (last_evaluation, best_evaluation), strict=True):
        status[name] = evaluation and {column: _in_json(value) for column, value in evaluation.items()}
    write_atomic(folder / STATUS, (json.dumps(status, indent=2) + "\n").encode())


def _in_json(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no NaN


def read_status(folder: Path) -> dict:
    """Reads the state of a run.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If the file is damaged.
    """
    try:
        status = json.loads((folder / STATUS).read_bytes())
    except ValueError as error:
        raise UserError(f"'{folder / STATUS}': expected JSON: {error}") from error
    if not isinstance(status, dict) or status.get("state") not in STATES:
        raise UserError(f"'{folder / STATUS}': expected the key 'state' with one of {', '.join(STATES)}")
    for name in EVALUATIONS:
        evaluation = status.get(name)
        values = evaluation.values() if isinstance(evaluation, dict) else ()
        if not isinstance(evaluation, dict | None) or not all(
            type(value) in (int, float, NoneType) for value in values
        ):
            raise UserError(f"'{folder / STATUS}': {name}: expected numbers by their names; got {evaluation!r}")
    return status
