"""`ec-evotorch analyze` writes its tables and figures, the same each time, and refuses what it cannot analyse."""

import pandas as pd
import pytest

from experiments.cli import main

SMALL = ["--draws", "3", "--episodes", "2", "--lesion-episodes", "2"]
TABLES = ("structure", "blocks", "spectrum", "decisions", "population", "neurons", "lesions")


@pytest.fixture(scope="module")
def analysis(finished_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("analysis")
    assert main(["analyze", str(finished_run), *SMALL, "--output", str(folder / "first")]) == 0
    return folder


def test_all_tables_and_figures_are_written(analysis):
    written = {path.name for path in (analysis / "first" / "run").iterdir()}
    assert {f"{name}.csv" for name in TABLES} | {"structure.png", "spectrum.png", "lesions.png"} <= written
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
    assert {path.stem for path in again.parent.iterdir()} == {"structure", "blocks", "spectrum", "decisions"}


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
        (["zoo/hopper", "--part", "anatomy"], "--part: invalid choice: 'anatomy'"),
    ],
)
def test_what_cannot_be_analysed_is_named_and_nothing_is_written(words, message, capsys, working_directory):
    assert main(["analyze", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
    assert list(working_directory.iterdir()) == []
