"""Who may import whom: `envs`, `agents` and `ec_evotorch` share `native` and are joined only by `experiments`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("native", "envs", "agents", "ec_evotorch", "experiments")
MAY_IMPORT = {
    "native": {"native"},
    "envs": {"envs", "native"},
    "agents": {"agents", "native"},
    "ec_evotorch": {"ec_evotorch", "native"},
    "experiments": set(ROOMS),
}
# Installed for development only: the packages must work without them.
DEVELOPMENT_ONLY = {"hypothesis", "pytest", "sklearn", "tests"}


def imported_packages(source: str) -> set[str]:
    """Returns the first part of every absolute import, wherever in the file it stands."""
    packages = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            packages.add(node.module.split(".")[0])
    return packages


def imports_of(room: str) -> dict[str, set[str]]:
    return {str(path.relative_to(ROOT)): imported_packages(path.read_text()) for path in (ROOT / room).rglob("*.py")}


def test_imports_are_found_wherever_they_stand():
    source = "import a.b, c\ndef f():\n    from d.e import g\n    from .h import i\n"
    assert imported_packages(source) == {"a", "c", "d"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room):
    forbidden = set(ROOMS) - MAY_IMPORT[room]
    files = imports_of(room)
    assert files
    assert {file: packages & forbidden for file, packages in files.items() if packages & forbidden} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_works_without_development_packages(room):
    files = imports_of(room)
    assert {file: packages & DEVELOPMENT_ONLY for file, packages in files.items() if packages & DEVELOPMENT_ONLY} == {}
