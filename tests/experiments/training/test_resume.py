"""A run that is interrupted or given more budget ends as an unbroken one; if it cannot, nothing is lost."""

import os
import resource
import shutil
import signal
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from experiments.cli import main
from experiments.errors import UserError
from experiments.run_folder.checkpoints import find_checkpoints
from experiments.run_folder.layout import hold
from experiments.run_folder.status import read_status
from experiments.training.resume import resume
from tests.experiments.training.tiny_runs import SEARCHERS, content, interruption, start, words


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run of EC that Ctrl-C stopped after three generations."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch, interruption(3):
        patch.chdir(folder)
        start("ec", "run_dir=run")
    return folder / "run"


@pytest.fixture
def interrupted(stopped):
    """A copy of that run, for one test."""
    return Path(shutil.copytree(stopped, "run")).resolve()


@pytest.mark.parametrize("searcher", SEARCHERS)
@pytest.mark.parametrize("moment", ["_step", "_finish_row"])
def test_every_searcher_ends_as_if_it_had_not_been_interrupted(searcher, moment, unbroken, assert_same_end):
    with interruption(3, moment):
        start(searcher, "run_dir=run")
    assert read_status(Path("run"))["state"] == "interrupted"
    shutil.move("run", "moved")
    assert_same_end(resume(Path("moved")), unbroken(searcher))


def test_a_run_can_be_interrupted_again_and_again(unbroken, assert_same_end):
    with interruption(0):
        start("ec", "run_dir=run")
    for generation in (0, 1, 1, 2, 5, 7):
        with interruption(generation):
            resume(Path("run"))
    assert_same_end(resume(Path("run")), unbroken("ec"))


def test_without_checkpoints_on_the_way_the_one_of_the_interruption_is_enough(rows, unbroken):
    with interruption(3):
        start("ec", "run_dir=run", "checkpoint_every=null")
    assert rows(resume(Path("run"))).equals(rows(unbroken("ec")))


def test_sigterm_is_an_interruption_of_its_own(unbroken, assert_same_end):
    before = signal.getsignal(signal.SIGTERM)
    with interruption(3, send=lambda: os.kill(os.getpid(), signal.SIGTERM)):
        code = main(["train", *words("ec", "run_dir=run")])
        raise KeyboardInterrupt  # main has turned the first into its exit code
    assert code == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert main(["resume", "run"]) == 0
    assert_same_end(Path("run"), unbroken("ec"))


@pytest.mark.parametrize("searcher", ["ec", "snes", "ppo", "ec_critic", "ec_staged"])
def test_a_raised_budget_gives_the_run_of_that_budget(searcher, unbroken, assert_same_end):
    folder = start(searcher, "budget=450", "run_dir=run")
    budget = 1300 if searcher in ("ppo", "ec_critic", "ec_staged") else 1000
    resume(folder, [f"budget={budget}"])
    assert OmegaConf.load(folder / "config.yaml").budget == budget
    assert_same_end(folder, unbroken(searcher))


def test_a_finished_run_is_left_as_it_is(unbroken, capsys):
    before = content(unbroken("ec"))
    assert main(["resume", str(unbroken("ec"))]) == 0
    assert "is finished; to go on with it, raise its budget= of 1,000 steps" in capsys.readouterr().err
    assert content(unbroken("ec")) == before


def test_a_checkpoint_that_is_not_there_is_refused_of_a_finished_run_too(unbroken, capsys):
    assert main(["resume", str(unbroken("ec")), "--checkpoint", "nope"]) == 2
    assert "--checkpoint: expected a name in" in capsys.readouterr().err


