"""Compiled code is kept as long as nothing it was compiled from has changed, wherever it is kept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked_python import ROOT, forked_python

COMPILING = "compiling what this run needs"
NUMBA = """
import os
os.environ.pop("NUMBA_CACHE_DIR", None)
import numba
numba.njit(lambda x: x)(1)
"""  # what a process has done that others are forked from
SOURCES = {
    "__init__.py": "",
    "settings.py": "FACTOR = 2\n",
    "inner.py": '''
from native.compiled import compiled
from package.settings import FACTOR


@compiled
def times(x):
    """Multiplies."""
    return FACTOR * x
''',
    "outer.py": """
import ctypes

from numba import types

from native.compiled import callback, compiled
from package.inner import times


@compiled
def one_more(x):
    return times(x) + 1


@callback(types.int64(types.int64))
def c_function(x):
    return times(x) + 2


def results(x):
    return one_more(x), ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(c_function.address)(x)
""",
    "unused.py": "from package.inner import times\n",
}


def in_a_fork(folder: Path, program: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs a program that imports modules of a folder, and writes no bytecode of them."""
    start = f"import sys; sys.dont_write_bytecode = True; sys.path.insert(0, {str(folder)!r})\n"
    return forked_python("-c", start + program, after=NUMBA, **environment)


class Project:
    """A package in a folder of its own, whose functions are run in a new process.

    For the place "variable" Python starts each process, with seeds of its hashes that differ; else they are forked.
    """

    program = "from package.outer import results; print(*results(10))"

    def __init__(self, folder: Path, place: str):
        self.folder, self.package, self.is_forked = folder, folder / "package", place != "variable"
        self.package.mkdir()
        for name, source in SOURCES.items():
            (self.package / name).write_text(source)
        self.environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        self.environment.pop("NUMBA_CACHE_DIR", None)
        self.environment["XDG_CACHE_HOME"] = str(folder / "user")
        if place == "variable":
            self.environment["NUMBA_CACHE_DIR"] = str(folder / "variable")
        if place in ("user", "nowhere"):
            (self.package / "__pycache__").write_text("a file, so that no folder can be made here")
        if place == "nowhere":
            self.environment["XDG_CACHE_HOME"] = "/dev/null"

    def start(self) -> subprocess.Popen:
        words = [sys.executable, "-c", self.program]
        return subprocess.Popen(
            words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder
        )

    def run(self) -> tuple[list[int], str]:
        """Returns the results of both functions, and what was said on stderr."""
        if self.is_forked:
            done = in_a_fork(self.folder, self.program, XDG_CACHE_HOME=self.environment["XDG_CACHE_HOME"])
            code, out, err = done.returncode, done.stdout, done.stderr
        else:
            process = self.start()
            out, err = process.communicate()
            code = process.returncode
        assert code == 0, err
        return [int(word) for word in out.split()], err

    def edit(self, name: str, old: str, new: str) -> None:
        """Changes a file and lets it keep its date, as rsync, tar and conda do."""
        path = self.package / name
        before = path.stat()
        source = path.read_text()
        assert old in source
        path.write_text(source.replace(old, new))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def folders(self) -> set[Path]:
        """The folders that hold compiled code of the package."""
        return {path.parent for path in self.folder.rglob("*.code")}


PLACES = pytest.mark.parametrize("place", ["beside the source", "variable", "user"])


@PLACES
def test_code_is_compiled_once_and_again_when_a_file_that_went_into_it_changes(tmp_path, place):
    project = Project(tmp_path, place)
    results, said = project.run()
    assert (results, said.count(COMPILING)) == ([21, 22], 1)
    before = project.folders()
    assert {"variable": "variable", "user": "user"}.get(place, "package") in {
        folder.relative_to(tmp_path).parts[0] for folder in before
    }
    assert project.run() == ([21, 22], "")
    project.edit("settings.py", "2", "3")  # a file without compiled code, two imports away
    results, said = project.run()
    assert (results, said.count(COMPILING)) == ([31, 32], 1)
    assert not before & project.folders()  # what no source fits is deleted
    assert project.run() == ([31, 32], "")


def test_words_and_files_that_do_not_go_into_code_leave_it_alone(tmp_path):
    project = Project(tmp_path, "beside the source")
    project.run()
    project.edit("inner.py", "Multiplies.", "Returns the product.")
    project.edit("inner.py", "\n    return", "\n    # A comment.\n    return")
    project.edit("unused.py", "times", "times as product")
    assert project.run() == ([21, 22], "")


def test_where_nothing_can_be_written_code_works_and_one_line_says_so(tmp_path):
    project = Project(tmp_path, "nowhere")
    for _ in range(2):
        results, said = project.run()
        assert results == [21, 22]
        assert said.count("no folder for compiled code can be written") == 1
        assert "set NUMBA_CACHE_DIR" in said
        assert said.count("\n") == 2  # that, and that it compiles
    assert project.folders() == set()


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(byte ^ 0xFF for byte in content[middle : middle + 40]) + content[middle + 40 :]


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        pytest.param(lambda content: content[:100], marks=pytest.mark.slow),
        lambda content: content[:-1],
        pytest.param(lambda content: b"", marks=pytest.mark.slow),
    ],
    ids=["flipped", "100 bytes", "cut", "empty"],
)
def test_a_damaged_file_is_compiled_anew(tmp_path, damage):
    project = Project(tmp_path, "beside the source")
    project.run()
    for path in tmp_path.rglob("*.code"):
        path.write_bytes(damage(path.read_bytes()))
    results, said = project.run()
    assert (results, said.count(COMPILING)) == ([21, 22], 1)
    assert project.run() == ([21, 22], "")


