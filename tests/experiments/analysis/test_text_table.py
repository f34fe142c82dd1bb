"""A table says the same in every format, and under it what its numbers are."""

import io

import pandas as pd
import pytest

from experiments.analysis.load_results import choose_methods, load, summary
from experiments.analysis.text_table import TextTable, latex, markdown, terminal, text_table_of
from experiments.cli import main


@pytest.fixture
def runs(write_run):
    """Three seeds of one method, one of another, and one that stopped."""
    for seed, final in enumerate((1000.0, 2000.0, 6000.0)):
        write_run(f"runs/ec{seed}", {500: 0.5, 1000: final}, seed=seed)
    write_run("runs/es0", {500: 1.0, 1000: 1500.0}, method="rsnn_sign-es")
    write_run("runs/gru0", {500: 1.0}, method="gru-es", budget=1000)


WORDS = ["table", "runs", "--threshold", "1500", "--against", "1-bit ES-RSNN"]
MARKDOWN = """\
| method | n | mean ± std | median | IQM [95 %] | area | steps to 1,500 | seconds | P(> 1-bit ES-RSNN) | note |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| EC-RSNN | 3 | 3,000 ± 2,646 | 2,000 | 3,000 [1,000, 6,000] | 1,500 | 1,000 (2/3) | 2 | 0.667 |  |
| 1-bit ES-RSNN | 1 | 1,500 | 1,500 | 1,500 | 750 | 1,000 (1/1) | 2 | – | (1) |
| ES-GRU | 0 | – | – | – | – | – | – | – | (2) |

Hopper-v5 at 1,000 environment steps. Numbers are of the last evaluation of the centre, own reward; mean and \
sample std over n seeds.

[95 %]: bootstrap interval over seeds. IQM: interquartile mean; of fewer than 4 seeds it is the mean. area: mean \
height of the learning curve.

steps to 1,500, seconds: medians over seeds (in brackets: how many got there).

(1) one seed: no interval

(2) 1 of 1 runs did not reach 1,000 steps
"""


@pytest.mark.usefixtures("runs")
def test_markdown_word_for_word(capsys):
    assert main([*WORDS, "--format", "markdown"]) == 0
    assert capsys.readouterr().out == MARKDOWN


@pytest.mark.usefixtures("runs")
def test_latex_word_for_word(capsys):
    assert main(["table", "runs", "--format", "latex", "--score", "last5"]) == 0
    assert capsys.readouterr().out.splitlines()[:5] == [
        r"\begin{tabular}{lrrrrrr}",
        r"\toprule",
        r"method & n & mean $\pm$ std & median & IQM [95 \%] & area & note \\",
        r"\midrule",
        r"EC-RSNN & 0 & -- & -- & -- & -- & (1) \\",
    ]


@pytest.mark.usefixtures("runs")
def test_csv_is_the_summary_itself(capsys):
    assert main(["table", "runs", "--format", "csv", "--at-steps", "5e2"]) == 0
    written = pd.read_csv(io.StringIO(capsys.readouterr().out))
    expected = summary(load("runs"), at_steps=500)
    pd.testing.assert_frame_equal(written[["n", "mean", "iqm_low"]], expected[["n", "mean", "iqm_low"]])


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("width", [20, 200])
def test_no_number_is_cut_on_a_narrow_terminal(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(WORDS) == 0
    shown = capsys.readouterr().out
    for cell in ("3,000 ± 2,646", "3,000 [1,000, 6,000]", "1,000 (2/3)", "P(> 1-bit ES-RSNN)", "1-bit ES-RSNN "):
        assert cell in shown
    assert "…" not in shown


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("name", "beginning"),
    [("a.md", "| method"), ("a.csv", "environment,"), ("a.tex", r"\begin"), ("a.txt", "\n method")],
)
def test_a_file_has_the_format_of_its_name(capsys, working_directory, name, beginning):
    assert main(["table", "runs", "--output", name]) == 0
    assert capsys.readouterr().out == ""
    assert (working_directory / name).read_text().startswith(beginning)


def test_several_environments_have_a_column(write_run, capsys):
    write_run("a", {100: 2.0})
    write_run("b", {300: 4.0}, env="Humanoid-v5")
    assert main(["table", "a", "b", "--format", "markdown"]) == 0
    shown = capsys.readouterr().out
    assert "| Hopper-v5 | EC-RSNN | 1 |" in shown
    assert "Hopper-v5 at 100 environment steps; Humanoid-v5 at 300 environment steps" in shown


def test_warnings_are_lines_on_stderr_once_each(write_run, capsys):
    write_run("runs/a", {100: 2.0}, seed=0)
    write_run("runs/b", {100: 2.0, 200: 3.0}, seed=1, mujoco="3.3.0")
    assert main(["table", "runs", "--format", "csv"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "ec-evotorch table: warning: Hopper-v5: runs with different mujoco are mixed, whose numbers cannot be compared:"
        " 3.3.0, 4.0.0",
        "ec-evotorch table: warning: Hopper-v5: budgets are 100, 200 steps; all are compared at 100",
    ]


@pytest.mark.usefixtures("runs")
def test_methods_can_be_chosen(capsys):
    assert main(["table", "runs", "--method", "ES-GRU", "--method", "EC-RSNN", "--format", "csv"]) == 0
    assert list(pd.read_csv(io.StringIO(capsys.readouterr().out)).method) == ["EC-RSNN", "ES-GRU"]
    assert main(["plot", "runs", "--kind", "bars", "--method", "EC-RSN"]) == 2
    assert "no method 'EC-RSN' (did you mean 'EC-RSNN'?)" in capsys.readouterr().err


def test_a_method_without_its_variant_is_all_of_its_variants(write_run):
    for beta in (2.0, 10.0):
        write_run(f"runs/{beta}", {100: 1.0}, f"agent.surrogate.beta={beta}", method="rsnn-ppo")
    frame = load("runs")
    assert choose_methods(frame, ["SG-RSNN"]).equals(frame)
    assert list(choose_methods(frame, ["SG-RSNN (beta=2)"]).run) == ["runs/2.0"]


def test_a_data_frame_becomes_a_table_of_short_numbers_with_names_on_the_left():
    frame = pd.DataFrame({"name": ["a", "b"], "kind": ["x", "y"], "count": [1, 20], "mean": [1234.5, float("nan")]})
    table = text_table_of(frame, "Title")
    assert table == (list(frame), [["a", "x", "1", "1,234"], ["b", "y", "20", "–"]], 2, (), "Title")
    assert text_table_of(frame[["name", "kind"]], "").num_left == 2


def test_a_title_stands_above_a_table_in_every_format():
    table = TextTable(["a"], [["1"]], 1, ["note"], "Title")
    assert terminal(table).split()[0] == "Title"
    assert markdown(table).startswith("**Title**\n\n| a |\n")
    assert latex(table).startswith("% Title\n\\begin{tabular}")
    untitled = table._replace(title="")
    assert markdown(untitled).startswith("| a |")
    assert latex(untitled).startswith("\\begin{tabular}")
