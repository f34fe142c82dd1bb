"""A run becomes a policy of the zoo: what is written of it, and which runs are refused before anything is written."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from experiments.errors import ResultsWarning, UserError
from experiments.evaluation.episodes import evaluate
from experiments.run_folder.archive import checksum
from experiments.zoo import add as add_module
from experiments.zoo import read_entry
from experiments.zoo.add import add
from experiments.zoo.entry import entry_bytes


@pytest.fixture
def run(finished_run, working_directory) -> Path:
    """A copy of a finished run that may be changed."""
    return Path(shutil.copytree(finished_run, working_directory / "run"))


@pytest.fixture
def target(working_directory) -> Path:
    """The folder of an empty zoo."""
    (working_directory / "animals").mkdir()
    return working_directory / "animals"


@pytest.fixture
def played(monkeypatch):
    """Lets no episode be played: all have the return of this number, the first of the list."""
    returns = [7.0]

    def play(*_):
        return pd.DataFrame({"seed": range(100), "return": returns[0], "length": 10})

    monkeypatch.setattr(add_module, "evaluate", play)
    return returns


def rewrite_policy(run: Path, **changes) -> None:
    """Changes policy.json and its checksum."""
    path = run / "policy.json"
    description = json.loads(path.read_text()) | changes
    description["sha256"] = checksum(description, (run / "policy.safetensors").read_bytes())
    path.write_text(json.dumps(description))


def rewrite_config(run: Path, old: str, new: str) -> None:
    text = (run / "config.yaml").read_text()
    assert old in text
    (run / "config.yaml").write_text(text.replace(old, new))


def test_an_entry_has_the_policy_and_what_evaluate_finds(finished_run, target):
    entry = add(finished_run, "pendulum", zoo=target)
    episodes = evaluate(finished_run, 100, seed=0)
    assert sorted(path.name for path in (target / "pendulum").iterdir()) == [
        "policy.json",
        "policy.safetensors",
        "zoo.json",
    ]
    assert read_entry(target / "pendulum") == entry
    assert evaluate(target / "pendulum", 2).equals(episodes.head(2))
    assert entry.score["return"]["mean"] == episodes["return"].mean()
    assert entry.score["return"]["max"] == episodes["return"].max()
    assert entry.score["length"]["mean"] == episodes["length"].mean()
    assert entry.steps == pd.read_csv(finished_run / "metrics.csv").steps.iloc[-1]
    assert "run_dir" not in entry.command


def test_a_policy_of_real_numbers_can_be_added(train_tiny, target, played):
    entry = add(train_tiny("searcher=es", "agent.connections=real"), "real", zoo=target)
    assert (entry.dtype, entry.connections) == ("float32", entry.possible_connections)


@pytest.mark.parametrize("name", ["", "Hopper", "a/b", "..", "a b", "1a", "__pycache__"])
def test_a_name_that_is_none_is_refused(name, run, target):
    with pytest.raises(UserError, match="name: expected lower-case letters"):
        add(run, name, zoo=target)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("state", ["running", "interrupted", "failed", None])
def test_a_run_that_is_not_finished_is_refused(state, run, target, played):
    if state is None:
        (run / "status.json").unlink()
    else:
        (run / "status.json").write_text(json.dumps({"state": state}))
    with pytest.raises(UserError, match=f"expected a finished run; it is {state or 'of an unknown state'}"):
        add(run, "pendulum", zoo=target)
    assert list(target.iterdir()) == []


def test_a_folder_without_a_run_is_refused(working_directory, target):
    with pytest.raises(UserError, match="run: expected the folder of a run; got 'nowhere'"):
        add(Path("nowhere"), "pendulum", zoo=target)


@pytest.mark.parametrize(
    "changes", [{"agent": {"_target_": "my_agents.Mine"}}, {"env": {"id": "my_envs:Mine-v0"}}], ids=["agent", "env"]
)
def test_code_of_another_package_is_refused(changes, run, target, played):
    rewrite_policy(run, **changes)
    with pytest.raises(UserError, match=r"my_(agents|envs).*; a policy of the zoo must need no code but") as caught:
        add(run, "pendulum", zoo=target)
    assert "--trust" not in str(caught.value)
    assert list(target.iterdir()) == []


def test_a_model_of_the_users_own_is_refused(run, target, played):
    rewrite_policy(run, model_digest="4.0.0 0123456789abcdef")
    with pytest.raises(UserError, match=r"env\.xml_file: expected none"):
        add(run, "pendulum", zoo=target)


def test_a_run_that_no_command_repeats_is_refused(run, target, played):
    rewrite_config(run, "name: rsnn", "name: somebody_elses")
    with pytest.raises(UserError, match="expected a run that a command can repeat"):
        add(run, "pendulum", zoo=target)


def test_a_policy_that_is_too_large_is_refused(run, target, played, monkeypatch):
    monkeypatch.setattr(add_module, "MOST_BYTES", 1_000)
    with pytest.raises(UserError, match="expected a policy of at most 1,000 bytes; got "):
        add(run, "pendulum", zoo=target)
    assert list(target.iterdir()) == []


def test_a_return_that_is_not_finite_is_refused(run, target, played):
    played[0] = float("nan")
    with pytest.raises(UserError, match="expected finite returns"):
        add(run, "pendulum", zoo=target)


@pytest.mark.parametrize(("commit", "is_clean"), [("a" * 40, True), ("a" * 40 + "-dirty", False), ("null", False)])
def test_a_commit_that_is_not_clean_is_warned_of(commit, is_clean, run, target, played, recwarn):
    line = next(line for line in (run / "config.yaml").read_text().splitlines() if "git_commit" in line)
    rewrite_config(run, line, f"  git_commit: {commit}")
    add(run, "pendulum", zoo=target)
    warned = [warning for warning in recwarn if warning.category is ResultsWarning]
    assert (warned == []) is is_clean


def test_a_better_policy_is_replaced_only_if_asked_for(run, target, played):
    add(run, "pendulum", zoo=target)
    played[0] = 6.0
    with pytest.raises(UserError, match=r"'zoo/pendulum' is better, .* of 7.0 against 6.0; .* --replace"):
        add(run, "pendulum", zoo=target)
    assert read_entry(target / "pendulum").mean_return == 7.0
    add(run, "pendulum", replace=True, zoo=target)
    assert read_entry(target / "pendulum").mean_return == 6.0
    played[0] = 8.0
    add(run, "pendulum", zoo=target)
    assert read_entry(target / "pendulum").mean_return == 8.0


def test_a_policy_of_another_environment_is_replaced_only_if_asked_for(run, target, played):
    entry = replace(add(run, "pendulum", zoo=target), environment="Hopper-v5")
    (target / "pendulum" / "zoo.json").write_bytes(entry_bytes(entry))
    with pytest.raises(UserError, match="plays Hopper-v5, not InvertedPendulum-v5"):
        add(run, "pendulum", zoo=target)
    add(run, "pendulum", replace=True, zoo=target)
    assert read_entry(target / "pendulum").environment == "InvertedPendulum-v5"


def test_the_command_tells_mistakes_in_one_line(capsys, working_directory):
    assert add_module.main(["nowhere", "pendulum"]) == 2
    assert add_module.main(["nowhere"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "python -m experiments.zoo.add: error: run: expected the folder of a run; got 'nowhere'"
    assert len(lines) == 2


def test_the_command_shows_what_it_added(run, target, played, capsys, monkeypatch):
    monkeypatch.setattr(add_module.add, "__defaults__", (False, None, target))
    assert add_module.main(["run", "pendulum"]) == 0
    assert "zoo/pendulum" in capsys.readouterr().out
    assert read_entry(target / "pendulum").mean_return == 7.0