def test_processes_may_compile_at_the_same_time(tmp_path):
    project = Project(tmp_path, "beside the source")
    processes = [project.start() for _ in range(3)]
    assert [process.communicate()[0].split() for process in processes] == [["21", "22"]] * 3
    assert project.run() == ([21, 22], "")
    assert not list(tmp_path.rglob("*.tmp"))


def test_importing_the_packages_compiles_nothing(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)}
    words = "import agents, envs, ec_evotorch, experiments.training.run"
    done = subprocess.run([sys.executable, "-c", words], env=environment, capture_output=True, text=True, check=True)
    assert COMPILING not in done.stderr
    assert list(tmp_path.iterdir()) == []


def run_module(folder: Path, source: str, expression: str, **variables: str) -> tuple[str, str]:
    """Returns what an expression of a module gives in a new process, and what was said on stderr."""
    (folder / "module.py").write_text(source)
    program = f"import module; print(module.{expression})"
    if not variables:
        done = in_a_fork(folder, program)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), done.stderr
    paths = f"{folder}{os.pathsep}{ROOT}"
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | variables
    environment.pop("NUMBA_CACHE_DIR", None)
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


NAMESAKES = {
    "constants": (
        "@compiled\ndef f(x):\n    return x + 1000\n",
        "@compiled\ndef f(x):\n    return x + 2000\n",
        "1001 2001",
    ),
    "names": (
        "@compiled\ndef one(x):\n    return x + 1\n@compiled\ndef f(x):\n    return one(x)\n",
        "@compiled\ndef two(x):\n    return x + 2\n@compiled\ndef f(x):\n    return two(x)\n",
        "2 3",
    ),
    "nested functions": (
        "@compiled\ndef f(x):\n    inner = lambda y: y + 10\n    return inner(x)\n",
        "@compiled\ndef f(x):\n    inner = lambda y: y + 20\n    return inner(x)\n",
        "11 21",
    ),
    "options": (
        "@compiled(error_model='numpy')\ndef f(x):\n    return 1.0 / (x - 1)\n",
        "@compiled\ndef f(x):\n    return 1.0 / (x - 1)\nstrict = f\n"
        "def f(x):\n    try:\n        return strict(x)\n    except ZeroDivisionError:\n        return 'error'\n",
        "inf error",
    ),
    "functions closed over": (
        "def outer(g):\n    @compiled\n    def h(x):\n        return g(x)\n    return h\n"
        "def adder(n):\n    @compiled\n    def g(x):\n        return x + n\n    return g\n"
        "f = outer(adder(1))\n",
        "f = outer(adder(2))\n",
        "2 3",
    ),
}


@pytest.mark.parametrize(("first", "second", "results"), NAMESAKES.values(), ids=NAMESAKES)
def test_functions_of_one_name_do_not_get_the_code_of_one_another(tmp_path, first, second, results):
    source = f"from native.compiled import compiled\n{first}first = f\n{second}"
    said = [run_module(tmp_path, source, "first(1), module.f(1), sep=' '") for _ in range(2)]
    assert [words for words, _ in said] == [results, results]
    assert [COMPILING in err for _, err in said] == [True, False]


FUNCTION = "@compiled\ndef f(x):\n    return x + 1\n"


@pytest.mark.parametrize("names", ["globals()", "dict(compiled=compiled)"])
def test_nothing_is_said_of_a_function_without_a_source_file(tmp_path, names):
    source = f"from native.compiled import compiled\nnames = {names}\nexec({FUNCTION!r}, names)\n"
    assert run_module(tmp_path, source, "names['f'](1)") == ("2", "")


def test_nothing_is_said_or_kept_of_a_function_that_no_other_process_would_recognize(tmp_path):
    source = (
        "from native.compiled import compiled\n@compiled\ndef f(g, x):\n    return g(x)\n"
        "@compiled\ndef one(x):\n    return 1\n@compiled\ndef two(x):\n    return 2\n"
    )
    for _ in range(2):
        words, said = run_module(tmp_path, source, "f(module.one, 0), module.f(module.two, 0)")
        assert words == "1 2"
        assert "no folder" not in said
    assert not list(tmp_path.rglob("f-*.code"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NUMBA_BOUNDSCHECK", "1"),
        pytest.param("NUMBA_OPT", "1", marks=pytest.mark.slow),
        pytest.param("NUMBA_LOOP_VECTORIZE", "0", marks=pytest.mark.slow),
    ],
)
def test_code_for_other_settings_of_numba_is_kept_apart(tmp_path, variable, value):
    source = f"from native.compiled import compiled\n{FUNCTION}"
    settings = [{}, {variable: value}, {}, {variable: value}]
    said = [run_module(tmp_path, source, "f(1)", **setting)[1] for setting in settings]
    assert [COMPILING in words for words in said] == [True, True, False, False]
