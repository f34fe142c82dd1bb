"""Who may import whom: between the rooms, between the floors inside each room, and nowhere in a circle.

`envs`, `agents` and `ec_evotorch` share `native` and are joined only by `experiments`. Inside a folder, imports go down
its floors. All of it is data at the top of this file; imports inside functions count as those at the top of a file do.
"""

import ast
from collections.abc import Iterable
from functools import cache
from graphlib import CycleError, TopologicalSorter
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
DEVELOPMENT_ONLY = {"hypothesis", "networkx", "optuna", "pytest", "sklearn", "tests"}

# The floors of a folder from the ground up: its modules and sub-folders ("__init__" is its own `__init__.py`). Each may
# import those on the floors below it, and none on its own floor. REST stands for whatever is not named; those may also
# import one another.
REST = "*"
FLOORS = {
    "native": (REST, "__init__"),
    "envs": (REST, "tasks", "go_nogo", ("fallback", "mujoco_vector_env", "warp"), "make", "__init__"),
    "agents": (REST, "rsnn", "__init__"),
    "ec_evotorch": (
        ("protocols", "randomness", "threads", "tensors", "logging"),
        "distributions",
        "generation",
        "rollout",
        "searchers",
        "resumable",
        "__init__",
    ),
    "ec_evotorch.rollout": (REST, "workers", "problem", "__init__"),
    "ec_evotorch.searchers": (
        REST,
        "actor_critic",
        "ppo",
        "population_search",
        ("evolution_strategy", "evolving_connectivity"),
        "actor_critic_ec",
        "__init__",
    ),
    "experiments.zoo": ("entry", ("entry_table", "zoo"), ("add", "__init__")),
    "experiments": (
        "__init__",
        ("errors", "plain_text"),
        "array_files",
        "rooms",
        "run_config",
        "run_folder",
        "analysis",
        "figures",
        "evaluation",
        "zoo",
        "training",
        ("report", "bench", "results", "export", "neuroscience", "video"),
        ("commands", "loading"),
        "cli",
    ),
}
MOST_FILES = 15  # Python files in a folder


def imports(source: str, modules: Iterable[str] = ()) -> set[str]:
    """Returns what a file imports, wherever in it the import stands.

    Args:
        source: Text of the file.
        modules: Dotted names of modules that are known: `from a import b` means `a.b` if there is such a module, else
            `a`.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else node.module for name in names}
    return found


def module_name(path: Path) -> str:
    """Returns the dotted name of a file below the root; an `__init__.py` has that of its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def import_graph() -> dict[str, set[str]]:
    """Returns the modules of all rooms, each with the modules of all rooms that it imports."""
    sources = {module_name(path): path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    return {name: imports(source, sources) & set(sources) - {name} for name, source in sources.items()}


def imported_packages(room: str) -> dict[str, set[str]]:
    """Returns the files of a room, each with the first part of everything that it imports."""
    return {
        str(path.relative_to(ROOT)): {name.split(".")[0] for name in imports(path.read_text())}
        for path in (ROOT / room).rglob("*.py")
    }


def find_climbs(folder: str, floors: tuple, graph: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Returns the imports (importer, imported) inside a folder that do not go down its floors."""
    floor_of = {
        name: floor for floor, names in enumerate(floors) for name in ((names,) if isinstance(names, str) else names)
    }

    def locate(module: str) -> tuple[str, int] | None:
        if module != folder and not module.startswith(f"{folder}."):
            return None
        name = module.removeprefix(folder).removeprefix(".").split(".")[0] or "__init__"
        if name in floor_of:
            return name, floor_of[name]
        assert REST in floor_of, f"{folder}: {name} has no floor; give it one in FLOORS"
        return REST, floor_of[REST]

    climbs = set()
    for importer, imported in graph.items():
        here = locate(importer)
        for other in imported if here else ():
            there = locate(other)
            if there and there[0] != here[0] and there[1] >= here[1]:
                climbs.add((importer, other))
    return climbs


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """Returns modules of which each imports the one before it and the first is the last, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


# --- the checks notice what they are for ---


def test_imports_are_found_wherever_they_stand():
    source = "import a.b, c\ndef f():\n    from d.e import g, h\n    from .i import j\n"
    assert imports(source) == {"a.b", "c", "d.e"}
    assert imports(source, {"d.e.g"}) == {"a.b", "c", "d.e", "d.e.g"}


@pytest.mark.parametrize(
    ("importer", "imported", "climbs"),
    [
        ("room.low", "room.high.part", True),
        ("room.high.part", "room.low", False),
        ("room.one", "room.two", True),  # on the same floor
        ("room.high.part", "room.high.other", False),  # inside a folder; another entry of FLOORS may say more
        ("room.low", "room", True),
        ("room", "room.high", False),
        ("room.low", "another.high", False),
    ],
)
def test_an_import_that_does_not_go_down_is_found(importer, imported, climbs):
    found = find_climbs("room", ("low", ("one", "two"), "high", "__init__"), {importer: {imported}})
    assert found == ({(importer, imported)} if climbs else set())


def test_what_has_no_floor_is_named():
    with pytest.raises(AssertionError, match="room: new has no floor"):
        find_climbs("room", ("low",), {"room.new.part": set()})
    assert find_climbs("room", (REST, "high"), {"room.new": {"room.newer"}}) == set()


def test_a_circle_is_found():
    assert sorted(set(find_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}))) == ["a", "b", "c"]
    assert find_circle({"a": {"b", "c"}, "b": {"c"}}) == []


# --- the rooms ---


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room):
    forbidden = set(ROOMS) - MAY_IMPORT[room]
    files = imported_packages(room)
    assert files
    assert {file: packages & forbidden for file, packages in files.items() if packages & forbidden} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_works_without_development_packages(room):
    files = imported_packages(room)
    assert {file: packages & DEVELOPMENT_ONLY for file, packages in files.items() if packages & DEVELOPMENT_ONLY} == {}


# --- inside them ---


@pytest.mark.parametrize("folder", FLOORS)
def test_imports_go_down_the_floors(folder):
    assert find_climbs(folder, FLOORS[folder], import_graph()) == set()


@pytest.mark.parametrize("folder", FLOORS)
def test_every_name_on_a_floor_exists(folder):
    names = {name for floor in FLOORS[folder] for name in ([floor] if isinstance(floor, str) else floor)} - {REST}
    below = {module.removeprefix(f"{folder}.").split(".")[0] for module in import_graph() if module != folder}
    assert names - {"__init__"} - below == set()


def test_every_room_has_floors():
    assert set(ROOMS) <= set(FLOORS)


def test_no_modules_import_one_another_in_a_circle():
    assert find_circle(import_graph()) == []


def test_no_folder_holds_more_files_than_a_reader_can_take_in():
    folders = [folder for room in ROOMS for folder in (ROOT / room, *(ROOT / room).rglob("*/"))]
    counts = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}