def test_only_the_last_two_checkpoints_are_kept(unbroken):
    assert len(find_checkpoints(unbroken("ec"))) == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["budget=10"], r"budget: can only be raised on resuming, from 1,000; got 10"),
        (
            ["seed=1", "agent.num_neurons=9"],
            r"only budget= and early_stop= may change on resuming, got seed \(0, now 1\), agent.num_n",
        ),
        (["budget=1500,2000"], r"expected one value, got 'budget=1500,2000'"),
        (
            ["env=hopper"],
            r"only budget= and early_stop= may change on resuming, got env \('inverted_pendulum', now 'hopper'\)",
        ),
        (["budget"], "expected key=value words"),
        (["budget=many"], "budget: expected a whole number"),
        (["--checkpoint", "nothing"], r"--checkpoint: expected a name in .*generation-00000003.safetensors.*got 'noth"),
    ],
)
def test_what_may_not_change_is_named_and_nothing_is_touched(interrupted, capsys, more, message):
    before = content(interrupted)
    assert main(["resume", "run", *more]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(UserError, match=message):
        resume(Path("run"), *([[], more[1]] if "--checkpoint" in more else [more]))
    assert content(interrupted) == before


def test_an_edited_configuration_is_refused_with_the_keys(interrupted):
    path = interrupted / "config.yaml"
    path.write_text(path.read_text().replace("popsize: 4", "popsize: 6").replace("num_threads: 1", "num_threads: 2"))
    before = content(interrupted)
    with pytest.raises(
        UserError, match=r"these differ: searcher.popsize \(4, now 6\), problem.num_threads \(1, now 2\)"
    ):
        resume(interrupted)
    assert content(interrupted) == before


def test_a_checkpoint_of_another_run_is_refused(interrupted, unbroken):
    start("ec", "seed=1", "run_dir=other")
    for path in find_checkpoints(interrupted):
        path.unlink()
    shutil.copy(find_checkpoints(Path("other"))[-1], interrupted / "checkpoints")
    before = content(interrupted)
    with pytest.raises(UserError, match=r"these differ: seed \(1, now 0\), problem.seed \(1, now 0\)"):
        resume(interrupted)
    assert content(interrupted) == before


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "foreign"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_offered(interrupted, damage, unbroken, assert_same_end):
    before, newest = find_checkpoints(interrupted)
    whole = newest.read_bytes()
    if damage == "foreign":
        shutil.copy(interrupted / "policy.safetensors", newest)
    else:
        flipped = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]
        newest.write_bytes({"cut": whole[:-100], "flipped": flipped, "emptied": b""}[damage])
    there = content(interrupted)
    with pytest.raises(UserError) as error:
        resume(interrupted)
    assert str(newest) in str(error.value)
    assert ("foreign" if damage == "foreign" else "damaged") in str(error.value)
    assert f"to resume from the one before: --checkpoint {before.name}" in str(error.value)
    assert content(interrupted) == there
    assert_same_end(resume(interrupted, checkpoint=before.name), unbroken("ec"))


def test_metrics_that_were_changed_are_refused(interrupted):
    path = interrupted / "metrics.csv"
    path.write_bytes(path.read_bytes().replace(b"1,", b"7,", 1))
    before = content(interrupted)
    with pytest.raises(UserError, match=r"metrics.csv': changed since the checkpoint was written"):
        resume(interrupted)
    assert content(interrupted) == before


def test_a_run_without_a_checkpoint_starts_anew_if_it_has_no_rows(interrupted, unbroken, assert_same_end):
    shutil.rmtree(interrupted / "checkpoints")
    with pytest.raises(UserError, match=r"has no checkpoint, but rows in metrics\.csv"):
        resume(interrupted)
    (interrupted / "metrics.csv").write_text("generation,steps\n")
    assert_same_end(resume(interrupted), unbroken("ec"))


def test_two_processes_do_not_train_in_one_folder(interrupted):
    with hold(interrupted), pytest.raises(UserError, match="another process is training in it"):
        resume(interrupted)


def test_other_versions_are_warned_of(interrupted, monkeypatch, capsys):
    versions = OmegaConf.to_container(OmegaConf.load(interrupted / "config.yaml").versions)
    monkeypatch.setattr("experiments.training.resume.software_versions", lambda **_: versions | {"mujoco": "9.9"})
    resume(interrupted)
    assert f"mujoco ('{versions['mujoco']}', now '9.9')" in capsys.readouterr().err


def test_a_full_disk_ends_a_run_in_one_line_and_it_goes_on_when_there_is_room(unbroken, capsys, assert_same_end):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)  # a file that grows beyond it fails as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        assert main(["train", *words("ec", "run_dir=run")]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot write" in error
    assert "to go on when that is mended: ec-evotorch resume run" in error
    assert not list(Path("run").rglob("*.partial"))
    assert_same_end(resume(Path("run")), unbroken("ec"))
