"""Files that are either whole or not there."""

import os
from pathlib import Path


def write_atomic(path: Path, content: bytes) -> None:
    """Writes a file so that a reader, or a crash at any moment, finds the old content or the new, never a part."""
    unfinished = partial_path(path)
    with open(unfinished, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def partial_path(path: Path) -> Path:
    """Returns the name under which `write_atomic` writes `path` before it is whole."""
    return path.with_name(f".{path.name}.partial")
