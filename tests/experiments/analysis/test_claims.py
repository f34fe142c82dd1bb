"""A claim holds where runs say so more clearly than chance would, and each says what it rests on."""

import math

import pandas as pd
import pytest

from experiments.analysis.claims import CLAIMS, check_claims, verdict
from experiments.analysis.load_results import load
from experiments.analysis.method_label import method_label
from experiments.cli import main
from experiments.errors import UserError
from experiments.run_config.compose import compose_config, compose_sweep

BOTH = ("Hopper-v5", "Walker2d-v5")


@pytest.fixture
def seeds(write_run):
    """Writes a run for each final return, seeds counted from 0."""

    def write(method, *finals, envs=BOTH, words=()):
        for env in envs:
            for seed, final in enumerate(finals):
                folder = f"runs/{env}-{method}-{'-'.join(words)}-{seed}"
                write_run(folder, {500: 1.0, 1000: float(final)}, *words, seed=seed, method=method, env=env)

    return write


def row_of(comparisons, claim, against):
    (row,) = comparisons[(comparisons.claim == claim) & (comparisons.against == against)].to_dict("records")
    return row


def test_a_comparison_by_hand(seeds):
    seeds("rsnn-ec", 30, 20, 50)
    seeds("rsnn-es", 10, 20, 15)
    row = row_of(check_claims(load("runs")), "C2", "ES-RSNN")
    assert row["probability"] == pytest.approx(8.5 / 9)
    assert 0.5 < row["low"] < row["probability"] < row["high"] == 1
    # 2 U of {10, 15, 20, 20, 30, 50}: 17 of 18 or more in 2 of 20 assignments (the two 20 may be exchanged). In two
    # environments 34 of 36 need 17 in both: 2 of 20, squared, and both tails.
    assert row["p_value"] == pytest.approx(2 * (2 / 20) ** 2)
    assert row["outcome"] == "confirmed"
    assert row["mean of Hopper-v5"] == pytest.approx(100 / 3)
    assert row["against's mean of Walker2d-v5"] == 15


def test_three_against_three_in_one_environment_decide_nothing(seeds):
    seeds("rsnn-ec", 30, 20, 50, envs=BOTH[:1])
    seeds("rsnn-es", 1, 2, 3, envs=BOTH[:1])
    row = row_of(check_claims(load("runs")), "C2", "ES-RSNN")
    assert (row["probability"], row["p_value"]) == (1, pytest.approx(0.1))
    assert row["outcome"] == "undecided"


def test_the_contrary_is_told_from_what_nobody_knows(seeds):
    seeds("rsnn-ec", 1, 2, 3)
    seeds("lstm-ppo", 4, 5, 6)
    seeds("gru-ppo", 1, 2, 3)
    comparisons = check_claims(load("runs"))
    assert row_of(comparisons, "C10", "PPO-LSTM")["outcome"] == "contradicted"
    assert row_of(comparisons, "C10", "PPO-GRU")["outcome"] == "undecided"
    assert verdict(comparisons.outcome[comparisons.claim == "C10"]) == "contradicted"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["confirmed", "confirmed"], "confirmed"),
        (["confirmed", "undecided"], "undecided"),
        (["confirmed", "contradicted"], "contradicted"),
        (["confirmed", "not run"], "not run"),
        (["undecided", "not run"], "not run"),
        (["contradicted", "not run"], "contradicted"),
        (["not run"], "not run"),
    ],
)
def test_a_claim_needs_all_of_its_comparisons(outcomes, expected):
    assert verdict(pd.Series(outcomes)) == expected


def test_variants_are_compared_each_by_itself(seeds):
    seeds("rsnn-ec", 5, 6, 7)
    for beta in (2.0, 10.0):
        seeds("rsnn-ppo", 1, 2, 9, words=(f"agent.surrogate.beta={beta}",))
    comparisons = check_claims(load("runs"))
    assert sorted(comparisons.against[comparisons.claim == "C3"]) == [
        "SG-RSNN (beta=10)",
        "SG-RSNN (beta=2)",
    ]


def test_variants_that_only_a_hash_tells_apart_are_compared_too(seeds):
    seeds("rsnn-ec", 5, 6, 7)
    seeds("rsnn-es", 1, 2, 3)
    frame = load("runs")
    other = frame[frame.method == "ES-RSNN"].assign(run=lambda rows: rows.run + "-other", settings="0000aaaa")
    comparisons = check_claims(pd.concat([frame, other], ignore_index=True))
    outcomes = comparisons[comparisons.claim == "C2"].set_index("against").outcome
    assert outcomes.pop("ES-RSNN #0000") == "confirmed"
    # The environment is among the settings: the other runs have a hash in each, and decide nothing by themselves.
    assert list(outcomes) == ["undecided", "undecided"]


def test_what_was_not_run_is_said(seeds):
    seeds("rsnn-ec", 5, 6, 7)
    seeds("rsnn-es", 1, 2, 3, envs=BOTH[:1])
    comparisons = check_claims(load("runs"))
    row = row_of(comparisons, "C3", "SG-RSNN")
    assert row["outcome"] == "not run"
    assert math.isnan(row["probability"])
    assert math.isnan(row_of(comparisons, "C2", "ES-RSNN")["against's mean of Walker2d-v5"])


def test_runs_that_no_claim_is_about_are_refused(seeds):
    seeds("rsnn-cem", 1, 2)
    with pytest.raises(UserError, match="no claim is about these methods alone: CEM-RSNN"):
        check_claims(load("runs"))


@pytest.mark.parametrize("arguments", [{"score": "last5"}, {"at_steps": 10**9}])
def test_runs_without_scores_are_not_called_runs_that_no_claim_is_about(seeds, arguments):
    seeds("rsnn-ec", 1, 2)
    seeds("rsnn-es", 1, 2)
    with pytest.raises(UserError, match=r"no environment has scores of both methods of a claim, which are the .* at"):
        check_claims(load("runs"), **arguments)


