"""Whatever is in the files of a run or a configuration: one line says what is wrong, nothing is executed or lost."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

import experiments.commands.train  # noqa: F401 (now: what it imports must not be a name that a test has replaced)
from experiments.cli import main
from experiments.run_config import compose
from experiments.run_config.compose import CONFIG_DIR, compose_config
from experiments.training.run import Run, train

MARKER = "executed"
GARBAGE = [
    b"",
    b"\x00",
    b"\xff\xfe\x80",
    b"{",
    b"[",
    b": ",
    b"\t",
    b"\n",
    b"null",
    b"nan",
    b"-1",
    b"'",
    b"*a",
    b"${oops}",
    b"${oc.env:HOME}",
    b"!!python/object/apply:os.system ['touch executed']",
    b"\n_target_: os.system\n",
]
CHANGES = st.lists(
    st.tuples(st.sampled_from(["cut", "delete", "put", "replace"]), st.floats(0, 1), st.sampled_from(GARBAGE)),
    min_size=1,
    max_size=3,
)
quick = settings(
    derandomize=True,
    deadline=None,
    max_examples=15,
    phases=[Phase.explicit, Phase.generate],  # shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def damage(content: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    """Cuts the content off, deletes a line, puts garbage in or replaces some bytes by it, at relative places."""
    for kind, place, garbage in changes:
        at = int(place * len(content))
        end = content.find(b"\n", at) + 1 or len(content)
        content = {
            "cut": content[:at],
            "delete": content[: content.rfind(b"\n", 0, at) + 1] + content[end:],
            "put": content[:at] + garbage + content[at:],
            "replace": content[:at] + garbage + content[at + 8 :],
        }[kind]
    return content


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_run):
    """A run that Ctrl-C stopped after its second generation."""
    folder = tmp_path_factory.mktemp("damaged") / "run"
    whole = Run._step

    def step(run):
        if run._searcher.step_count == 2:
            raise KeyboardInterrupt
        return whole(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "_step", step)
        with pytest.raises(KeyboardInterrupt):
            train(compose_config([*tiny_run, f"run_dir={folder}", "checkpoint_every=1"]))
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check(words: list[str], capfd, folder: Path) -> None:
    """Runs a command in which something may be wrong: it works, or says in one line what is, and changes nothing."""
    before = content(folder)
    capfd.readouterr()
    code = main(words)
    error = capfd.readouterr().err
    assert not Path(MARKER).exists()
    assert code in (0, 2)
    if code == 2:
        assert "ec-evotorch: error: " in error
        assert error.count("\n") == 1 + error.count(" warning: ")
        assert content(folder) == before


COMMANDS = [
    ("config.yaml", ["resume"]),
    ("metrics.csv", ["resume"]),
    ("status.json", ["resume"]),
    ("checkpoints/generation-00000002.safetensors", ["resume"]),
    ("config.yaml", ["table"]),
    ("metrics.csv", ["table", "--threshold=1"]),
    ("status.json", ["table", "--score=last5"]),
    ("policy.json", ["evaluate", "--episodes=1"]),
    ("policy.safetensors", ["evaluate", "--episodes=1"]),
    ("config.yaml", ["table"]),
    ("metrics.csv", ["table"]),
    ("status.json", ["table"]),
    ("metrics.csv", ["plot", "--output=copy.png"]),
    ("policy.json", ["energy", "--episodes=1"]),
    ("policy.safetensors", ["energy", "--episodes=1"]),
]


@pytest.mark.parametrize(("name", "command"), COMMANDS)
@quick
@given(changes=CHANGES)
@example(changes=[("cut", 0.0, b"")])
@example(changes=[("cut", 0.999, b"")])
@example(changes=[("put", 0.0, b"!!python/object/apply:os.system ['touch executed']\n")])
def test_a_damaged_run(run, name, command, changes, capfd):
    shutil.rmtree("copy", ignore_errors=True)
    shutil.copytree(run, "copy")
    path = Path("copy", name)
    path.write_bytes(damage(path.read_bytes(), changes))
    check([command[0], "copy", *command[1:]], capfd, Path("copy"))


@pytest.mark.parametrize("name", ["train.yaml", "env/inverted_pendulum.yaml", "searcher/ec.yaml", "agent/rsnn.yaml"])
@quick
@given(changes=CHANGES)
@example(changes=[("cut", 0.0, b"")])
@example(changes=[("put", 1.0, b"_target_: os.system\n")])
def test_a_damaged_configuration(tiny_run, name, changes, capfd, monkeypatch):
    shutil.rmtree("conf", ignore_errors=True)
    shutil.copytree(CONFIG_DIR, "conf")
    path = Path("conf", name)
    path.write_bytes(damage(path.read_bytes(), changes))
    monkeypatch.setattr(compose, "CONFIG_DIR", str(path.parents[len(Path(name).parts) - 1].resolve()))
    monkeypatch.setattr(Run, "go_on", lambda run: run._folder)  # it has been checked and built
    shutil.rmtree("run", ignore_errors=True)
    Path("mine").mkdir(exist_ok=True)
    check(["train", *tiny_run, "run_dir=run"], capfd, Path("mine"))


@pytest.mark.parametrize("target", ["os.system", "envs.os.system", "builtins.exec", "subprocess.Popen"])
def test_a_target_outside_the_packages_is_never_called(run, target, capfd):
    shutil.copytree(run, "copy")
    path = Path("copy/config.yaml")
    path.write_text(path.read_text().replace("_target_: agents.RSNN", f"_target_: {target}"))
    check(["resume", "copy"], capfd, Path("copy"))
    path = Path("copy/policy.json")
    path.write_text(path.read_text().replace("agents.RSNN", target))
    check(["evaluate", "copy"], capfd, Path("copy"))
