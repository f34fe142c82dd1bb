"""The folder of a run: which files are in it, and that no run is ever lost by accident."""

from pathlib import Path

from experiments.atomic import partial_path
from experiments.errors import UserError

CONFIG = "config.yaml"
METRICS = "metrics.csv"
CURVE = "curve.png"
POLICY_TENSORS = "policy.safetensors"
POLICY_DESCRIPTION = "policy.json"
EVALUATION = "evaluation.json"
RUN_FILES = (CONFIG, METRICS, CURVE, POLICY_TENSORS, POLICY_DESCRIPTION, EVALUATION)


def check_vacant(folder: Path, overwrite: bool) -> None:
    """Checks, without writing, that a run may be put in `folder`.

    Raises:
        UserError: If a run is there and may not be overwritten, or the path cannot be a folder.
    """
    for part in (folder, *folder.parents):
        if part.exists() and not part.is_dir():
            raise UserError(f"run_dir: expected a folder; '{part}' is a file")
    there = [name for name in RUN_FILES if (folder / name).exists()]
    if there and not overwrite:
        raise UserError(
            f"'{folder}' holds a run already ({', '.join(there)}): "
            "choose another run_dir=, or overwrite=true to replace it"
        )


def open_run_folder(folder: Path, overwrite: bool) -> None:
    """Makes the folder and, where `overwrite` is true, deletes the files of the run in it; never any other file.

    Raises:
        UserError: As `check_vacant`, or if the folder cannot be made.
    """
    check_vacant(folder, overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"run_dir: cannot make '{folder}': {error.strerror}") from error
    for name in RUN_FILES:
        (folder / name).unlink(missing_ok=True)
        partial_path(folder / name).unlink(missing_ok=True)
