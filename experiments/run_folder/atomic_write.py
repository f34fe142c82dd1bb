"""Writes files that are either whole or not there at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from experiments.errors import UserError


def write_atomic(path: Path, content: bytes) -> None:
    """Writes a file so that a reader, or a crash at any moment, finds the old content or the new, never a part of it.

    Args:
        path: Path of the file.
        content: All that is to be in it.

    Raises:
        UserError: If it cannot be written; the old content is still there then.
    """
    unfinished = partial_path(path)
    with writing(path):
        try:
            with open(unfinished, "wb") as file:
                file.write(content)
            replace_by(unfinished, path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise


def replace_by(unfinished: Path, path: Path) -> None:
    """Puts a file that is whole now in the place of another, so that the loss of power keeps one of the two.

    Args:
        unfinished: The file, which is closed, in the folder of `path`.
        path: The place that it is to have.

    Raises:
        OSError: If it cannot be put there; see `writing`.
    """
    with open(unfinished, "rb+") as file:  # Windows syncs no file that is open for reading alone
        os.fsync(file.fileno())
    os.replace(unfinished, path)
    _sync_folder(path.parent)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the system's refusal to write, as when a disk is full, into a message that names the file.

    Args:
        path: Path of the file that is written within the block.

    Raises:
        UserError: For an OSError within the block.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write '{path}': {error.strerror}") from error


def partial_path(path: Path) -> Path:
    """Returns the name under which `write_atomic` writes `path` before it is whole."""
    return path.with_name(f".{path.name}.partial")


def _sync_folder(folder: Path) -> None:
    """Makes a renaming survive the loss of power, where the system can open a folder, which Windows cannot."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
