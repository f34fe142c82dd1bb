"""Results can be read on any system and shown on any terminal."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from experiments.plain_text import plain

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_LOCKS = (
    "import sys; sys.modules['fcntl'] = None; from experiments.cli import main; sys.exit(main(sys.argv[1:]))"
)
ASCII = {"PYTHONIOENCODING": "ascii"}
POSIX = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def python(*words: str, environment: dict | None = None) -> subprocess.CompletedProcess:
    """Runs a program in a new process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {})
    return subprocess.run([sys.executable, *words], capture_output=True, env=environment, check=False)


@pytest.fixture
def runs(write_run):
    """A folder of two runs of each of two methods."""
    for seed in (0, 1):
        write_run(f"runs/ec{seed}", {500: 1.0, 1000: 2.0}, seed=seed)
        write_run(f"runs/é{seed}", {500: 1.0, 1000: 2.0}, method="rsnn-es", seed=seed)
    return "runs"


@pytest.mark.parametrize("environment", [ASCII, pytest.param(POSIX, marks=pytest.mark.slow)], ids=["ascii", "posix"])
@pytest.mark.parametrize(
    "command", [["table", "runs"], ["claims", "runs"], ["energy"], ["table", "--format=markdown", "runs"]]
)
def test_what_a_terminal_cannot_show_is_written_in_other_words(runs, command, environment):
    done = python("-m", "experiments.cli", *command, environment=environment)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert done.stdout.isascii()
    assert b"?" not in done.stdout
    rows = [line for line in done.stdout.decode().splitlines() if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1 or "--format=markdown" in command


def test_a_path_that_cannot_be_shown_does_not_hide_the_result(runs):
    done = python("-m", "experiments.cli", "plot", "runs", "--output=é.png", environment=ASCII)
    assert (done.returncode, done.stdout) == (0, b"?.png\n")
    assert Path("é.png").exists()


@pytest.mark.parametrize(("text", "ascii_text"), [("5 ± 2", "5 +- 2"), ("ρ ≥ 0.5", "rho >= 0.5"), ("字", "?")])
def test_characters_have_plain_names(text, ascii_text):
    assert plain(text, "ascii") == ascii_text
    assert plain(text, "utf-8") == text


@pytest.mark.parametrize("command", [["table", "runs"], ["plot", "runs"], ["table", "runs", "--output=a.md"]])
def test_results_can_be_read_where_there_are_no_file_locks(runs, command):
    done = python("-c", WITHOUT_LOCKS, *command)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_report_can_be_written_where_there_are_no_file_locks(runs):
    done = python("-c", WITHOUT_LOCKS, "report", "runs")
    assert done.returncode == 0
    assert Path("report.html").stat().st_size > 10_000


def test_training_says_that_it_needs_file_locks(tiny_run):
    done = python("-c", WITHOUT_LOCKS, "train", *tiny_run, "run_dir=run")
    assert done.returncode == 2
    assert b"training needs a system with file locks" in done.stderr
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
    assert (done.returncode, done.stdout) == (0, b"60\n"), done.stderr


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
    assert done.stderr.count(b"UserError: workers: a process ended before it had played") == 1
    assert b"bootstrapping" not in done.stderr