def test_a_method_with_other_settings_in_each_environment_is_two(seeds):
    for env, popsize in zip(BOTH, (8, 32), strict=True):
        seeds("rsnn-ec", 3, 4, envs=[env], words=[f"searcher.popsize={popsize}"])
    seeds("rsnn-ec", 5, 6, envs=BOTH[:1], words=["searcher.popsize=32"])
    seeds("rsnn-es", 1, 2)
    comparisons = check_claims(load("runs"))
    of_c2 = comparisons[comparisons.claim == "C2"].set_index("method")
    assert sorted(of_c2.index) == ["EC-RSNN (popsize=32)", "EC-RSNN (popsize=8)"]
    assert of_c2["mean of Walker2d-v5"].isna().tolist() == [name.endswith("=8)") for name in of_c2.index]


def test_not_worse_is_claimed_within_a_margin_of_the_better_mean(seeds):
    seeds("rsnn-ec", 95, 96, 97)
    seeds("gru-es", 100, 101, 99)
    row = row_of(check_claims(load("runs")), "C1", "ES-GRU")  # margin 10: every run of EC + 10 is above every run of ES
    assert (row["kind"], row["margin of Hopper-v5"]) == ("non-inferiority", 10)
    assert (row["p_value"], row["outcome"]) == (pytest.approx(2 / 20**2), "confirmed")
    assert row["probability"] == 0
    smaller = row_of(check_claims(load("runs"), margin=0.04), "C1", "ES-GRU")  # margin 4: 99, 100, 101 on both sides
    assert (smaller["p_value"], smaller["outcome"]) == (1, "undecided")
    none = row_of(check_claims(load("runs"), margin=0.0), "C1", "ES-GRU")
    assert (none["p_value"], none["outcome"]) == (pytest.approx(2 / 20**2), "contradicted")


def test_on_par_is_contradicted_on_either_side(seeds):
    seeds("rsnn-ec", 95, 96, 97)
    seeds("gru-ppo", 100, 101, 99)
    seeds("lstm-ppo", 10, 11, 12)
    comparisons = check_claims(load("runs"))
    gru, lstm = row_of(comparisons, "C10", "PPO-GRU"), row_of(comparisons, "C10", "PPO-LSTM")
    assert (gru["kind"], gru["p_value"], gru["outcome"]) == ("equivalence", pytest.approx(0.005), "confirmed")
    assert (lstm["p_value"], lstm["outcome"]) == (pytest.approx(0.005), "contradicted")
    assert verdict(comparisons.outcome[comparisons.claim == "C10"]) == "contradicted"


def test_the_margin_is_that_of_environments_with_both_methods(seeds):
    seeds("rsnn-ec", 95, 96, 97, envs=BOTH[1:])
    seeds("gru-es", 100, 101, 99)
    row = row_of(check_claims(load("runs")), "C1", "ES-GRU")
    assert math.isnan(row["margin of Hopper-v5"])
    assert (row["margin of Walker2d-v5"], row["p_value"]) == (10, pytest.approx(0.1))


def test_single_p_values_decide_and_corrected_ones_stand_beside(seeds):
    seeds("rsnn-ec", 30, 20, 50)
    for method in ("rsnn-es", "rsnn_sign-es", "rsnn-ppo"):
        seeds(method, 1, 2, 3)
    comparisons = check_claims(load("runs"))
    made = comparisons[comparisons.outcome != "not run"]  # C2, C3, one of C6 and one of C7
    assert made.p_value.tolist() == pytest.approx([0.005, 0.005, 0.005, 1])
    assert made.p_holm.tolist() == pytest.approx([0.02, 0.02, 0.02, 1])
    assert made.outcome.tolist() == [*["confirmed"] * 3, "undecided"]
    assert comparisons.p_holm.isna().tolist() == (comparisons.outcome == "not run").tolist()


@pytest.mark.parametrize("margin", [-0.1, 1.1, math.nan])
def test_a_margin_is_a_share(seeds, margin):
    seeds("rsnn-ec", 1, 2)
    with pytest.raises(UserError, match=r"margin: expected a number in \[0, 1\]; got"):
        check_claims(load("runs"), margin=margin)


def test_the_command_prints_a_table_and_notes(seeds, capsys):
    seeds("rsnn-ec", 30, 20, 50)
    seeds("rsnn-es", 1, 2, 3)
    words = ["--method", "EC-RSNN", "--method", "ES-RSNN", "--format", "markdown", "--margin", "0.25"]
    assert main(["claims", "runs", *words]) == 0
    shown = capsys.readouterr().out
    assert (
        "| C2 | EC-RSNN > ES-RSNN | confirmed | 33.3 : 2 | 33.3 : 2 | 1 [1, 1] | 0.005 | 0.005 | confirmed |" in shown
    )
    assert "| C1 | EC-RSNN ≥ ES-GRU | not run | 33.3 : – | 33.3 : – | – | – | – | not run |" in shown
    assert "| C10 | EC-RSNN ≈ PPO-GRU | not run |" in shown
    assert "which is 25 % of the better mean" in shown
    assert "corrected for the 1 comparisons of this table" in shown
    for claim in CLAIMS:
        assert f"{claim.name}: {claim.says}" in shown


def test_the_comparison_trains_every_method_of_a_claim():
    configs = [compose_config(words) for words in compose_sweep(["experiment=comparison", "seed=0", "env=hopper"])[1]]
    labels = {method_label(config.agent, config.searcher) for config in configs}
    assert {name for claim in CLAIMS for pair in claim.pairs for name in pair} <= labels
