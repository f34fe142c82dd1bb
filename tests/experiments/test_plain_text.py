"""Results can be read on any system and shown on any terminal."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from experiments.plain_text import plain
from tests.forked_python import ROOT, forked_python

WITHOUT_LOCKS = """
import contextlib, io, json, sys
sys.modules["fcntl"] = None
from experiments.cli import main
ends = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        ends.append([main(words), said.getvalue()])
print(json.dumps(ends))
"""
ASCII = {"PYTHONIOENCODING": "ascii"}
POSIX = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def python(*words: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs a program in a new process, which Python starts."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def runs(write_run):
    """A folder of two runs of each of two methods."""
    for seed in (0, 1):
        write_run(f"runs/ec{seed}", {500: 1.0, 1000: 2.0}, seed=seed)
        write_run(f"runs/é{seed}", {500: 1.0, 1000: 2.0}, method="rsnn-es", seed=seed)
    return "runs"


@pytest.mark.parametrize(
    ("run", "environment"),
    [(forked_python, ASCII), pytest.param(python, POSIX, marks=pytest.mark.slow)],
    ids=["ascii", "posix"],
)
@pytest.mark.parametrize(
    "command", [["table", "runs"], ["claims", "runs"], ["energy"], ["table", "--format=markdown", "runs"]]
)
def test_what_a_terminal_cannot_show_is_written_in_other_words(runs, command, run, environment):
    done = run("-m", "experiments.cli", *command, **environment)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert done.stdout.isascii()
    assert "?" not in done.stdout
    rows = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1 or "--format=markdown" in command


def test_a_path_that_cannot_be_shown_does_not_hide_the_result(runs):
    done = forked_python("-m", "experiments.cli", "plot", "runs", "--output=é.png", **ASCII)
    assert (done.returncode, done.stdout) == (0, "?.png\n")
    assert Path("é.png").exists()


@pytest.mark.parametrize(("text", "ascii_text"), [("5 ± 2", "5 +- 2"), ("ρ ≥ 0.5", "rho >= 0.5"), ("字", "?")])
def test_characters_have_plain_names(text, ascii_text):
    assert plain(text, "ascii") == ascii_text
    assert plain(text, "utf-8") == text


def test_results_can_be_read_and_training_says_what_it_needs_where_there_are_no_file_locks(runs, tiny_run):
    reading = [["table", "runs"], ["plot", "runs"], ["table", "runs", "--output=a.md"], ["report", "runs"]]
    done = python("-c", WITHOUT_LOCKS, json.dumps([*reading, ["train", *tiny_run, "run_dir=run"]]))
    assert done.returncode == 0, done.stderr
    *read, (code, said) = json.loads(done.stdout.splitlines()[-1])
    assert read[:3] == [[0, ""]] * 3
    assert read[3][0] == 0
    assert Path("report.html").stat().st_size > 10_000
    assert code == 2
    assert "training needs a system with file locks" in said
    assert not Path("run").exists()


def test_a_program_without_a_guard_evaluates_many_episodes(finished_run):
    Path("program.py").write_text(
        textwrap.dedent(f"""\
        from pathlib import Path
        from experiments.evaluation import evaluate
        print(len(evaluate(Path({str(finished_run)!r}), 60)))
        """)
    )
    done = python("program.py")
    assert (done.returncode, done.stdout) == (0, "60\n"), done.stderr


def test_a_program_without_a_guard_that_asks_for_workers_is_told_what_it_lacks(finished_run):
    Path("program.py").write_text(
        textwrap.dedent(f"""\
        from pathlib import Path
        from experiments.evaluation import evaluate
        evaluate(Path({str(finished_run)!r}), 10, workers=2)
        """)
    )
    done = python("program.py")
    assert done.returncode == 1
    assert done.stderr.count("UserError: workers: a process ended before it had played") == 1
    assert "bootstrapping" not in done.stderr
