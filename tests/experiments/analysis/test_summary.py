"""Methods are compared at the same steps, seed by seed, and what cannot be known is blank and marked."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest

from experiments.analysis.load_results import load, overall, probability_of_improvement, run_scores, summary
from experiments.analysis.statistics import bootstrap_interval, mean
from experiments.errors import ResultsWarning, UserError


@pytest.fixture
def seeds(write_run):
    """Writes runs of one method that end with these returns, one seed each."""

    def write(method, *finals, env="Hopper-v5", **keywords):
        for seed, final in enumerate(finals):
            write_run(f"{env}/{method}{seed}", {500: 0.0, 1000: final}, seed=seed, method=method, env=env, **keywords)

    return write


def test_a_summary_by_hand(seeds):
    seeds("rsnn-ec", 10.0, 20.0, 60.0)
    row = summary(load("*"), threshold=20.0).iloc[0]
    assert (row.environment, row.method, row.at_steps, row.n, row.note) == ("Hopper-v5", "EC-RSNN", 1000, 3, "")
    assert (row["mean"], row["median"], row.iqm) == (30, 20, 30)
    assert row["std"] == pytest.approx(math.sqrt((20**2 + 10**2 + 30**2) / 2))
    assert row.area == 15
    assert (row.reached, row.steps_to_threshold, row.seconds_to_threshold) == (2, 1000, 2)
    assert 10 <= row.iqm_low < 30 < row.iqm_high <= 60
    assert (row.mean_low, row.mean_high) == (row.iqm_low, row.iqm_high)


def test_a_summary_is_the_same_every_time_and_best_comes_first(seeds):
    seeds("rsnn-es", 10.0, 20.0, 60.0, 30.0)
    seeds("rsnn-ec", 50.0, 20.0, 60.0, 30.0)
    frame = load("*")
    assert summary(frame).equals(summary(frame))
    assert summary(frame).method.tolist() == ["EC-RSNN", "ES-RSNN"]


def test_one_seed_has_no_spread_and_no_interval(seeds):
    seeds("rsnn-ec", 10.0)
    row = summary(load("*")).iloc[0]
    assert (row["mean"], row.iqm, row.n, row.note) == (10, 10, 1, "one seed: no interval")
    assert row[["std", "iqm_low", "iqm_high", "mean_low", "mean_high"]].isna().all()


def test_the_threshold_counts_from_the_first_evaluation_that_reaches_it(write_run):
    write_run("a", {10: 1.0, 20: 5.0, 30: 2.0, 40: 7.0}, seed=0)
    write_run("b", {10: 1.0, 20: 1.0, 30: 5.5, 40: 0.0}, seed=1)
    row = summary(load(["a", "b"]), threshold=5.0).iloc[0]
    assert (row.reached, row.steps_to_threshold, row.seconds_to_threshold) == (2, 25, 2.5)


def test_runs_that_never_reach_the_threshold_are_not_left_out_of_the_median(seeds):
    seeds("rsnn-ec", 10.0, 20.0, 60.0)
    row = summary(load("*"), threshold=50.0).iloc[0]
    assert row.reached == 1
    assert math.isnan(row.steps_to_threshold)


@pytest.mark.parametrize(
    ("at_steps", "final", "last5", "evaluated_at"),
    [
        (70, 6.0, 4.0, 70),
        (61, 6.0, 4.0, 70),  # crossed by the generation that ends at 70
        (60, 5.0, 3.0, 60),
        (55, 5.0, 3.0, 60),
        (45, 4.0, None, 40),  # crossed by the generation that ends at 50, which was not evaluated
        (40, 4.0, None, 40),
        (1, 1.0, None, 10),
    ],
)
def test_a_score_is_that_of_the_generation_that_crosses_the_steps(write_run, at_steps, final, last5, evaluated_at):
    write_run("a", {10: 1.0, 20: 2.0, 30: 3.0, 40: 4.0, 50: None, 60: 5.0, 70: 6.0})
    frame = load("a")
    row = run_scores(frame, at_steps=at_steps).iloc[0]
    assert (row.score, row.evaluated_at) == (final, evaluated_at)
    score = run_scores(frame, at_steps=at_steps, score="last5").score.iloc[0]
    assert score == last5 if last5 is not None else math.isnan(score)


def test_different_budgets_are_compared_at_the_smallest(write_run):
    write_run("a", {50: 1.0, 100: 2.0}, seed=0)
    write_run("b", {50: 3.0, 100: 4.0, 200: 99.0}, seed=1)
    write_run("c", {50: 7.0, 100: 8.0, 300: 99.0}, method="gru-es")
    with pytest.warns(ResultsWarning, match="budgets are 100, 200, 300 steps; all are compared at 100"):
        table = summary(load(["a", "b", "c"]))
    assert table[["method", "n", "mean", "at_steps"]].to_numpy().tolist() == [
        ["ES-GRU", 1, 8.0, 100],
        ["EC-RSNN", 2, 3.0, 100],
    ]


def test_each_environment_has_its_own_steps(write_run):
    write_run("a", {100: 2.0})
    write_run("b", {300: 4.0}, env="Humanoid-v5")
    with warnings.catch_warnings(action="error"):
        assert summary(load(["a", "b"])).at_steps.tolist() == [100, 300]


def test_runs_that_did_not_get_there_do_not_count_and_are_told(write_run):
    write_run("a", {50: 1.0, 100: 2.0}, seed=0)
    write_run("b", {50: 9.0}, seed=1, budget=100)
    write_run("c", {50: None, 100: None}, seed=2)
    write_run("d", {}, method="gru-es", budget=100)
    frame = load(["a", "b", "c", "d"])
    table = summary(frame).set_index("method")
    assert table.loc["EC-RSNN", ["n", "mean"]].tolist() == [1, 2.0]
    assert table.note["EC-RSNN"] == (
        "1 of 3 runs did not reach 100 steps; 1 of 3 runs have too few evaluations; one seed: no interval"
    )
    assert table.n["ES-GRU"] == 0
    assert table.loc["ES-GRU", ["mean", "median", "iqm", "area"]].isna().all()
    assert table.note["ES-GRU"] == "1 of 1 runs did not reach 100 steps"
    assert run_scores(frame).set_index("run").is_reached.to_dict() == {"a": True, "b": False, "c": True, "d": False}


def test_a_score_from_long_before_is_marked(write_run):
    write_run("a", {50: 1.0, 100: None})
    assert "evaluated as early as 50 steps" in summary(load("a")).note[0]


def test_different_settings_are_different_methods(write_run):
    write_run("a", {100: 2.0}, seed=0)
    write_run("b", {100: 4.0}, "searcher.popsize=8", seed=0)
    assert summary(load(["a", "b"]))[["method", "n", "mean"]].to_numpy().tolist() == [
        ["EC-RSNN (popsize=8)", 1, 4.0],
        ["EC-RSNN (popsize=16)", 1, 2.0],
    ]


def test_settings_that_no_name_tells_apart_are_told_by_their_hash(write_run):
    write_run("a", {100: 2.0})
    write_run("b", {100: 4.0}, "searcher.popsize=8")
    frame = pd.concat([load("a"), load("b")], ignore_index=True)
    assert summary(frame).method.str.match(r"EC-RSNN #[0-9a-f]{4}$").all()
    assert summary(frame).n.tolist() == [1, 1]


def test_a_longer_run_that_is_not_finished_does_not_hide_a_finished_one(write_run):
    write_run("a", {500: 1.0, 1000: 3.0})
    write_run("b", {500: 1.0, 1000: 3.0, 1500: 7.0}, budget=9000)
    with pytest.warns(ResultsWarning, match="seed 0 was run twice; 'b' is left out"):
        row = summary(load(["a", "b"])).iloc[0]
    assert (row.n, row["mean"], row.at_steps) == (1, 3, 1000)


def test_an_area_that_not_every_run_has_is_blank(write_run):
    write_run("a", {500: 1.0, 1000: 3.0}, seed=0)
    write_run("b", {500: None, 1000: 3.0}, seed=1)
    row = summary(load(["a", "b"])).iloc[0]
    assert (row.n, row["mean"]) == (2, 3)
    assert math.isnan(row.area)


def test_a_seed_counts_once(write_run):
    write_run("a", {100: 2.0}, seed=3)
    write_run("b", {100: 2.0, 200: 4.0}, seed=3)
    write_run("c", {100: 6.0}, seed=4)
    with pytest.warns(ResultsWarning, match="EC-RSNN: seed 3 was run twice; 'a' is left out"):
        table = summary(load(["a", "b", "c"]), at_steps=100)
    assert table[["n", "mean"]].to_numpy().tolist() == [[2, 4.0]]


def test_improvement_by_hand(seeds):
    seeds("rsnn-ec", 1.0, 3.0)
    seeds("gru-es", 2.0, 3.0)
    frame = load("*")
    assert probability_of_improvement(frame, "EC-RSNN", "ES-GRU").value == (0 + 0 + 1 + 0.5) / 4
    table = summary(frame, against="ES-GRU").set_index("method")
    assert table.improvement["EC-RSNN"] == 0.375
    assert 0 <= table.improvement_low["EC-RSNN"] < 0.375 < table.improvement_high["EC-RSNN"] <= 1
    assert table.loc["ES-GRU", ["improvement", "improvement_low", "improvement_high"]].isna().all()


def test_improvement_is_averaged_over_the_environments_of_both(seeds):
    seeds("rsnn-ec", 1.0, 3.0)
    seeds("gru-es", 0.0, 0.0)
    seeds("rsnn-ec", 0.0, 0.0, env="Walker2d-v5")
    seeds("gru-es", 1.0, 1.0, env="Walker2d-v5")
    seeds("rsnn-ec", 9.0, 9.0, env="Humanoid-v5")
    assert probability_of_improvement(load("*"), "EC-RSNN", "ES-GRU") == (0.5, 0.5, 0.5)


def test_overall_scales_each_environment_and_leaves_out_who_lacks_one(seeds):
    seeds("rsnn-ec", 10.0, 20.0)
    seeds("rsnn-ec", 100.0, 200.0, env="Humanoid-v5")
    seeds("gru-es", 10.0, 20.0)
    reference = {"Hopper-v5": (0.0, 20.0), "Humanoid-v5": (100.0, 200.0)}
    with pytest.warns(ResultsWarning, match="ES-GRU: left out, no scores in Humanoid-v5"):
        table = overall(load("*"), reference)
    assert table[["method", "n", "mean", "iqm"]].to_numpy().tolist() == [["EC-RSNN", 4, 0.625, 0.75]]
    assert table.iqm_low[0] < 0.75 <= table.iqm_high[0]
    with pytest.raises(UserError, match="reference: expected low < high for Humanoid-v5"):
        overall(load("*"), {"Hopper-v5": (0.0, 20.0)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": "best"}, "score: expected one of final, last5; got 'best'"),
        ({"at_steps": 0}, "at_steps: expected a number of at least 1; got 0"),
        ({"against": "EC-RSN"}, r"no method 'EC-RSN' \(did you mean 'EC-RSNN'\?\)"),
    ],
)
def test_bad_arguments_are_named(seeds, arguments, message):
    seeds("rsnn-ec", 1.0)
    with pytest.raises(UserError, match=message):
        summary(load("*"), **arguments)


def test_improvement_without_common_scores_is_refused(seeds):
    seeds("rsnn-ec", 1.0)
    seeds("gru-es", 1.0, env="Walker2d-v5")
    with pytest.raises(UserError, match="no environment has scores of both 'EC-RSNN' and 'ES-GRU'"):
        probability_of_improvement(load("*"), "EC-RSNN", "ES-GRU")


def test_the_interval_of_a_mean_holds_the_truth_nearly_as_often_as_it_says():
    # 19 of 20 would be exact; of 10 runs the percentile bootstrap gives about 0.90. Fewer than 80 of 100 has a chance
    # below one in a thousand.
    rng = np.random.default_rng(3)
    intervals = [bootstrap_interval([rng.normal(size=10)], mean, 500) for _ in range(100)]
    assert sum(low < 0 < high for low, high in intervals) >= 80
