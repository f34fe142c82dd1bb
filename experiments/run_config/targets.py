"""Which importable names a configuration may use: any in the user's own words, few in files that come from elsewhere.

A configuration names code in two ways: by `_target_`, and by an environment id such as "my_envs:Cart-v0", for which
Gymnasium imports the module before the colon. What the user typed, or wrote into a YAML file of a config directory, is
trusted as a whole (`EVERYTHING`). Of what a run folder says only the few names are allowed that training writes there
(`experiments.run_config.foreign`), and the packages that the user names with `--trust`. No module is imported before it
is known to be allowed.
"""

import importlib
import importlib.util
import os
import shlex
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from experiments.errors import UserError
from experiments.run_config.foreign import check_keys, check_plain, foreign_names, known_in
from experiments.run_config.keys import COMPONENTS

OUR_PACKAGES = ("envs", "agents", "ec_evotorch", "evotorch", "gymnasium")
FEW_NAMES = 2  # that a message lists
IMPORTED_FROM = "imported_from"  # key of config.yaml: package of the user's own -> file it was imported from


class _Everything(Collection):
    """Contains every package."""

    def __contains__(self, package: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


EVERYTHING = _Everything()


class UntrustedError(UserError):
    """A file asks for something that the user has not trusted.

    Attributes:
        what: Says which names are refused.
        packages: The packages that would have to be trusted.
        imported_from: What the run's config.yaml has under `IMPORTED_FROM`; None if nothing.
    """

    def __init__(self, what: str, packages: Collection[str], imported_from: object = None):
        super().__init__(f"{what}. If you trust that code, add {how_to_trust(packages, imported_from)}")
        self.what, self.packages, self.imported_from = what, tuple(packages), imported_from

    def with_command(self, words: Sequence[str]) -> str:
        """Returns the message with the whole command that would trust the packages.

        Args:
            words: The words of the command that was refused, after the program's name.
        """
        command = f"{shlex.join(['ec-evotorch', *words])} {how_to_trust(self.packages, self.imported_from)}"
        return f"{self.what}. If you trust that code, type: {command}"


def check_targets(node: object, trust: Collection[str] = (), key: str = "") -> None:
    """Checks every name of code in a configuration, however deep, and imports what it names.

    Args:
        node: Plain containers, unresolved.
        trust: Packages that may be used besides what is `KNOWN` in its place, each by its name, or by the path of its
            file or folder, which is then imported from there; or `EVERYTHING`.
        key: Dotted key of `node`: "env" where that is the environment.

    Raises:
        UntrustedError: If a name is neither known in its place nor of a trusted package; nothing was imported then.
        UserError: If a name does not exist, is nothing that can be called, or leads out of the trusted packages, as
            `mine.os.system` does; or something else is said than training writes, such as an interpolation.
    """
    names = list(_names(node, key))
    if trust is EVERYTHING:
        for where, name in names:
            _check_form(where, name)
            _check_home(where, name, EVERYTHING)
        return
    check_plain(node, key)
    check_keys(node, key)
    trusted = [*map(trusted_package, trust)]
    untrusted = {}
    others = list(foreign_names(node, key))
    for where, name in others:
        _check_form(where, name)
        if _package(name) not in trusted:
            untrusted.setdefault(_package(name), f"{where}: {_expected(where)}; got '{name}'")
    if untrusted:
        raise UntrustedError("; ".join(untrusted.values()), untrusted)
    for where, name in dict.fromkeys([*names, *others]):
        _check_home(where, name, trusted)


def own_packages(config: Mapping) -> dict[str, str]:
    """Returns the packages of the user's own that a configuration names, and the file that each was imported from.

    Where a package has no file, as a folder without an `__init__.py`, its name stands for it.

    Args:
        config: A whole configuration whose targets have been checked, as plain containers.
    """
    names = [_package(name) for part in COMPONENTS for _, name in _names(config.get(part), part)]
    own = dict.fromkeys(name for name in names if name not in OUR_PACKAGES)
    return {name: getattr(sys.modules.get(name), "__file__", None) or name for name in own}


def packages_of(config: Mapping) -> list[str]:
    """Returns the packages besides `OUR_PACKAGES` that a configuration names; none of them is imported.

    Args:
        config: A whole configuration, as plain containers.
    """
    names = [name for part in COMPONENTS for _, name in _names(config.get(part), part) if isinstance(name, str)]
    return [name for name in dict.fromkeys(map(_package, names)) if name not in OUR_PACKAGES]


def how_to_trust(packages: Collection[str], imported_from: object) -> str:
    """Returns the `--trust` options that let code of packages be used.

    A package that cannot be found from here is named by the file that it was imported from in training.

    Args:
        packages: Names of the packages.
        imported_from: What config.yaml has under `IMPORTED_FROM`; None if nothing.
    """
    options = []
    for package in packages:
        file = imported_from.get(package) if isinstance(imported_from, Mapping) else None
        path = Path(file) if isinstance(file, str) else None
        if path is not None and path.name == "__init__.py":
            path = path.parent
        is_needed = not _can_be_found(package) and path is not None and path.exists()
        options.append(str(path) if is_needed else package)
    return _as_options(options)


def resolve(name: str) -> tuple[object, list[str]]:
    """Imports what a dotted name stands for; only `check_targets` says whether that may be done.

    Args:
        name: Dotted name, in a module that can be imported.

    Returns:
        What it stands for, and the name of every module that it leads through or that defines it.

    Raises:
        Exception: Whatever the import raises.
    """
    first, *rest = name.split(".")
    found: object = importlib.import_module(first)
    homes = [found.__name__]
    for part in rest:
        if isinstance(found, ModuleType) and not hasattr(found, part):
            found = importlib.import_module(f"{found.__name__}.{part}")
        else:
            found = getattr(found, part)
        if isinstance(found, ModuleType):
            homes.append(found.__name__)
    if isinstance(getattr(found, "__qualname__", None), str):  # a class or a function, and no object of one
        homes.append(getattr(found, "__module__", None) or homes[-1])
    return found, homes


def trusted_package(name_or_path: str) -> str:
    """Returns the name of a package that the user trusts, and lets it be imported.

    Args:
        name_or_path: The name of a package that is installed or lies in the current folder; or the path of a Python
            file or of the folder of a package.

    Raises:
        UserError: If it is neither.
    """
    try:
        package, folder = locate_package(str(name_or_path))
    except ValueError as error:
        raise UserError(f"--trust: {error}") from error
    make_importable(folder)
    return package


def locate_package(name_or_path: str) -> tuple[str, Path]:
    """Returns the name of a package and the folder to search it in; nothing is imported.

    Args:
        name_or_path: As for `trusted_package`.

    Raises:
        ValueError: If it is neither.
    """
    if name_or_path.isidentifier():
        return name_or_path, Path.cwd()
    path = Path(name_or_path)
    if path.is_dir() and not (path / "__init__.py").is_file():
        modules = sorted(str(file) for file in path.glob("*.py") if file.stem.isidentifier())
        each = f"; trust its modules one by one: {_as_options(modules)}" if modules else ""
        raise ValueError(f"expected a package; the folder '{name_or_path}' is none, as it has no __init__.py{each}")
    path = path.resolve()  # "." has no name
    if not path.stem.isidentifier() or not (path.is_dir() or (path.is_file() and path.suffix == ".py")):
        raise ValueError(f"expected the name of a package, or the path of its file or folder; got '{name_or_path}'")
    return path.stem, path.parent


def make_own_code_importable(config: Mapping, config_dir: Path | None) -> None:
    """Lets the packages of the user's own that a configuration names be imported, if it names any.

    They are searched where installed packages are, then in the user's config directory, then in the current folder.

    Args:
        config: A whole configuration of the user's own words, as plain containers.
        config_dir: The user's own folder of YAML files, if there is one.
    """
    if packages_of(config):
        make_importable(*([] if config_dir is None else [config_dir]), Path.cwd())


def make_importable(*folders: Path) -> None:
    """Lets modules in folders be imported, in this process and in those that it starts.

    The folders are searched last, so that nothing in them hides a package that is installed.
    """
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)
            importlib.invalidate_caches()
        of_children = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if folder not in of_children:
            os.environ["PYTHONPATH"] = os.pathsep.join([*filter(None, of_children), folder])


