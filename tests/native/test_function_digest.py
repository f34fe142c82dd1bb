"""The digest of a function is the same in every process, and another for every other function."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit, types
from numba.core.dispatcher import Dispatcher

from agents.rsnn.bptt_kernel import backpropagate
from ec_evotorch.rollout.finite_observations import find_nonfinite_rows
from native import source_digest as sources
from native.compiled import ParallelFunction
from native.function_digest import function_digest
from native.pointers import pointer_cast

ROOT = Path(__file__).resolve().parents[2]


def made_from(source: str, name: str = "f"):
    """Returns a function that is defined by a text."""
    names = {"__name__": "made"}
    exec(source, names)
    return names[name]


def closing_over(value):
    """Returns a function that closes over a value."""

    def f(x):
        return x, value

    return f


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    return x + 2",
        "def f(x):\n    return x + 1.0",
        "def f(x):\n    return y + 1",
        "def f(x):\n    return x - 1",
        "def f(x, z=1):\n    return x + 1",
        "def g(x):\n    return x + 1\nf = g",
    ],
)
def test_another_program_has_another_digest(source):
    assert function_digest(made_from(source)) != function_digest(made_from("def f(x):\n    return x + 1"))


def test_a_call_is_told_by_the_keywords_that_it_names():
    digests = {function_digest(made_from(f"def f(x):\n    return f(x, {name}=1)")) for name in "aab"}
    assert len(digests) == 2


def test_every_compiled_function_of_the_packages_can_be_kept():
    packages = ("native", "envs", "agents", "ec_evotorch")
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in packages]
    functions = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Dispatcher | ParallelFunction)
    }
    assert {backpropagate, find_nonfinite_rows} <= functions
    for function in functions:
        assert len(function_digest(function.__wrapped__)) == 64


def test_words_and_lines_do_not_count():
    plain = made_from("def f(x):\n    return x + 1")
    described = made_from('\n\n\ndef f(x):\n    """Adds."""\n\n    return x + 1  # one\n')
    assert function_digest(plain) == function_digest(described)
    assert function_digest(made_from('def f():\n    "a"\n    return "a"')) != function_digest(
        made_from('def f():\n    "b"\n    return "b"')
    )


DIFFERENT = [
    1,
    1.0,
    True,
    -0.0,
    0.0,
    "1",
    (1,),
    (1, 2),
    [1],
    {"a": 1},
    {"a": 2},
    frozenset({1}),
    np.float32(1),
    np.float64(1),
    np.array([1, 2]),
    np.array([1, 3]),
    np.array([[1, 2]]),
    np.dtype([("a", np.int64)]),
    np.dtype([("b", np.int64)]),
    np.sin,
    np,
    np.float64,
    len,
    types.int64,
    types.float64,
    closing_over(1),
    closing_over(2),
    njit(closing_over(1)),
    njit(nogil=True)(closing_over(1)),
    pointer_cast(types.int64),
    pointer_cast(types.int8),
]


def test_another_value_that_is_closed_over_gives_another_digest():
    assert len({function_digest(closing_over(value)) for value in DIFFERENT}) == len(DIFFERENT)


def test_what_no_other_process_would_recognize_has_no_digest():
    class Local:
        """Is known by its name alone."""

    unknown = [object(), Local, Local(), np.array([object()]), made_from("def f():\n    return 1")]
    for value in (*unknown, types.Dispatcher(njit(closing_over(1)))):
        with pytest.raises(TypeError):
            function_digest(closing_over(value))


def test_a_function_may_refer_to_itself():
    def factorial(n):
        return 1 if n == 0 else n * factorial(n - 1)

    assert function_digest(factorial) == function_digest(factorial)


def test_the_sources_of_a_function_that_is_closed_over_count(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "foreign.py"
    source = "from numba import njit\nFACTOR = {}\n@njit\ndef g(x):\n    return FACTOR * x\n"
    digests = []
    for factor in (2, 2, 3):
        path.write_text(source.format(factor))
        for function in (sources.source_digest, sources._read, sources._find):
            function.cache_clear()
        names = {"__name__": "foreign"}
        exec(compile(path.read_text(), path, "exec"), names)
        digests.append(function_digest(closing_over(names["g"])))
    assert digests[0] == digests[1] != digests[2]


def test_the_digest_is_the_same_in_every_process(tmp_path):
    (tmp_path / "module.py").write_text(
        """
from numba import njit
from native.compiled import ParallelFunction
from native.function_digest import function_digest

def outer(*values):
    def f(x):
        return x in {"a", "b", "c", "d"}, values
    return f

print(function_digest(outer("a", njit(outer(1)), {"a", "b", "c"}, {"d": 1, "e": 2})))
"""
    )
    paths = f"{tmp_path}{os.pathsep}{ROOT}"
    said = set()
    for seed in "12":  # the second one reads what the first one has left in `__pycache__`
        environment = os.environ | {"PYTHONPATH": paths, "PYTHONHASHSEED": seed}
        words = [sys.executable, "-c", "import module"]
        said.add(subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(said) == 1
