"""What is installed: the packages and their data, and nothing that is not ours to install."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("native", "envs", "agents", "ec_evotorch", "experiments")


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The names of the files in the wheel, built offline from a copy of the checkout."""
    folder = tmp_path_factory.mktemp("checkout")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "docs", folder / "docs")  # pictures and films, which nobody installs
    (folder / "tests").mkdir()
    (folder / "tests" / "test_nothing.py").touch()
    words = [sys.executable, "-c", "from setuptools import build_meta; build_meta.build_wheel('dist')"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return [PurePosixPath(name) for name in archive.namelist()]


def test_it_brings_five_packages_and_nothing_else(names):
    top = {name.parts[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)


def test_every_module_is_in_it_but_for_the_results(names):
    modules = {path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    expected = {str(path) for path in modules if path.parts[:2] != ("experiments", "results")}
    assert {str(name) for name in names if name.suffix == ".py"} == expected


def test_every_folder_of_modules_is_a_package(names):
    folders = {name.parent for name in names if name.suffix == ".py"}
    assert {str(folder) for folder in folders if folder / "__init__.py" not in names} == set()


def zoo_files(names) -> dict[str, set[str]]:
    """Returns the files of each entry of the zoo among some names of files."""
    files: dict[str, set[str]] = {}
    for name in names:
        if name.parts[:2] == ("experiments", "zoo") and name.suffix != ".py":
            files.setdefault(name.parent.name, set()).add(name.name)
    return files


def test_every_policy_of_the_zoo_is_in_it_with_three_files(names):
    there = [path.parent.name for path in (ROOT / "experiments" / "zoo").glob("*/zoo.json")]
    assert zoo_files(names) == {entry: {"policy.json", "policy.safetensors", "zoo.json"} for entry in there}
    assert there


def test_the_data_that_programs_read_is_in_it(names):
    conf = {str(path.relative_to(ROOT)) for path in (ROOT / "experiments" / "conf").rglob("*.yaml")}
    data = {str(name) for name in names if name.suffix != ".py" and not name.parts[0].endswith(".dist-info")}
    zoo = {f"experiments/zoo/{entry}/{file}" for entry, files in zoo_files(names).items() for file in files}
    assert data - zoo == conf | {"experiments/report/report.html"}
