"""The paper's claims about returns, and what runs say about each of them.

A claim is of one of three kinds (`Kind`): one method is better than another, is not worse, or is as good. The last two
need a margin, the largest difference that does not matter: a share of the better method's mean, in each environment.

The paper's claims about time and energy cannot be read off returns: see `ec-evotorch bench` and `ec-evotorch energy`.

Source: Wang et al. (2023), https://arxiv.org/abs/2305.17650. Each claim names the figure that it is taken from.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.analysis.exact_tests import LEVEL, Kind, compare, holm
from experiments.analysis.summary import SCORE_IN_WORDS, improvement_of, run_scores, score_pairs
from experiments.analysis.text_table import TextTable, short_number, with_interval
from experiments.errors import UserError

CONFIRMED, CONTRADICTED, UNDECIDED, NOT_RUN = "confirmed", "contradicted", "undecided", "not run"
MARGIN = 0.1  # share of the better mean
SIGN = {Kind.SUPERIORITY: ">", Kind.NON_INFERIORITY: "≥", Kind.EQUIVALENCE: "≈"}


class Claim(NamedTuple):
    """A claim about one or more pairs of methods, which holds where it holds for every pair.

    Attributes:
        name: A short name, such as C2.
        says: The claim in words.
        kind: What it claims of the first method of every pair, compared with the second.
        pairs: Names of methods, without their variants.
    """

    name: str
    says: str
    kind: Kind
    pairs: tuple[tuple[str, str], ...]


CLAIMS = (
    Claim(
        "C1",
        "EC on spiking neurons is at least as good as ES on gated networks (Fig. 3)",
        Kind.NON_INFERIORITY,
        (("EC-RSNN", "ES-GRU"), ("EC-RSNN", "ES-LSTM")),
    ),
    Claim("C2", "EC is better than ES on spiking neurons (Fig. 3)", Kind.SUPERIORITY, (("EC-RSNN", "ES-RSNN"),)),
    Claim(
        "C3",
        "EC is better than surrogate gradients, whichever they are (Fig. 3, 4)",
        Kind.SUPERIORITY,
        (("EC-RSNN", "SG-RSNN"),),
    ),
    Claim(
        "C6",
        "with one-bit connections EC is better than ES and surrogate gradients (Fig. 7a)",
        Kind.SUPERIORITY,
        (("EC-RSNN", "1-bit ES-RSNN"), ("EC-RSNN", "1-bit SG-RSNN")),
    ),
    Claim(
        "C7",
        "ES and surrogate gradients are better with real weights than with one bit (Fig. 7b)",
        Kind.SUPERIORITY,
        (("ES-RSNN", "1-bit ES-RSNN"), ("SG-RSNN", "1-bit SG-RSNN")),
    ),
    Claim(
        "C8",
        "EC trains a vanilla RNN at least as well as ES does (Fig. 6)",
        Kind.NON_INFERIORITY,
        (("EC-RNN", "ES-RNN"),),
    ),
    Claim(
        "C10",
        "EC is on par with PPO on gated networks (Fig. S3)",
        Kind.EQUIVALENCE,
        (("EC-RSNN", "PPO-GRU"), ("EC-RSNN", "PPO-LSTM")),
    ),
)


def check_claims(
    frame: pd.DataFrame, *, at_steps: int | None = None, score: str = "final", margin: float = MARGIN
) -> pd.DataFrame:
    """Compares the methods of every claim.

    Args:
        frame: A table of `load`.
        at_steps: Environment steps at which methods are compared, as for `summary`.
        score: Which evaluations of the centre count, as for `summary`.
        margin: The largest difference that does not matter, as a share in [0, 1] of the better of the two means. Claims
            of superiority do not use it.

    Returns:
        A row for each pair of methods of a claim, with the columns

        claim, says, kind    string   see `Claim`
        method, against      string   labels of `label_methods`
        mean of E            float64  for every environment E: the method's mean score, NaN where it has none
        against's mean of E  float64  the same for `against`
        margin of E          float64  in the environment's own reward; 0 for superiority
        probability          float64  P(method > against), averaged over the environments that have both
        low, high            float64  its 95 % bootstrap interval, stratified by environment
        p_value              float64  two-sided; see `experiments.analysis.exact_tests.compare`
        p_holm               float64  corrected for the number of comparisons in this table (`holm`)
        outcome              string   "confirmed" or "contradicted" where p_value is at most 0.05, "undecided" where it
                                      is more, "not run" where no environment has scores of both methods

        The single p-value decides, and not the interval: with few seeds the interval is too narrow, and of two runs
        that are both above two others it says [1, 1].

    Raises:
        UserError: If an argument is out of range, no claim has runs of both its methods, or none has scores of both.

    Warns:
        ResultsWarning: If budgets differ, or a seed was run twice.
    """
    if not 0.0 <= margin <= 1.0:
        raise UserError(f"margin: expected a number in [0, 1]; got {margin!r}")
    scores = run_scores(frame, at_steps=at_steps, score=score)
    rows = []
    for claim in CLAIMS:
        about = {"claim": claim.name, "says": claim.says, "kind": str(claim.kind)}
        for method, against in claim.pairs:
            for label in _variants(scores, method):
                for other in _variants(scores, against):
                    rows.append(about | _compare(scores, claim.kind, label, other, margin))
    comparisons = pd.DataFrame(rows)
    comparisons.insert(comparisons.columns.get_loc("p_value") + 1, "p_holm", holm(comparisons.p_value))
    if (comparisons.outcome == NOT_RUN).all():
        if comparisons[["method", "against"]].isin(set(scores.method)).all(axis="columns").any():
            raise UserError(
                f"no environment has scores of both methods of a claim, which are the {SCORE_IN_WORDS[score]} at "
                f"{' or '.join(f'{steps:,}' for steps in sorted(scores.at_steps.unique()))} environment steps"
            )
        raise UserError(f"no claim is about these methods alone: {', '.join(scores.method.unique())}")
    return comparisons


def verdict(outcomes: pd.Series) -> str:
    """Returns what the outcomes of a claim's comparisons say about the claim as a whole.

    It is contradicted where one comparison is, and confirmed where all are.
    """
    for outcome in (CONTRADICTED, NOT_RUN, UNDECIDED):
        if (outcomes == outcome).any():
            return outcome
    return CONFIRMED


def claims_table(comparisons: pd.DataFrame, score: str, margin: float = MARGIN) -> TextTable:
    """Returns the comparisons of `check_claims` as texts.

    Args:
        comparisons: A table of `check_claims`.
        score: The score that it was called with.
        margin: The margin that it was called with.
    """
    environments = [name.removeprefix("mean of ") for name in comparisons.columns if name.startswith("mean of ")]
    verdicts = comparisons.groupby("claim").outcome.agg(verdict)
    rows = []
    for row in comparisons.to_dict("records"):
        means = [(row[f"mean of {name}"], row[f"against's mean of {name}"]) for name in environments]
        rows.append(
            [
                row["claim"],
                f"{row['method']} {SIGN[Kind(row['kind'])]} {row['against']}",
                verdicts[row["claim"]],
                *(f"{short_number(mean)} : {short_number(other)}" for mean, other in means),
                with_interval(row["probability"], row["low"], row["high"]),
                short_number(row["p_value"]),
                short_number(row["p_holm"]),
                row["outcome"],
            ]
        )
    header = ["claim", "comparison", "verdict", *environments, "P(>) [95 %]", "p", "p (Holm)", "outcome"]
    notes = [
        f"Numbers of an environment: means over seeds of the {SCORE_IN_WORDS[score]}, own reward. P(>): how often a run"
        " of the first method beats a run of the second, averaged over environments, with a 95 % bootstrap interval"
        " over seeds.",
        "Comparison: > claims that the first method is better; ≥, that it is not worse by the margin or more; ≈, that"
        f" the two differ by less than the margin, which is {100 * margin:.3g} % of the better mean in each"
        " environment.",
        "p: exact two-sided test of what is claimed, by exchange of the runs of both methods within each environment;"
        " for ≥ and ≈ the runs of the first are moved by the margin before. Outcome: confirmed or contradicted where p"
        " ≤ 0.05, else undecided, which does not mean equal. Verdict: contradicted where one comparison of the claim"
        " is, confirmed where all are.",
        f"p (Holm): corrected for the {comparisons.p_value.count()} comparisons of this table, to judge all of them"
        " together. Outcomes go by the single p.",
        *(f"{claim.name}: {claim.says}" for claim in CLAIMS),
    ]
    return TextTable(header, rows, 3, notes)


def _variants(scores: pd.DataFrame, method: str) -> list[str]:
    """Returns the labels of a method in all its variants, or its name alone where it was not run."""
    marks = (f"{method} (", f"{method} #")  # as `label_methods` sets variants off
    labels = [label for label in scores.method.unique() if label == method or label.startswith(marks)]
    return sorted(labels) or [method]


def _compare(scores: pd.DataFrame, kind: Kind, method: str, against: str, margin: float) -> dict:
    row: dict = {"method": method, "against": against}
    means = scores.groupby(["environment", "method"]).score.mean()
    margins = []
    for environment in sorted(scores.environment.unique()):
        both = [means.get((environment, name), math.nan) for name in (method, against)]
        row[f"mean of {environment}"], row[f"against's mean of {environment}"] = both
        row[f"margin of {environment}"] = 0.0 if kind is Kind.SUPERIORITY else margin * abs(np.max(both))
        if not np.isnan(both).any():
            margins.append(row[f"margin of {environment}"])
    estimate, pairs = improvement_of(scores, method, against), score_pairs(scores, method, against)
    row |= {"probability": estimate.value, "low": estimate.low, "high": estimate.high}
    if not pairs:
        return row | {"p_value": math.nan, "outcome": NOT_RUN}
    evidence = compare(kind, pairs, margins)
    return row | {"p_value": evidence.p_value, "outcome": _outcome(evidence.p_value, evidence.is_for)}


def _outcome(p_value: float, is_for: bool) -> str:
    if p_value > LEVEL * (1.0 + 1e-9):  # a sum of rounded shares, which may be 0.05 itself
        return UNDECIDED
    return CONFIRMED if is_for else CONTRADICTED
