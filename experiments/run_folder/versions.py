"""Which software a run was made with."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from experiments import __version__

PACKAGES = ("mujoco", "gymnasium", "torch", "numpy", "numba", "evotorch")
WARP_PACKAGES = ("mujoco-warp", "warp-lang")  # of runs whose physics are on a device


def software_versions(*, with_warp: bool = False) -> dict[str, str | None]:
    """Returns the version of everything that the numbers of a run depend on.

    The entry `git_commit` is None outside a git checkout, and that of a package which is not installed is None, as
    MuJoCo Warp where the environment on a device is the user's own.

    Args:
        with_warp: Whether the physics are on a device of NVIDIA Warp.
    """
    packages = {package: _version(package) for package in (*PACKAGES, *(WARP_PACKAGES if with_warp else ()))}
    return {
        "ec-evotorch": __version__,
        "git_commit": git_commit(Path(__file__).resolve().parents[2]),
        "python": platform.python_version(),
        **packages,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def git_commit(root: Path) -> str | None:
    """Returns the commit that is checked out in a folder, with "-dirty" where tracked files differ from it.

    Args:
        root: Top of the checkout. An installation that lies somewhere inside the checkout of another project has no
            commit of its own.

    Returns:
        The commit in hex, or None if the folder is not the top of a checkout.
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
