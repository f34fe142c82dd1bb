"""`ec-evotorch analyze` writes its tables and figures, the same each time, and refuses what it cannot analyse."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from experiments.cli import main

SMALL = ["--draws", "3", "--episodes", "2", "--lesion-episodes", "2"]
TABLES = ("structure", "blocks", "spectrum", "decisions", "decisions_by_block", "population", "neurons", "lesions")

FIGURES = ("structure", "spectrum", "decisions_by_block", "lesions")


@pytest.fixture(scope="module")
def analysis(finished_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("analysis")
    assert main(["analyze", str(finished_run), *SMALL, "--output", str(folder / "first")]) == 0
    return folder


def test_all_tables_and_figures_are_written(analysis):
    written = {path.name for path in (analysis / "first" / "run").iterdir()}
    assert {f"{name}.csv" for name in TABLES} | {f"{name}.png" for name in FIGURES} <= written
    structure = pd.read_csv(analysis / "first" / "run" / "structure.csv")
    assert set(zip(structure.network, structure.null, strict=True)) == {
        ("θ*", "Bernoulli"),
        ("θ*", "rewired"),
        ("θ*", "generation 0"),
        ("ρ", "shuffled"),
    }
    assert not structure.measure[structure.null == "Bernoulli"].str.startswith("density").any()
    assert structure.measure[structure.null == "generation 0"].str.startswith("density").sum() == 8
    neurons = pd.read_csv(analysis / "first" / "run" / "neurons.csv")
    assert neurons.kind.tolist() == ["E"] * 8 + ["I"] * 8


def test_the_same_seed_gives_the_same_tables_and_another_others(analysis, finished_run, capsys):
    for name, seed in (("again", "0"), ("other", "1")):
        words = ["analyze", str(finished_run), *SMALL, "--output", str(analysis / name), "--seed", seed]
        assert main([*words, "--part", "structure"]) == 0
    capsys.readouterr()
    first, again, other = (analysis / name / "run" / "structure.csv" for name in ("first", "again", "other"))
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()
    written = {path.stem for path in again.parent.iterdir()}
    assert written == {"structure", "blocks", "spectrum", "decisions", "decisions_by_block"}


def test_a_run_of_an_earlier_version_is_analysed_without_its_blocks_over_time(finished_run, capsys, working_directory):
    shutil.copytree(finished_run, "old")
    Path("old/rho_blocks.csv").unlink()
    assert main(["analyze", "old", "--part", "structure", "--draws", "2"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "'old' has no rho_blocks.csv, which earlier versions did not write: how fast each block" in line
    written = {path.stem for path in Path("analysis/old").iterdir()}
    assert written == {"structure", "blocks", "spectrum", "decisions"}


def test_the_neurons_of_several_runs_are_matched(finished_run, capsys, working_directory):
    shutil.copytree(finished_run, "copy")
    words = [str(finished_run), "copy", "zoo/inverted_pendulum", "--draws", "2"]
    assert main(["analyze", *words, "--part", "matching"]) == 0
    assert "neurons matched: " in capsys.readouterr().out
    assert {path.name for path in Path("analysis").iterdir()} == {"matching.csv", "matched_neurons.csv"}
    scores, partners = (pd.read_csv(f"analysis/{name}.csv") for name in ("matching", "matched_neurons"))
    assert set(zip(scores.one, scores.other, strict=True)) == {("run", "copy")}
    assert scores.observed[scores.measure == "all"].tolist() == pytest.approx([1])
    assert (partners.neuron == partners.partner).all()
    assert main(["analyze", "copy", "zoo/inverted_pendulum", "--part", "matching"]) == 0
    assert "no two of these runs have the same environment and sizes" in capsys.readouterr().out


def test_several_runs_are_also_compared_with_chance_together(finished_run, capsys, working_directory):
    words = ["analyze", str(finished_run), "zoo/inverted_pendulum", "--part", "structure", "--draws", "2"]
    assert main([*words, "--output", "two"]) == 0
    assert "all 2 runs together: " in capsys.readouterr().out
    together = pd.read_csv(working_directory / "two" / "structure_across_runs.csv")
    assert set(together.null) == {"Bernoulli", "rewired"}  # what is known of both
    assert set(together.runs) == {2}


def test_all_that_differs_is_counted_although_few_rows_are_shown(finished_run, capsys, monkeypatch, working_directory):
    together = pd.DataFrame({"measure": [f"m{number}" for number in range(30)], "p_holm": 0.01})
    monkeypatch.setattr("experiments.commands.analyze.combine", lambda structures: together)
    words = ["analyze", str(finished_run), "zoo/inverted_pendulum", "--part", "structure", "--draws", "2"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "all 2 runs together: 30 of 30 comparisons differ from chance" in out
    assert "m11" in out
    assert "m12" not in out


def test_a_policy_of_the_zoo_is_analysed_into_a_folder_of_its_name(capsys, working_directory):
    assert main(["analyze", "zoo/walker2d", "--part", "structure", "--draws", "2"]) == 0
    out = capsys.readouterr().out
    assert "hopper" not in out
    assert "walker2d: connections" in out
    assert (working_directory / "analysis" / "walker2d" / "blocks.csv").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "'nowhere' holds no policy"),
        (["zoo/nobody"], "run: "),
        (["zoo/hopper", "x/hopper"], "runs: expected folders of different names"),
        (["zoo/hopper", "--part", "matching"], "--part matching: expected several runs, got one"),
        (["zoo/hopper", "--part", "anatomy"], "--part: invalid choice: 'anatomy'"),
    ],
)
def test_what_cannot_be_analysed_is_named_and_nothing_is_written(words, message, capsys, working_directory):
    assert main(["analyze", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
    assert list(working_directory.iterdir()) == []
