"""Which policies the zoo has, where they are, and how one is loaded."""

from pathlib import Path

from experiments.errors import UserError, did_you_mean
from experiments.evaluation.episodes import load_policy_of_run
from experiments.run_folder.policy import SavedPolicy
from experiments.zoo.entry import is_entry

FOLDER = Path(__file__).resolve().parent
ZOO = "zoo"  # the word before a name on the command line, as in zoo/hopper


def names() -> list[str]:
    """Returns the names of the policies in the zoo."""
    return sorted(folder.name for folder in FOLDER.iterdir() if is_entry(folder))


def load(name: str) -> SavedPolicy:
    """Loads a policy of the zoo, ready to act.

    Args:
        name: One of `names()`, such as "hopper".

    Returns:
        The policy as `.policy`, and as `.env` the keywords of `gymnasium.make` for its environment.

    Raises:
        UserError: If there is no such policy.
    """
    return load_policy_of_run(_folder("name", name, prefix=""))


def is_whole_zoo(path: Path) -> bool:
    """Returns whether a path of the command line means the whole zoo: its folder, or `zoo` where there is no such."""
    return path.samefile(FOLDER) if path.is_dir() else path == Path(ZOO)


def resolve(path: Path) -> Path:
    """Returns the folder of a policy that a path of the command line means.

    Args:
        path: `zoo/NAME`, or the folder of a run.

    Returns:
        The folder of the zoo's policy, if the path is `zoo/NAME` and there is no such folder in the working directory;
        else the path itself.

    Raises:
        UserError: If the zoo has no policy of this name.
    """
    if len(path.parts) != 2 or path.parts[0] != ZOO or path.is_dir():
        return path
    return _folder("run", path.name, prefix=f"{ZOO}/")


def _folder(argument: str, name: str, prefix: str) -> Path:
    """Returns the folder of a policy.

    Args:
        argument: What the user calls it, for the error.
        name: Name of the policy.
        prefix: What stands before a name where the user writes it, for the error.
    """
    there = names()
    if name not in there:
        hint = did_you_mean(name, there, prefix)
        known = ", ".join(prefix + other for other in there)
        raise UserError(f"{argument}: expected one of {known}; got '{prefix}{name}'{hint}")
    return FOLDER / name
