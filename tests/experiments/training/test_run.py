"""A run from command line to run folder: complete, repeatable, and safe to interrupt."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from experiments.cli import main
from experiments.run_folder.layout import CHECKPOINTS, EVALUATION, RHO_BLOCKS, RHO_HISTOGRAM, RUN_FILES
from experiments.run_folder.metrics import MetricsWriter
from experiments.run_folder.policy import load_policy
from experiments.run_folder.versions import git_commit
from experiments.training import run
from experiments.training.run import train


def test_a_finished_run_is_complete(finished_run):
    names = {path.name for path in finished_run.iterdir()}
    assert names == {*RUN_FILES, CHECKPOINTS, RHO_HISTOGRAM, RHO_BLOCKS} - {EVALUATION}


def test_the_generation_that_crosses_the_budget_is_the_last(finished_run, rows):
    steps = rows(finished_run).steps
    assert steps.iloc[-1] >= 500
    assert (steps.iloc[:-1] < 500).all()


def test_a_generation_plays_one_episode_an_individual(finished_run, rows):
    table = rows(finished_run)
    assert table.generation.tolist() == list(range(1, len(table) + 1))
    assert (table.failed_episodes == 0).all()
    played, steps = table.episodes.diff()[1:], table.steps.diff()[1:]
    of_trials = played - 4
    assert set(of_trials) <= {0, 4, 8, 12}  # see `Incumbent`
    without = of_trials == 0
    assert without.any()
    np.testing.assert_allclose(steps[without], 4 * table.mean_episode_length[1:][without])
    assert (steps[~without] > 4 * table.mean_episode_length[1:][~without]).all()


def test_the_centre_is_evaluated_when_a_multiple_is_reached_and_at_the_end(finished_run, rows):
    table = rows(finished_run)
    reached = (table.steps // 200).diff().fillna(table.steps // 200) > 0
    reached.iloc[-1] = True
    assert table.center_return_mean.notna().tolist() == reached.tolist()


def test_the_configuration_is_saved_resolved_with_versions(finished_run):
    config = OmegaConf.load(finished_run / "config.yaml")
    assert config.problem.seed == config.seed == 0
    assert config.budget == 500
    assert set(config.versions) >= {"ec-evotorch", "git_commit", "python", "mujoco", "gymnasium", "torch", "evotorch"}


def test_a_saved_configuration_repeats_its_run(finished_run, rows, tmp_path):
    config = OmegaConf.load(finished_run / "config.yaml")
    config.run_dir = str(tmp_path / "again")
    assert rows(train(config)).equals(rows(finished_run))


@pytest.mark.parametrize("words", [["problem.num_envs=1"], ["problem.num_envs=7", "problem.num_threads=2"]])
def test_slots_and_threads_do_not_change_a_run(finished_run, rows, train_tiny, words):
    assert rows(train_tiny("run_dir=other", *words)).equals(rows(finished_run))


def test_evaluating_the_centre_does_not_change_the_training(finished_run, rows, train_tiny):
    columns = ["steps", "mean_return", "best_eval", "density", "entropy"]
    without = rows(train_tiny("run_dir=other", "eval.every=null", "eval.final_episodes=0"))
    assert without.center_return_mean.isna().all()
    assert without[columns].equals(rows(finished_run)[columns])


def test_another_seed_is_another_run(finished_run, rows, train_tiny):
    assert not rows(train_tiny("run_dir=other", "seed=1")).equals(rows(finished_run))


def test_the_saved_policy_is_the_centre(finished_run):
    policy = load_policy(finished_run).policy
    assert policy.solution.shape == (policy.agent.solution_length,)
    assert policy.observation_mean.shape == (4,)


def test_the_curve_is_a_png(finished_run):
    assert (finished_run / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_run_may_replace_the_first_and_leaves_other_files(rows, train_tiny):
    folder = train_tiny("run_dir=here")
    (folder / "notes.txt").write_text("mine")
    before = rows(folder)
    train_tiny("run_dir=here", "overwrite=true", "seed=1")
    assert not rows(folder).equals(before)
    assert (folder / "notes.txt").read_text() == "mine"


class InterruptedWriter(MetricsWriter):
    """Stands for a user who presses Ctrl-C after the second generation."""

    def append(self, row):
        super().append(row)
        if row["generation"] == 2:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_all_whole_generations_and_the_policy(monkeypatch, tiny_run, rows, working_directory):
    monkeypatch.setattr(run, "MetricsWriter", InterruptedWriter)
    assert main(["train", *tiny_run, "budget=1e5", "run_dir=here"]) == 130
    assert rows(working_directory / "here").generation.tolist() == [1, 2]
    assert load_policy(working_directory / "here").env["id"] == "InvertedPendulum-v5"
    assert (working_directory / "here" / "curve.png").exists()


def test_ctrl_c_with_workers_keeps_the_same_rows_and_leaves_no_process(tiny_run, finished_run, rows, working_directory):
    words = [*tiny_run, "budget=1e7", "run_dir=here", "problem.num_actors=2", "problem.scalar_only=true"]
    mark = f"EC_EVOTORCH_TEST={working_directory}"
    name, value = mark.split("=")
    command = [sys.executable, "-m", "experiments.cli", "train", *words]
    environment = os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path), name: value}
    running = subprocess.Popen(
        command,
        env=environment,
        cwd=working_directory,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    expected = rows(finished_run)[:-1]
    metrics = working_directory / "here" / "metrics.csv"
    try:
        has_rows = holds_within(300, lambda: metrics.exists() and metrics.read_text().count("\n") > len(expected) + 1)
        assert has_rows
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(60) == 130
        assert rows(working_directory / "here")[: len(expected)].equals(expected)
        assert load_policy(working_directory / "here").env["id"] == "InvertedPendulum-v5"
        assert holds_within(30, lambda: not processes_with(mark))
    finally:  # a test that fails leaves none either
        for number in processes_with(mark):
            os.kill(int(number), signal.SIGKILL)


def holds_within(seconds, condition):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def processes_with(mark):
    """Numbers of the processes that inherited an environment variable."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is not ours
            if mark in environment.read_text(errors="replace").split("\0"):
                found.append(environment.parent.name)
    return found


def test_a_sweep_does_what_its_runs_do_alone(tiny_run, finished_run, rows, working_directory):
    assert main(["train", "-m", *tiny_run, "seed=0,1", "run_dir=runs/seed${seed}"]) == 0
    assert rows(working_directory / "runs" / "seed0").equals(rows(finished_run))
    assert len(rows(working_directory / "runs" / "seed1"))
    assert [path.name for path in working_directory.iterdir()] == ["runs"]


def test_a_run_leaves_nothing_outside_its_folder(tiny_run, working_directory):
    command = [sys.executable, "-m", "experiments.cli", "train", *tiny_run, "run_dir=here"]
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=working_directory)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in working_directory.iterdir()] == ["here"]


def test_git_commit_marks_changed_files(tmp_path):
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        return subprocess.run(
            ["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    assert git_commit(tmp_path) is None
    git("init")
    (tmp_path / "file").write_text("a")
    git("add", "file")
    git("commit", "-m", "a")
    commit = git("rev-parse", "HEAD").strip()
    assert git_commit(tmp_path) == commit
    (tmp_path / "file").write_text("b")
    assert git_commit(tmp_path) == f"{commit}-dirty"
