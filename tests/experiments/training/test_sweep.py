"""A sweep does what is left to do, says how every run stands, and is not stopped by one that fails."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from experiments.cli import main
from experiments.run_config.build import build
from experiments.run_config.compose import compose_config
from experiments.run_folder.layout import CHECKPOINTS, CONFIG, TRACEBACK, hold
from experiments.run_folder.status import RUNNING, read_status, write_status
from experiments.training.run import Run
from experiments.training.sweep import check_sweep

SEEDS = [Path(f"runs/inverted_pendulum-rsnn-ec-seed{seed}") for seed in (0, 1, 2)]


@pytest.fixture
def sweep(tiny_run, capsys):
    """Runs the tiny run with three seeds; returns the exit code and what it said of each run and at the end."""

    def ask(*words: str, seeds: str = "0,1,2") -> tuple[int, list[str]]:
        capsys.readouterr()
        code = main(["train", "-m", *tiny_run, f"seed={seeds}", *words])
        return code, capsys.readouterr().out.splitlines()

    return ask


def lines(outcome: str, *folders: Path) -> list[str]:
    return [f"{outcome}: {folder}" for folder in folders]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def mishap(monkeypatch):
    """Lets something happen in the second step of the run with seed 1, until it is mended by the function returned."""

    def let(happen) -> None:
        def step(run):
            if run._settings.seed == 1 and run._searcher.step_count == 1:
                happen()
            return whole(run)

        monkeypatch.setattr(Run, "_step", step)
        return lambda: monkeypatch.setattr(Run, "_step", whole)

    whole = Run._step
    return let


def fail(error: BaseException):
    raise error


def test_a_run_that_is_finished_is_left_as_it_is(sweep):
    assert sweep(seeds="0,1") == (0, [*lines("finished now", *SEEDS[:2]), "2 runs: 2 finished now"])
    before = content(Path())
    said = [*lines("finished before", *SEEDS[:2]), "2 runs: 2 finished before"]
    assert sweep(seeds="0,1") == (0, said)
    assert sweep("budget=400", "progress=true", seeds="0,1") == (0, said)
    assert content(Path()) == before
    code, out = sweep()
    assert (code, out[-1]) == (0, "3 runs: 2 finished before, 1 finished now")


def test_a_larger_budget_lets_finished_runs_go_on(sweep, rows, finished_run):
    sweep("budget=200", seeds="0")
    code, out = sweep(seeds="0,1")
    assert (code, out[-1]) == (0, "2 runs: 1 finished now, 1 resumed and finished now")
    assert rows(SEEDS[0]).equals(rows(finished_run))


@pytest.mark.parametrize("send", [lambda: fail(KeyboardInterrupt()), lambda: os.kill(os.getpid(), signal.SIGTERM)])
def test_after_an_interruption_the_rest_is_not_started_and_asking_again_does_it(sweep, mishap, send, rows, train_tiny):
    mend = mishap(send)
    code, out = sweep()
    assert code in (130, 143)
    assert out == [
        *lines("finished now", SEEDS[0]),
        *lines("not run", SEEDS[2]),
        *lines("interrupted", SEEDS[1]),
        "3 runs: 1 finished now, 1 not run, 1 interrupted",
    ]
    assert not SEEDS[2].exists()
    mend()
    code, out = sweep()
    assert (code, out[-1]) == (0, "3 runs: 1 finished before, 1 finished now, 1 resumed and finished now")
    assert rows(SEEDS[1]).equals(rows(train_tiny("seed=1", "run_dir=unbroken")))


def test_a_run_that_was_killed_goes_on(sweep):
    sweep("budget=200", seeds="0")
    write_status(SEEDS[0], RUNNING, 100, 200)
    code, out = sweep("budget=100", seeds="0")
    assert (code, out[-1]) == (0, "1 run: 1 resumed and finished now")
    assert read_status(SEEDS[0])["budget"] == 200


def test_one_run_that_crashes_does_not_stop_the_others_and_goes_on_when_asked_again(sweep, mishap, rows, train_tiny):
    mend = mishap(lambda: fail(RuntimeError("out of\nsomething")))
    code, out = sweep()
    assert code == 1
    assert out == [
        *lines("finished now", SEEDS[0], SEEDS[2]),
        f"failed: {SEEDS[1]}: RuntimeError: out of something",
        "3 runs: 2 finished now, 1 failed",
    ]
    assert read_status(SEEDS[1])["state"] == "failed"
    assert "in fail" in (SEEDS[1] / TRACEBACK).read_text()
    code, out = sweep()
    assert (code, out[-1]) == (1, "3 runs: 2 finished before, 1 failed")
    mend()
    code, out = sweep()
    assert (code, out[-1]) == (0, "3 runs: 2 finished before, 1 resumed and finished now")
    assert not (SEEDS[1] / TRACEBACK).exists()
    assert rows(SEEDS[1]).equals(rows(train_tiny("seed=1", "run_dir=unbroken")))


def test_a_run_that_failed_numerically_is_not_repeated(sweep, mishap):
    mend = mishap(lambda: fail(FloatingPointError("generation 2: nothing is finite")))
    failed = f"failed: {SEEDS[1]}: generation 2: nothing is finite"
    code, out = sweep()
    assert (code, out[-2:]) == (1, [failed, "3 runs: 2 finished now, 1 failed"])
    assert not (SEEDS[1] / TRACEBACK).exists()
    mend()
    before = content(Path())
    code, out = sweep()
    assert (code, out[-2:]) == (1, [failed, "3 runs: 2 finished before, 1 failed"])
    assert content(Path()) == before


def test_another_configuration_is_refused_before_anything_starts(sweep, tiny_run, capsys):
    sweep(seeds="1")
    before = content(Path())
    assert main(["train", "-m", *tiny_run, "seed=0,1", "searcher.popsize=6", "budget=9000"]) == 2
    message = capsys.readouterr().err
    assert f"'{SEEDS[1]}' holds a run already, with another configuration" in message
    assert "these differ: searcher.popsize (4, now 6)" in message
    assert content(Path()) == before


def test_a_run_that_cannot_go_on_stays_what_it_was(sweep, tiny_run, capsys):
    sweep("budget=200", seeds="1")
    for checkpoint in (SEEDS[1] / CHECKPOINTS).iterdir():
        checkpoint.unlink()
    before = content(Path())
    assert main(["train", "-m", *tiny_run, "seed=1"]) == 1
    said = capsys.readouterr()
    assert said.out.endswith("1 run: 1 not run\n")
    assert f"ec-evotorch: error: {SEEDS[1]}: " in said.err
    assert content(Path()) == before
    code, out = sweep("budget=200", seeds="1")
    assert (code, out[-1]) == (0, "1 run: 1 finished before")


def test_a_run_from_a_file_that_has_changed_since_is_another_run(sweep, tiny_run):
    def write(rho):
        shapes = build(compose_config(tiny_run))[0].parameter_shapes
        np.savez("rho.npz", **{name: np.full(shape, rho) for name, shape in shapes.items()})

    write(0.3)
    sweep("searcher.prob_init=rho.npz", seeds="1")
    write(0.3)
    code, out = sweep("searcher.prob_init=rho.npz", seeds="1")
    assert (code, out[-1]) == (0, "1 run: 1 finished before")
    write(0.9)
    assert sweep("searcher.prob_init=rho.npz", seeds="0,1")[0] == 2
    Path("rho.npz").unlink()
    code, out = sweep("searcher.prob_init=rho.npz", seeds="1")
    assert (code, out[-1]) == (0, "1 run: 1 finished before")


def test_a_run_from_a_run_that_has_gone_on_since_is_another_run(sweep, tiny_run, capsys):
    assert main(["train", *tiny_run, "run_dir=first", "budget=100"]) == 0
    sweep("searcher.prob_init=first", seeds="1")
    code, out = sweep("searcher.prob_init=first", seeds="1")
    assert (code, out[-1]) == (0, "1 run: 1 finished before")
    assert main(["resume", "first", "budget=200"]) == 0
    capsys.readouterr()
    assert main(["train", "-m", *tiny_run, "seed=1", "searcher.prob_init=first"]) == 2
    assert "these differ: what is in 'first', where the search began" in capsys.readouterr().err


def test_a_run_of_a_version_without_an_option_that_does_nothing_is_the_same_run(sweep):
    sweep(seeds="1")
    config = OmegaConf.load(SEEDS[1] / CONFIG)
    del config.searcher["entropy_penalty"], config.problem["max_episode_steps"]
    OmegaConf.save(config, SEEDS[1] / CONFIG)
    code, out = sweep(seeds="1")
    assert (code, out[-1]) == (0, "1 run: 1 finished before")


def test_overwrite_does_all_anew(sweep):
    sweep("eval.episodes=3", seeds="0,1")
    before = read_status(SEEDS[0])
    code, out = sweep("overwrite=true", "budget=200", seeds="0,1")
    assert (code, out[-1]) == (0, "2 runs: 2 finished now")
    assert read_status(SEEDS[0])["steps"] < before["steps"]


def test_a_run_of_another_process_is_left_to_it(sweep):
    SEEDS[0].mkdir(parents=True)
    with hold(SEEDS[0]):
        code, out = sweep(seeds="0,1")
    assert code == 0
    assert out == [
        *lines("finished now", SEEDS[1]),
        *lines("running elsewhere", SEEDS[0]),
        "2 runs: 1 finished now, 1 running elsewhere",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["searcher.popsize=6"], "with another configuration; these differ: searcher.popsize (4, now 6)"),
        (["budget=9000"], "another process is training in it with a budget of"),
        (["overwrite=true"], "another process is training in it, which overwrite=true does not stop"),
    ],
)
def test_a_run_of_another_process_that_is_not_the_one_asked_for_is_refused(sweep, tiny_run, capsys, words, message):
    sweep(seeds="0")
    capsys.readouterr()
    with hold(SEEDS[0]):
        assert main(["train", "-m", *tiny_run, "seed=0,1", *words]) == 2
    assert message in capsys.readouterr().err
    assert not SEEDS[1].exists()


def test_a_launcher_that_stops_is_told_of(monkeypatch, capsys, tiny_run):
    monkeypatch.setattr("experiments.training.sweep.launch", lambda *_: fail(OSError("no\ncluster")))
    assert main(["train", "-m", *tiny_run]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "1 run: 1 not run"
    assert err == "ec-evotorch: error: the launcher stopped: OSError: no cluster\n"


def test_runs_side_by_side_are_the_same_(rows, finished_run, monkeypatch, tiny_run, capfd):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "problem.num_threads=0", "progress=true"]
    assert main(["train", "-m", *tiny_run, "seed=0,1", *words]) == 0
    out, err = capfd.readouterr()
    assert out.splitlines()[-1] == "2 runs: 2 finished now"
    assert rows(SEEDS[0]).equals(rows(finished_run))
    said = [line for line in err.splitlines() if "training in" in line]
    assert sorted(said) == [f"{folder.name}: training in {folder}" for folder in SEEDS[:2]]


def threads_and_memory() -> tuple[int, float]:
    """Returns how many threads this process has, and its memory in megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len(os.listdir("/proc/self/task")), pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_checking_runs_takes_neither_threads_nor_memory_with_their_number():
    def check(seeds: range) -> None:
        words = ["env=hopper", "problem.num_threads=2", "progress=false"]
        plans = check_sweep([compose_config([*words, f"seed={seed}"]) for seed in seeds])
        assert len(plans) == len(seeds)

    check(range(3))
    threads, memory = threads_and_memory()
    check(range(12))
    threads_after, memory_after = threads_and_memory()
    assert threads_after <= threads
    assert memory_after < memory + 20  # twelve environments that stay open take 24 MB and more


def test_runs_one_after_another_leave_no_threads_behind(sweep):
    sweep(seeds="0")
    threads, _ = threads_and_memory()
    sweep(seeds="1,2,3,4")
    assert threads_and_memory()[0] < threads + 4  # a thread that each run leaves; one may be at its end
