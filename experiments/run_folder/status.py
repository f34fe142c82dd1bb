"""status.json: the state of a run, for scripts that look after many of them."""

import json
from pathlib import Path

from experiments.errors import UserError
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.layout import STATUS

RUNNING, FINISHED, INTERRUPTED, FAILED = STATES = ("running", "finished", "interrupted", "failed")


def write_status(folder: Path, state: str, steps: int, budget: int, reason: str | None = None) -> None:
    """Writes the state of a run.

    Args:
        folder: Folder of the run.
        state: One of `STATES`. A run that was killed stays "running".
        steps: Number of environment steps that were trained.
        budget: Number of environment steps that were asked for.
        reason: Why the run failed, or why it was interrupted if not by a signal.

    Raises:
        UserError: If the file cannot be written.
    """
    status = {"state": state, "steps": steps, "budget": budget, "reason": reason}
    write_atomic(folder / STATUS, (json.dumps(status, indent=2) + "\n").encode())


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
    return status
