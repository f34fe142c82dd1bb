"""Which software a run was made with."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from experiments import __version__

PACKAGES = ("mujoco", "gymnasium", "torch", "numpy", "numba", "evotorch")


def software_versions() -> dict[str, str | None]:
    """Returns the version of everything that a run's numbers depend on; `git_commit` is None outside a git checkout."""
    packages = {package: version(package) for package in PACKAGES}
    return {
        "ec-evotorch": __version__,
        "git_commit": git_commit(Path(__file__).resolve().parents[2]),
        "python": platform.python_version(),
        **packages,
    }


def git_commit(root: Path) -> str | None:
    """Returns the commit checked out in `root`, with "-dirty" where tracked files differ from it; None if none is.

    `root` must be the top of the checkout: an installation that lies somewhere inside another project's checkout has no
    commit of its own.
    """
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
