"""A run that is interrupted, killed or given more budget ends as an unbroken one; if it cannot, nothing is lost."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from experiments.cli import main
from experiments.errors import UserError
from experiments.run_config.compose import CONFIG_DIR, compose_config
from experiments.run_folder.archive import load_checkpoint
from experiments.run_folder.checkpoints import find_checkpoints
from experiments.run_folder.layout import hold
from experiments.run_folder.status import read_status
from experiments.training.resume import resume
from experiments.training.run import Run, train

AGENTS = {"ec": "rsnn", "es": "rsnn_sign", "ppo": "rsnn", "pgpe": "lstm", "snes": "gru", "cem": "rnn"}
SMALL = {
    "cem": ["searcher.popsize=8", "budget=2000"],  # two parents
    "ppo": ["searcher.batch_size=128", "searcher.num_envs=4", "searcher.num_epochs=1", "budget=1300"],
}
SEARCHERS = sorted(path.stem for path in Path(CONFIG_DIR, "searcher").glob("*.yaml"))


def words(searcher: str, *more: str) -> list[str]:
    return [
        "env=inverted_pendulum",
        f"agent={AGENTS[searcher]}",
        f"searcher={searcher}",
        "agent.num_neurons=8",
        "problem.num_envs=3",
        "problem.num_threads=1",
        *SMALL.get(searcher, ["searcher.popsize=4", "budget=1000"]),
        "eval.every=200",
        "eval.episodes=2",
        "eval.final_episodes=3",
        "checkpoint_every=2",
        "progress=false",
        *more,
    ]


def start(searcher: str, *more: str) -> Path:
    return train(compose_config(words(searcher, *more)))


def flat(tree: dict, path: str = "") -> dict:
    leaves = {}
    for key, child in tree.items():
        leaves |= flat(child, f"{path}/{key}") if isinstance(child, dict) else {f"{path}/{key}": child}
    return leaves


@pytest.fixture
def assert_same_end(rows):
    """Compares all that two runs have come to: metrics but for the clocks, the policy, the state of the search."""

    def compare(folder: Path, unbroken: Path) -> None:
        assert rows(folder).equals(rows(unbroken))
        for name in ("policy.safetensors", "policy.json", "rho_histogram.csv"):
            assert (folder / name).exists() == (unbroken / name).exists()
            assert not (unbroken / name).exists() or (folder / name).read_bytes() == (unbroken / name).read_bytes()
        ours, theirs = (flat(load_checkpoint(find_checkpoints(run)[-1])["search"]) for run in (folder, unbroken))
        assert list(ours) == list(theirs)
        for name, value in theirs.items():
            np.testing.assert_array_equal(ours[name], value, err_msg=name)
        assert read_status(folder) == read_status(unbroken)
        assert read_status(folder)["state"] == "finished"

    return compare


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The run of each searcher that nothing interrupts, made when first asked for."""
    folders = {}

    def get(searcher: str, *more: str) -> Path:
        if (searcher, more) not in folders:
            folders[searcher, more] = start(searcher, *more, f"run_dir={tmp_path_factory.mktemp(searcher)}/run")
        return folders[searcher, more]

    return get


def press_ctrl_c() -> None:
    raise KeyboardInterrupt


@contextmanager
def interruption(generation: int, method: str = "_step", send=press_ctrl_c):
    """Lets a signal come in some generation, before its step or before its row is written; it must come."""

    def broken(run, *arguments):
        if run._searcher.step_count == generation:
            send()
        return whole(run, *arguments)

    whole, came = getattr(Run, method), False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, method, broken)
        try:
            yield
        except KeyboardInterrupt:
            came = True
    assert came


@pytest.fixture
def interrupted():
    """A run of EC that Ctrl-C stopped after three generations."""
    with interruption(3):
        start("ec", "run_dir=run")
    return Path("run").resolve()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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


@pytest.mark.parametrize("searcher", ["ec", "snes", "ppo"])
def test_a_raised_budget_gives_the_run_of_that_budget(searcher, unbroken, assert_same_end):
    folder = start(searcher, "budget=450", "run_dir=run")
    budget = 1300 if searcher == "ppo" else 1000
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
        (["seed=1", "agent.num_neurons=9"], r"only budget= may change on resuming, got seed \(0, now 1\), agent.num_n"),
        (["budget=1500,2000"], r"expected one value, got 'budget=1500,2000'"),
        (["env=hopper"], r"only budget= may change on resuming, got env \('inverted_pendulum', now 'hopper'\)"),
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
    monkeypatch.setattr("experiments.training.resume.software_versions", lambda: versions | {"mujoco": "9.9"})
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


class Killer:
    """Commands in processes that die by SIGKILL; see killable.py."""

    def __init__(self):
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "NUMBA_THREADING_LAYER": "workqueue",
            "NUMBA_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("killable.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._send(["train", *words("ec", "run_dir=warm")])

    def _send(self, line: object) -> None:
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def __call__(self, *words: str, after: float | None = None, at: list | None = None) -> int:
        self._send({"words": words, "after": after, "at": at})
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


@pytest.fixture
def killer():
    """A `Killer`, closed after the test."""
    killer = Killer()
    yield killer
    killer.close()


def go_on(killer: Killer, searcher: str, *more: str, **death) -> int:
    if Path("run/config.yaml").exists():
        return killer("resume", "run", **death)
    return killer("train", *words(searcher, *more, "run_dir=run", "overwrite=true"), **death)


@pytest.mark.parametrize(("searcher", "kills"), [("ec", 15), ("ppo", 5), ("snes", 5)])
def test_a_run_that_is_killed_at_random_moments_ends_as_an_unbroken_one(
    searcher, kills, killer, unbroken, assert_same_end
):
    rng = np.random.default_rng(0)
    killed = 0
    while killed < kills:
        if go_on(killer, searcher, after=rng.uniform(0.0, 0.6)) == -signal.SIGKILL:
            killed += 1
        else:  # it came to its end before; the next one starts anew
            assert_same_end(Path("run"), unbroken(searcher))
            shutil.rmtree("run")
    assert go_on(killer, searcher) == 0
    assert_same_end(Path("run"), unbroken(searcher))


@pytest.mark.slow
def test_a_run_survives_a_hundred_kills(killer, unbroken, assert_same_end):
    rng = np.random.default_rng(1)
    more = ["budget=300000", "checkpoint_every=1"]
    killed = 0
    while killed < 100:
        code = go_on(killer, "ec", *more, after=rng.uniform(0.1, 0.7))
        assert code == -signal.SIGKILL  # else the budget is too small for a hundred
        killed += 1
    assert go_on(killer, "ec", *more) == 0
    assert_same_end(Path("run"), unbroken("ec", *more))


def test_a_run_that_is_killed_in_every_write_ends_as_an_unbroken_one(killer, unbroken, assert_same_end):
    moments = [[name, number] for number in (1, 2, 3, 4, 5) for name in ("fsync", "replace")] + [["unlink", 1]]
    assert [go_on(killer, "ec", at=moment) for moment in moments[:8]] == [-signal.SIGKILL] * 8
    for moment in moments[8:]:
        go_on(killer, "ec", at=moment)
    assert go_on(killer, "ec") == 0
    assert_same_end(Path("run"), unbroken("ec"))
