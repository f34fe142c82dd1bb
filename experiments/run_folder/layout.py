"""The folder of a run: its files, and rules by which one process writes it at a time and no run is lost."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.errors import UserError
from experiments.run_folder.atomic_write import partial_path

try:
    import fcntl
except ImportError:  # Windows, where results can be read but nothing is trained
    fcntl = None

CONFIG = "config.yaml"
METRICS = "metrics.csv"
CURVE = "curve.png"
POLICY_TENSORS = "policy.safetensors"
POLICY_DESCRIPTION = "policy.json"
EVALUATION = "evaluation.json"
STATUS = "status.json"
CHECKPOINTS = "checkpoints"  # a folder
TRACEBACK = "traceback.txt"  # only of a run that crashed
RHO_HISTOGRAM = "rho_histogram.csv"  # only of a run that searches over ρ
RHO_BLOCKS = "rho_blocks.csv"  # likewise, where the solution has blocks
START = "start.safetensors"  # only of a run whose search began where another had ended
TENSORBOARD, WANDB = "tensorboard", "wandb"  # folders, only of runs that were logged there
VIDEO = "video.mp4"  # where `ec-evotorch video` writes unless told otherwise
VIDEOS = (VIDEO, "video.gif")  # what `ec-evotorch report` looks for
RUN_FILES = (CONFIG, METRICS, CURVE, POLICY_TENSORS, POLICY_DESCRIPTION, EVALUATION, STATUS)


class HeldError(UserError):
    """Says that another process is training in a run folder."""


def check_vacant(folder: Path, overwrite: bool) -> None:
    """Checks, without writing, that a run may be put into a folder.

    Args:
        folder: Folder that need not exist.
        overwrite: Whether a run in it may be replaced.

    Raises:
        UserError: If a run is there and may not be overwritten, the path cannot be a folder, or this system has no
            locks to hold it with.
    """
    _check_locks(folder)
    for part in (folder, *folder.parents):
        if part.exists() and not part.is_dir():
            raise UserError(f"run_dir: expected a folder; '{part}' is a file")
    there = run_files(folder)
    if there and not overwrite:
        raise UserError(
            f"'{folder}' holds a run already ({', '.join(there)}): choose another run_dir=, overwrite=true to replace "
            f"it, or go on with it: ec-evotorch resume {folder}"
        )


def _check_locks(folder: Path) -> None:
    if fcntl is None:
        raise UserError(f"'{folder}': training needs a system with file locks, such as Linux; this one has none")


def run_files(folder: Path) -> list[str]:
    """Returns the names of what a run has left in a folder."""
    return [name for name in (*RUN_FILES, CHECKPOINTS) if (folder / name).exists()]


@contextmanager
def open_run_folder(folder: Path, overwrite: bool) -> Iterator[None]:
    """Makes a run folder and holds it for this process until the end of the block.

    Args:
        folder: Folder of the run.
        overwrite: Whether the files of a run that is in it are deleted; other files never are.

    Raises:
        UserError: As `check_vacant` and `hold`, or if the folder cannot be made.
    """
    check_vacant(folder, overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"run_dir: cannot make '{folder}': {error.strerror}") from error
    with hold(folder):
        for name in (*RUN_FILES, *VIDEOS, TRACEBACK, RHO_HISTOGRAM, RHO_BLOCKS, START):
            (folder / name).unlink(missing_ok=True)
            partial_path(folder / name).unlink(missing_ok=True)
        for name in (CHECKPOINTS, TENSORBOARD, WANDB):
            shutil.rmtree(folder / name, ignore_errors=True)
        yield


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Holds a run folder for this process until the end of the block, where the file system can lock.

    Args:
        folder: Folder that exists.

    Raises:
        HeldError: If another process holds it.
        UserError: If this system has no such locks.
    """
    _check_locks(folder)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HeldError(f"'{folder}': another process is training in it") from None
        except OSError:
            pass  # some network file systems lock no folders
        yield
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Returns whether a process is training in a folder, where the file system can lock."""
    try:
        with hold(folder):
            return False
    except FileNotFoundError:
        return False
    except HeldError:
        return True
