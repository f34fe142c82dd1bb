"""Code that a file names is imported only if its package is ours or the user trusts it."""

import os
import sys
from pathlib import Path

import pytest

from experiments.errors import UserError
from experiments.run_config.targets import (
    EVERYTHING,
    UntrustedError,
    check_targets,
    how_to_trust,
    make_importable,
    own_packages,
    packages_of,
)

MODULE = """
from pathlib import Path
from functools import partial
import os
Path({mark!r}).touch()
def make(**keywords): return keywords
made = partial(make)
"""


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A module in a folder that is not searched, which leaves a mark when it is imported; returns that mark."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "")
    mark, name = tmp_path / "imported", f"stranger_{tmp_path.name}"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / f"{name}.py").write_text(MODULE.format(mark=str(mark)))
    yield mark
    sys.modules.pop(name, None)


@pytest.fixture
def name(stranger):
    """The name of the module of `stranger`."""
    return f"stranger_{stranger.parent.name}"


@pytest.mark.parametrize("node", [{"_target_": "{}.make"}, {"a": [{"_target_": "{}.make"}]}, {"id": "{}:Cart-v0"}])
def test_a_package_that_is_not_trusted_is_not_imported(stranger, name, node, monkeypatch):
    monkeypatch.chdir(stranger.parent / "elsewhere")  # where Python itself would find it

    def fill(node):
        if isinstance(node, dict):
            return {key: fill(value) for key, value in node.items()}
        return [fill(value) for value in node] if isinstance(node, list) else node.format(name)

    with pytest.raises(UntrustedError, match=rf"got '{name}.*If you trust that code, add --trust {name}$"):
        check_targets(fill(node))
    assert not stranger.exists()
    check_targets(fill(node), trust=[name])
    assert stranger.exists()


def test_all_packages_that_need_trust_are_named_at_once():
    with pytest.raises(UntrustedError, match=r"agent\._target_: .*env\.id: .*add --trust mine --trust yours$"):
        check_targets({"agent": {"_target_": "mine.A"}, "env": {"id": "yours:B-v0"}})


@pytest.mark.parametrize("how", ["file", "folder"])
def test_a_package_can_be_trusted_by_its_path(stranger, name, how):
    path = stranger.parent / "elsewhere" / f"{name}.py"
    if how == "folder":
        path.with_suffix("").mkdir()
        path = path.rename(path.with_suffix("") / "__init__.py").parent
    check_targets({"_target_": f"{name}.make"}, trust=[str(path)])
    assert stranger.exists()


@pytest.mark.parametrize("trust", ["no/such/file.py", "two words", "a.b"])
def test_what_cannot_be_trusted_is_refused(trust):
    with pytest.raises(UserError, match="--trust: expected the name of a package"):
        check_targets({}, trust=[trust])


def test_trust_in_a_package_does_not_reach_what_it_imports(stranger, name):
    path = str(stranger.parent / "elsewhere" / f"{name}.py")
    with pytest.raises(UserError, match=r"leads to 'os'"):
        check_targets({"_target_": f"{name}.os.system"}, trust=[path])
    check_targets({"_target_": f"{name}.made"}, trust=[path])


def test_a_users_own_words_may_name_anything_that_can_be_called():
    check_targets({"_target_": "fractions.Fraction"}, EVERYTHING)
    with pytest.raises(UserError, match="does not exist as something that can be called"):
        check_targets({"_target_": "math.pi"}, EVERYTHING)
    with pytest.raises(UserError, match=r"'nowhere': run the command in the folder .* --config-dir names$"):
        check_targets({"_target_": "nowhere.Agent"}, EVERYTHING)


def test_a_module_that_fails_is_told_by_name(stranger, name):
    path = stranger.parent / "elsewhere" / f"{name}.py"
    path.write_text("1 / 0\n")
    with pytest.raises(UserError, match=rf"_target_: '{name}\.A' does not exist: ZeroDivisionError"):
        check_targets({"_target_": f"{name}.A"}, trust=[str(path)])


def test_own_packages_are_found_in_every_component(stranger, name):
    make_importable(stranger.parent / "elsewhere")
    config = {
        "env": {"_target_": "envs.make_vec", "id": f"{name}:Cart-v0"},
        "agent": {"_target_": "agents.RSNN", "module": {"_target_": f"{name}.make"}},
    }
    assert packages_of(config) == [name]
    check_targets(config, EVERYTHING)
    assert own_packages(config) == {name: str(stranger.parent / "elsewhere" / f"{name}.py")}


def test_how_to_trust_names_the_file_of_a_package_that_is_not_found_from_here(stranger, name):
    path = stranger.parent / "elsewhere" / f"{name}.py"
    assert how_to_trust([name], {name: str(path)}) == f"--trust {path}"
    assert how_to_trust([name], {name: str(path.parent / "gone.py")}) == f"--trust {name}"
    make_importable(path.parent)
    assert how_to_trust([name], {name: str(path)}) == f"--trust {name}"


def test_folders_are_searched_last_here_and_in_processes_that_are_started(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "before")
    make_importable(tmp_path)
    make_importable(tmp_path, Path("other"))
    assert sys.path[-2:] == [str(tmp_path), "other"]
    assert os.environ["PYTHONPATH"] == os.pathsep.join(["before", str(tmp_path), "other"])


def test_a_folder_of_modules_is_not_taken_for_a_package(tmp_path):
    (tmp_path / "mods").mkdir()
    for name in ("one.py", "two.py"):
        (tmp_path / "mods" / name).touch()
    options = f"--trust {tmp_path}/mods/one.py --trust {tmp_path}/mods/two.py"
    with pytest.raises(UserError, match=f"as it has no __init__.py; trust its modules one by one: {options}$"):
        check_targets({}, trust=[str(tmp_path / "mods")])


def test_a_message_lists_no_long_names():
    with pytest.raises(UntrustedError) as error:
        check_targets({"searcher": {"_target_": "mine.Searcher"}})
    assert "expected a name in ec_evotorch or evotorch that training writes there; got" in str(error.value)
    assert len(str(error.value)) < 200
