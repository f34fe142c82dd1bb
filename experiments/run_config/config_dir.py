"""The user's own folder of YAML files, beside the one of this package."""

import os
from pathlib import Path

from experiments.errors import UserError

CONFIG_DIR = str(Path(__file__).resolve().parents[1] / "conf")
CONFIG_DIR_VARIABLE = "EC_EVOTORCH_CONFIG_DIR"
GROUPS = ("env", "agent", "searcher", "method", "scale", "scale/searcher", "experiment", "logger")


def own_config_dir(option: str | Path | None = None) -> Path | None:
    """Returns the folder of the user's own YAML files; None if there is none.

    Args:
        option: What `--config-dir` says; None takes what the environment variable `EC_EVOTORCH_CONFIG_DIR` says.

    Raises:
        UserError: If the folder is missing, holds none of `GROUPS`, or has a choice of the same name as one of ours.
    """
    name = "--config-dir" if option is not None else CONFIG_DIR_VARIABLE
    text = os.environ.get(CONFIG_DIR_VARIABLE) if option is None else str(option)
    if not text:
        return None
    folder = Path(text).resolve()
    if not folder.is_dir():
        raise UserError(f"{name}: expected a folder of YAML files; '{text}' is none")
    if not any((folder / group).is_dir() for group in GROUPS):
        raise UserError(f"{name}: expected a folder with at least one of {', '.join(GROUPS)} in it; '{text}' has none")
    ours = choices(CONFIG_DIR)
    for group, names in choices(folder).items():
        for choice in names:
            if choice in ours[group]:
                raise UserError(
                    f"{name}: '{folder / group / choice}.yaml' has the name of one of ours; rename it, as my_{choice}"
                )
    return folder


def choices(folder: str | Path) -> dict[str, list[str]]:
    """Returns the names of the YAML files in each of `GROUPS`, sorted."""
    return {group: sorted(path.stem for path in Path(folder, group).glob("*.yaml")) for group in GROUPS}
