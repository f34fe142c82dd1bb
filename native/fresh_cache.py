"""Dropping compiled code that its sources have outgrown."""

import contextlib
from pathlib import Path


def drop_outdated(package_init: str) -> None:
    """Delete a package's compiled functions that are older than any of its sources, or of this package's.

    numba keeps a compiled function as long as the one file that it is written in stays the same, though it may have
    compiled in functions and memory layouts from other files. After an update such a function would read the wrong
    memory.

    Args:
        package_init: ``__file__`` of the package's ``__init__``.
    """
    package = Path(package_init).parent
    sources = [*package.rglob("*.py"), *Path(__file__).parent.glob("*.py")]
    newest = max(path.stat().st_mtime for path in sources)
    for compiled in package.rglob("*.nb[ic]"):
        with contextlib.suppress(OSError):  # another process was faster, or the folder is not ours to change
            if compiled.stat().st_mtime < newest:
                compiled.unlink()
