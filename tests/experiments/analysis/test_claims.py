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
    assert row["outcome"] == "above"
    assert row["mean of Hopper-v5"] == pytest.approx(100 / 3)
    assert row["against's mean of Walker2d-v5"] == 15


def test_three_against_three_in_one_environment_decide_nothing(seeds):
    seeds("rsnn-ec", 30, 20, 50, envs=BOTH[:1])
    seeds("rsnn-es", 1, 2, 3, envs=BOTH[:1])
    row = row_of(check_claims(load("runs")), "C2", "ES-RSNN")
    assert (row["probability"], row["p_value"]) == (1, pytest.approx(0.1))
    assert row["outcome"] == "undecided"


def test_the_contrary_is_told_from_no_difference(seeds):
    seeds("rsnn-ec", 1, 2, 3)
    seeds("lstm-ppo", 4, 5, 6)
    seeds("gru-ppo", 1, 2, 3)
    comparisons = check_claims(load("runs"))
    assert row_of(comparisons, "C10", "PPO-LSTM")["outcome"] == "below"
    assert row_of(comparisons, "C10", "PPO-GRU")["outcome"] == "undecided"
    assert verdict(comparisons.outcome[comparisons.claim == "C10"]) == "contradicted"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["above", "above"], "confirmed"),
        (["above", "undecided"], "undecided"),
        (["above", "below"], "contradicted"),
        (["above", "not run"], "not tested"),
        (["not run"], "not tested"),
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
    assert outcomes.pop("ES-RSNN #0000") == "above"
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


def test_the_command_prints_a_table_and_notes(seeds, capsys):
    seeds("rsnn-ec", 30, 20, 50)
    seeds("rsnn-es", 1, 2, 3)
    assert main(["claims", "runs", "--method", "EC-RSNN", "--method", "ES-RSNN", "--format", "markdown"]) == 0
    shown = capsys.readouterr().out
    assert "| C2 | EC-RSNN > ES-RSNN | confirmed | 33.3 : 2 | 33.3 : 2 | 1 [1, 1] | 0.005 | above |" in shown
    assert "| C1 | EC-RSNN > ES-GRU | not tested | 33.3 : – | 33.3 : – | – | – | not run |" in shown
    for claim in CLAIMS:
        assert f"{claim.name}: {claim.says}" in shown


def test_the_comparison_trains_every_method_of_a_claim():
    configs = [compose_config(words) for words in compose_sweep(["experiment=comparison", "seed=0", "env=hopper"])[1]]
    labels = {method_label(config.agent, config.searcher) for config in configs}
    assert {name for claim in CLAIMS for pair in claim.pairs for name in pair} <= labels
