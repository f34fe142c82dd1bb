"""Whether the top-level packages of this project are its own, and not another project's of the same name."""

from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

from experiments.errors import UserError

ROOMS = ("native", "envs", "agents")
"""Packages with names that other projects use too, such as the `agents` of openai-agents."""

DISTRIBUTION = "ec-evotorch"
"""Name of this project, which stands in the docstring of each of its packages."""


def check_rooms() -> None:
    """Checks that Python finds this project's packages, without importing them.

    Two distributions with a package of one name overwrite each other's files, or one hides the other's folder.

    Raises:
        UserError: If a package is missing or another project's.
    """
    for room in ROOMS:
        spec = find_spec(room)
        origin = spec.origin if spec is not None else None
        if origin is None or DISTRIBUTION not in Path(origin).read_text(encoding="utf-8"):
            others = ", ".join(sorted({*packages_distributions().get(room, [])} - {DISTRIBUTION}))
            raise UserError(
                f"the package '{room}' is not that of {DISTRIBUTION}, but {origin or 'missing'}"
                f"{f' (of {others})' if others else ''}: install {DISTRIBUTION} in a virtual environment of its own"
            )
