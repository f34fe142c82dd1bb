"""Training ends early when its evaluations no longer rise, goes on when that is asked for, and says so everywhere."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.analysis import load, run_scores, summary
from experiments.cli import main
from experiments.errors import UserError
from experiments.run_config.compose import compose_config
from experiments.run_config.settings import EarlyStopSettings
from experiments.run_folder.status import read_status
from experiments.training.evaluations import Evaluations
from experiments.training.resume import resume
from experiments.training.run import train
from tests.experiments.training.tiny_runs import SEARCHERS, content, interruption, start, words

NEVER_RISES = ["early_stop.patience=2", "early_stop.min_delta=1e9"]  # so that the third evaluation is the last


def evaluations(returns, patience=2, min_evals=0, min_delta=0.0) -> Evaluations:
    found = Evaluations(EarlyStopSettings(patience, min_evals, min_delta))
    for generation, mean in enumerate(returns, start=1):
        row = {"generation": generation, "steps": 100 * generation, "center_return_mean": mean}
        found.add(row | {"center_return_std": 1.0, "density": 0.5})
    return found


@pytest.mark.parametrize(
    ("returns", "options", "ends"),
    [
        ([1, 2, 3, 4], {}, False),
        ([1, 2, 2, 2], {}, True),  # as high is no rise
        ([3, 1, 2], {}, True),
        ([3, 1, 4, 2], {}, False),  # counted anew from each rise
        ([3, 1, 2], {"patience": 3}, False),
        ([3, 1, 2], {"min_evals": 4}, False),
        ([3, 1, 2, 1], {"min_evals": 4}, True),
        ([1, 1.5, 2.5, 3], {"min_delta": 1.0}, False),  # 2.5 is more than 1 above 1
        ([1, 1.5, 2.0], {"min_delta": 1.0}, True),
        ([np.nan, np.nan], {}, True),
        ([1, np.inf, np.nan], {}, True),
        ([np.nan, 1, np.nan], {}, False),
    ],
)
def test_training_ends_after_so_many_evaluations_without_a_rise(returns, options, ends):
    assert (evaluations(returns, **options).reason_to_stop() is not None) == ends


def test_the_reason_says_what_was_not_exceeded():
    reason = "early_stop: no rise above 3.0 after 100 steps in 2 evaluations in a row"
    assert evaluations([3, 1, 2]).reason_to_stop() == reason


def test_the_best_evaluation_is_the_first_of_the_highest():
    found = evaluations([1, 5, np.nan, 5, np.inf, 2])
    assert (found.best["generation"], found.best["steps"], found.last["center_return_mean"]) == (2, 200, 2)
    assert evaluations([np.nan]).best is None


def test_an_evaluation_that_is_repeated_replaces_the_first():
    found = evaluations([1, 9])
    found.add({"generation": 2, "steps": 200, "center_return_mean": 3.0, "center_return_std": 0.0})
    assert found.best["center_return_mean"] == 3.0


def evaluation_of(row) -> dict:
    return {name: row[name] for name in ("generation", "steps", "center_return_mean", "center_return_std")}


@pytest.mark.parametrize(
    "searcher", [pytest.param(name, marks=() if name == "ec" else pytest.mark.slow) for name in SEARCHERS]
)
def test_every_searcher_ends_early_after_an_interruption_too_and_goes_on_when_asked(
    searcher, unbroken, rows, assert_same_end
):
    with interruption(3):
        start(searcher, *NEVER_RISES, "run_dir=run")
    ended = resume(Path("run"))
    assert ended.status["state"] == "finished"
    assert ended.status["reason"].startswith("early_stop: no rise above")
    assert ended.status["steps"] < ended.status["budget"]
    table, whole = rows(ended), rows(unbroken(searcher))
    assert table.center_return_mean.notna().sum() == 3
    assert table[:-1].equals(whole[: len(table) - 1])
    assert ended.status["best_evaluation"] == evaluation_of(table.loc[table.center_return_mean.idxmax()])
    assert ended.score == ended.status["last_evaluation"]["center_return_mean"]
    assert_same_end(resume(ended, ["early_stop=null"]), unbroken(searcher))


@pytest.fixture
def ended():
    """A run of EC that ended early."""
    return start("ec", *NEVER_RISES, "run_dir=run")


def test_a_larger_budget_alone_does_not_change_where_a_run_ends(ended, rows, capsys):
    before, steps = rows(ended), ended.status["steps"]
    resume(ended, ["budget=2000"])
    assert "to go on with it, add early_stop=null, or a larger early_stop.patience=" in capsys.readouterr().err
    assert rows(ended).equals(before)
    assert (ended.status["steps"], ended.status["budget"]) == (steps, 2000)


def test_a_larger_patience_gives_the_run_of_that_patience(ended, rows):
    resume(ended, ["early_stop.patience=3"])
    other = start("ec", "early_stop.patience=3", "early_stop.min_delta=1e9", "run_dir=other")
    assert rows(ended).equals(rows(other))
    assert ended.status == other.status


@pytest.mark.parametrize(
    "word", ["early_stop.patience=1", "early_stop.min_delta=0", "early_stop.min_evals=9", "early_stop.patience=x"]
)
def test_a_rule_that_would_have_ended_the_run_elsewhere_is_refused(ended, word, capsys):
    before = content(ended)
    assert main(["resume", "run", word]) == 2
    assert capsys.readouterr().err.startswith("ec-evotorch: error: early_stop")
    assert content(ended) == before


def test_a_finished_run_is_left_as_it_is_and_a_sweep_skips_it(ended, capsys):
    before = content(ended)
    assert main(["resume", "run"]) == 0
    assert main(["train", "-m", *words("ec", *NEVER_RISES, "run_dir=run")]) == 0
    assert "1 finished before" in capsys.readouterr().out
    assert content(ended) == before
    assert main(["train", "-m", *words("ec", "run_dir=run")]) == 2
    assert "these differ: early_stop" in capsys.readouterr().err


def test_tables_count_it_with_its_last_evaluation(ended, tmp_path):
    frame = load("run")
    assert frame.finished.all()
    scores = run_scores(frame)
    assert scores.score.tolist() == [ended.score]
    assert scores.ended_early.all()
    assert summary(frame).note.iloc[0].startswith("1 of 1 runs ended by early_stop, the first after")
    curve = frame.dropna(subset="center_return_mean")
    heights, budget = [*curve.center_return_mean, ended.score], ended.status["budget"]
    area = np.trapezoid(heights, [*curve.steps, budget]) / (budget - curve.steps.iloc[0])
    assert scores.area.tolist() == pytest.approx([area])  # as if it had gone on at the height of its last evaluation
    assert run_scores(frame, at_steps=5000).score.isna().all()  # beyond what it was to train for


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("early_stop.patience=0", "early_stop.patience: expected a whole number, at least 1; got 0"),
        ("early_stop.patience=true", "early_stop.patience: expected a whole number, at least 1; got True"),
        ("early_stop.min_evals=-1", "early_stop.min_evals: expected a whole number, at least 0; got -1"),
        ("early_stop.min_delta=-0.5", "early_stop.min_delta: expected a number, at least 0; got -0.5"),
        ("early_stop=5", "early_stop: expected the keys patience, min_evals, min_delta; got 5"),
        ("eval.every=null", "early_stop.patience: expected null where eval.every is null; got 2"),
    ],
)
def test_a_wrong_rule_is_named(word, message):
    with pytest.raises(UserError) as error:
        train(compose_config(words("ec", "early_stop.patience=2", word)))
    assert str(error.value) == message


def test_status_has_the_evaluations_while_a_run_goes_on(rows):
    with interruption(7):
        start("ec", "run_dir=run")
    status = read_status(Path("run"))
    evaluated = rows(Path("run")).dropna(subset="center_return_mean")
    assert len(evaluated) > 1
    assert status["last_evaluation"] == evaluation_of(evaluated.iloc[-1])
    assert status["best_evaluation"] == evaluation_of(evaluated.loc[evaluated.center_return_mean.idxmax()])


@pytest.mark.parametrize("value", [3, ["x"], {"steps": "many"}])
def test_a_damaged_evaluation_in_status_is_refused(tmp_path, value):
    (tmp_path / "status.json").write_text(json.dumps({"state": "finished", "best_evaluation": value}))
    with pytest.raises(UserError, match="best_evaluation: expected numbers by their names"):
        read_status(tmp_path)