def _as_options(packages: Collection[str]) -> str:
    return " ".join(f"--trust {shlex.quote(package)}" for package in packages)


def _names(node: object, key: str) -> Iterator[tuple[str, object]]:
    """Yields (dotted key, name) of the code that a configuration names."""
    prefix = f"{key}." if key else ""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield f"{prefix}_target_", node["_target_"]
        if isinstance(node.get("id"), str) and ":" in node["id"]:
            yield f"{prefix}id", node["id"].partition(":")[0]
        for name, child in node.items():
            yield from _names(child, f"{prefix}{name}")
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from _names(child, f"{prefix}{index}")


def _expected(where: str) -> str:
    """Says which names of code a file may have in a place."""
    names = known_in(where)
    if where.rpartition(".")[2] == "_target_" and names:
        if len(names) > FEW_NAMES:
            rooms = dict.fromkeys(name.partition(".")[0] for name in names)
            return f"expected a name in {' or '.join(rooms)} that training writes there"
        return f"expected a name in {', '.join(names)}"
    return "expected a name in none but trusted packages"


def _check_form(where: str, name: object) -> None:
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        raise UserError(f"{where}: {_expected(where)}; got '{name}'")


def _package(name: str) -> str:
    return str(name).partition(".")[0]


def _can_be_found(package: str) -> bool:
    with suppress(ImportError, ValueError):
        return importlib.util.find_spec(package) is not None or (Path(f"{package}.py").is_file())
    return False


def _check_home(where: str, name: str, allowed: Collection[str]) -> None:
    """Imports what a name stands for, and checks where it is defined unless it is known in its place."""
    try:
        found, homes = resolve(name)
    except ModuleNotFoundError as error:
        hint = ""
        if error.name == _package(name):
            other = f"or name its file: --trust FOLDER/{error.name}.py"
            if allowed is EVERYTHING:
                other = "or put the module into the folder that --config-dir names"
            hint = f": run the command in the folder of that module, {other}"
        raise UserError(f"{where}: '{name}' does not exist: {error}{hint}") from error
    except Exception as error:  # whatever the user's own module raises while it is imported
        raise UserError(f"{where}: '{name}' does not exist: {type(error).__name__}: {error}") from error
    known = known_in(where)
    if name not in known and f"{homes[-1]}.{getattr(found, '__qualname__', '')}" not in known:
        for home in homes:
            if _package(home) not in allowed:
                raise UserError(f"{where}: '{name}' leads to '{home}', outside {', '.join(allowed)}")
    is_module = isinstance(found, ModuleType)
    if where.rpartition(".")[2] == "_target_" and (is_module or not callable(found)):
        raise UserError(f"{where}: '{name}' does not exist as something that can be called")
