"""The policies that come with the package: each is whole, small, and plays as its zoo.json says."""

import re
import shlex
import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest

from experiments import zoo
from experiments.cli import main
from experiments.errors import UserError
from experiments.evaluation.energy import Training
from experiments.evaluation.episodes import evaluate
from experiments.run_config.compose import compose_config
from experiments.run_folder.versions import PACKAGES, WARP_PACKAGES
from experiments.zoo import Entry, read_entry
from experiments.zoo.entry import entry_bytes
from experiments.zoo.entry_table import zoo_table
from experiments.zoo.zoo import FOLDER

NAMES = zoo.names()
FILES = {"policy.json", "policy.safetensors", "zoo.json"}
MOST_BYTES = 100_000  # of an entry
EXAMPLE = "inverted_pendulum"
PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "zoo.md"


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_zoo_is_not_empty():
    assert EXAMPLE in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_plays_as_well_as_its_record_says(name):
    entry = read_entry(FOLDER / name)
    episodes = evaluate(FOLDER / name, 3)
    for column in ("return", "length"):
        recorded = entry.score[column]
        assert recorded["min"] <= episodes[column].mean() <= recorded["max"]


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_complete_and_consistent(name):
    entry, saved = read_entry(FOLDER / name), zoo.load(name)
    assert all(getattr(entry, field.name) or field.name == "seed" for field in fields(Entry))
    assert (entry.environment, entry.possible_connections) == (saved.env["id"], saved.policy.agent.solution_length)
    assert f"torch.{entry.dtype}" == str(saved.policy.agent.dtype)
    assert 0 < entry.connections <= entry.possible_connections
    assert (entry.score["episodes"], entry.score["seed"]) == (100, 0)
    for column in ("return", "length"):
        assert set(entry.score[column]) == {"mean", "std", "median", "min", "max"}
        assert entry.score[column]["min"] <= entry.score[column]["mean"] <= entry.score[column]["max"]
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", entry.git_commit)
    physics = WARP_PACKAGES if "problem.device=" in entry.command else ()
    assert set(entry.versions) == {"ec-evotorch", "python", *PACKAGES, *physics}


@pytest.mark.parametrize("name", NAMES)
def test_the_command_that_trained_it_can_be_given_today(name):
    entry = read_entry(FOLDER / name)
    program, command, *words = shlex.split(entry.command)
    config = compose_config(words)
    assert (program, command) == ("ec-evotorch", "train")
    assert (config.env.id, config.agent.name, config.searcher.name) == (entry.environment, entry.agent, entry.searcher)
    assert config.seed == entry.seed
    assert config.budget <= entry.steps


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_three_small_files(name):
    sizes = {path.name: path.stat().st_size for path in (FOLDER / name).iterdir()}
    assert set(sizes) == FILES
    assert sum(sizes.values()) < MOST_BYTES


def test_a_policy_is_loaded_as_the_page_says():
    program = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    names: dict = {}
    exec(program, names)
    assert names["env"].action_space.contains(names["action"])


def test_an_unknown_name_is_refused_with_those_that_there_are():
    with pytest.raises(UserError, match=r"^name: expected one of .*inverted_pendulum.*; got 'inverted_pendulm' \(did"):
        zoo.load("inverted_pendulm")


@pytest.mark.parametrize("command", ["evaluate", "video", "watch", "energy"])
def test_an_unknown_name_is_one_line_of_a_command(command, capsys):
    assert main([command, "zoo/inverted_pendulm"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ec-evotorch: error: run: expected one of ")
    assert line.endswith("; got 'zoo/inverted_pendulm' (did you mean 'zoo/inverted_pendulum'?)")


def test_a_folder_of_the_working_directory_goes_before_the_zoo(working_directory):
    path = Path("zoo") / EXAMPLE
    assert zoo.resolve(path) == FOLDER / EXAMPLE
    path.mkdir(parents=True)
    assert zoo.resolve(path) == path


@pytest.mark.parametrize("path", ["runs/inverted_pendulum", "inverted_pendulum", "a/zoo/inverted_pendulum", "zoo/a/b"])
def test_other_paths_are_what_they_were(path):
    assert zoo.resolve(Path(path)) == Path(path)


@pytest.mark.parametrize("command", ["evaluate", "video", "watch", "energy"])
def test_a_link_that_leads_nowhere_is_no_policy(command, working_directory, capsys):
    (working_directory / "link").symlink_to("link")
    assert main([command, "link"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_evaluate_plays_a_policy_and_writes_nothing(capsys, working_directory):
    before = contents(FOLDER)
    assert main(["evaluate", f"zoo/{EXAMPLE}", "--episodes", "2"]) == 0
    shown = capsys.readouterr().out
    assert "InvertedPendulum-v5: 2 plain episodes" in shown
    assert f"{evaluate(FOLDER / EXAMPLE, 2)['return'].mean():,.1f}" in shown
    assert main(["evaluate", str(FOLDER / EXAMPLE), "--episodes", "1"]) == 0  # by its path, as in a checkout
    assert (contents(FOLDER), list(working_directory.iterdir())) == (before, [])


def test_evaluate_exports_the_episodes_of_a_policy(working_directory):
    assert main(["evaluate", f"zoo/{EXAMPLE}", "--episodes", "1", "--csv", "out.csv"]) == 0
    assert [path.name for path in working_directory.iterdir()] == ["out.csv"]


def test_energy_counts_the_training_that_the_record_tells(capsys, working_directory):
    before = contents(FOLDER)
    assert main(["energy", f"zoo/{EXAMPLE}", "--episodes", "1"]) == 0
    rows = dict(re.findall(r"^ (\S.*?)  +\S+(?: k?J)?  +(\S+)", capsys.readouterr().out, re.MULTILINE))
    entry = read_entry(FOLDER / EXAMPLE)
    assert entry.training == Training(entry.generations, entry.episodes, entry.steps)
    assert rows["environment steps of training"] == f"{entry.steps:,}"
    assert rows["episodes of training"] == f"{entry.episodes:,}"
    assert (contents(FOLDER), list(working_directory.iterdir())) == (before, [])


def test_the_zoo_is_listed(capsys):
    assert main(["evaluate", "zoo"]) == 0
    shown = capsys.readouterr().out.splitlines()
    for name in NAMES:
        entry = read_entry(FOLDER / name)
        (row,) = (line for line in shown if line.startswith(f" zoo/{name} "))
        assert entry.environment in row
        assert f"{entry.connections:,} of {entry.possible_connections:,}" in row
        assert f"{entry.mean_return:,.1f}" in row
        assert f"zoo/{name}: {entry.command}" in shown  # on one line, to be copied


def test_the_zoo_is_listed_by_its_path_too(capsys, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    assert main(["evaluate", "zoo"]) == 0
    assert f"zoo/{EXAMPLE}" in capsys.readouterr().out


def test_a_folder_named_zoo_goes_before_the_list(capsys, working_directory):
    (working_directory / "zoo").mkdir()
    assert main(["evaluate", "zoo"]) == 2
    assert "'zoo' holds no policy" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--episodes=3", "--seed=1", "--workers=2", "--csv=out.csv", "--trust=os"])
def test_a_list_refuses_what_it_would_not_heed(option, capsys):
    assert main(["evaluate", "zoo", option]) == 2
    assert f"error: {option.partition('=')[0]}: expected only with a run or zoo/NAME" in capsys.readouterr().err


def test_a_row_says_how_large_a_connection_is():
    entry = replace(read_entry(FOLDER / EXAMPLE), dtype="float32")
    assert zoo_table({"a": entry}).rows[0][4] == "32"


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{}", b'{"format": "ec-evotorch zoo", "format_version": 2}'])
def test_a_record_that_is_none_is_named(content, working_directory):
    (working_directory / "zoo.json").write_bytes(content)
    with pytest.raises(UserError, match=r"zoo.json': expected an entry of the zoo"):
        read_entry(working_directory)


@pytest.mark.parametrize("field", [field.name for field in fields(Entry)])
def test_a_value_of_another_type_is_named(field, working_directory):
    entry = replace(read_entry(FOLDER / EXAMPLE), **{field: None})
    (working_directory / "zoo.json").write_bytes(entry_bytes(entry))
    with pytest.raises(UserError, match=rf"zoo.json': expected the key '{field}' with a \w+; got None"):
        read_entry(working_directory)


def test_a_score_without_a_mean_is_named(working_directory):
    entry = replace(read_entry(FOLDER / EXAMPLE), score={"return": {}})
    (working_directory / "zoo.json").write_bytes(entry_bytes(entry))
    with pytest.raises(UserError, match=r"score.return.mean: expected a number; got None"):
        read_entry(working_directory)


def test_a_copy_of_an_entry_is_an_entry(working_directory):
    shutil.copytree(FOLDER / EXAMPLE, "copy")
    before = contents(working_directory)
    assert main(["evaluate", "copy", "--episodes", "1"]) == 0
    assert contents(working_directory) == before
