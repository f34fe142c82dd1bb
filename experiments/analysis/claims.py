"""`ec-evotorch claims`: what runs say of the paper's claims about returns.

Its claims about time and energy are not read off returns: see `ec-evotorch bench` and `ec-evotorch energy`.
Source: Wang et al. (2023), https://arxiv.org/abs/2305.17650; figures are named by claim.
"""

import math
from typing import NamedTuple

import pandas as pd

from experiments.analysis.statistics import improvement_p_value
from experiments.analysis.summary import SCORE_IN_WORDS, improvement_of, run_scores, score_pairs
from experiments.analysis.text_table import TextTable, short_number, with_interval
from experiments.errors import UserError

ABOVE, BELOW, UNDECIDED, NOT_RUN = "above", "below", "undecided", "not run"
CONFIRMED, CONTRADICTED, UNTESTED = "confirmed", "contradicted", "not tested"
LEVEL = 0.05  # of a p-value


class Claim(NamedTuple):
    """A claim that the first method of every pair is above the second.

    Attributes:
        name: As C2.
        says: In words.
        pairs: Names of methods without variants.
    """

    name: str
    says: str
    pairs: tuple[tuple[str, str], ...]


CLAIMS = (
    Claim(
        "C1",
        "EC on spiking neurons is at least as good as ES on gated networks (Fig. 3)",
        (("EC-RSNN", "ES-GRU"), ("EC-RSNN", "ES-LSTM")),
    ),
    Claim("C2", "EC is better than ES on spiking neurons (Fig. 3)", (("EC-RSNN", "ES-RSNN"),)),
    Claim("C3", "EC is better than surrogate gradients, whichever they are (Fig. 3, 4)", (("EC-RSNN", "SG-RSNN"),)),
    Claim(
        "C6",
        "with one-bit connections EC is better than ES and surrogate gradients (Fig. 7a)",
        (("EC-RSNN", "1-bit ES-RSNN"), ("EC-RSNN", "1-bit SG-RSNN")),
    ),
    Claim(
        "C7",
        "ES and surrogate gradients are better with real weights than with one bit (Fig. 7b)",
        (("ES-RSNN", "1-bit ES-RSNN"), ("SG-RSNN", "1-bit SG-RSNN")),
    ),
    Claim("C8", "EC trains a vanilla RNN as well as ES does, or better (Fig. 6)", (("EC-RNN", "ES-RNN"),)),
    Claim(
        "C10",
        "EC is on par with PPO on gated networks (Fig. S3)",
        (("EC-RSNN", "PPO-GRU"), ("EC-RSNN", "PPO-LSTM")),
    ),
)


def check_claims(frame: pd.DataFrame, *, at_steps: int | None = None, score: str = "final") -> pd.DataFrame:
    """Compares the methods of every claim: a row for each pair.

    Args:
        frame, at_steps, score: As for `summary`.

    Returns:
        Columns claim, says, method and against (labels, with their variants), a column "mean of <environment>" and one
        "against's mean of <environment>" for each environment, `probability` with `low` and `high` (P(method > against)
        averaged over the environments that have both, and its 95 % bootstrap interval, stratified by environment),
        `p_value` (two-sided, of `improvement_p_value`), and `outcome`: "above" or "below" if p is at most 0.05,
        "undecided" if it is more, "not run" where no environment has both.

        The p-value decides, and not the interval: with few seeds the interval is too narrow, and of two runs that are
        both above two others it says [1, 1]. It is not corrected for the number of claims.

    Raises:
        UserError: As `run_scores`, or if no claim has runs of both its methods, or none with scores.

    Warns:
        ResultsWarning: As `run_scores`.
    """
    scores = run_scores(frame, at_steps=at_steps, score=score)
    rows = []
    for claim in CLAIMS:
        for method, against in claim.pairs:
            for label in _variants(scores, method):
                for other in _variants(scores, against):
                    rows.append({"claim": claim.name, "says": claim.says} | _compare(scores, label, other))
    comparisons = pd.DataFrame(rows)
    if (comparisons.outcome == NOT_RUN).all():
        if comparisons[["method", "against"]].isin(set(scores.method)).all(axis="columns").any():
            raise UserError(
                f"no environment has scores of both methods of a claim, which are the {SCORE_IN_WORDS[score]} at "
                f"{' or '.join(f'{steps:,}' for steps in sorted(scores.at_steps.unique()))} environment steps"
            )
        raise UserError(f"no claim is about these methods alone: {', '.join(scores.method.unique())}")
    return comparisons


def verdict(outcomes: pd.Series) -> str:
    """Returns what the outcomes of a claim's pairs say of it: it holds where all are "above"."""
    if (outcomes == NOT_RUN).any():
        return UNTESTED
    if (outcomes == ABOVE).all():
        return CONFIRMED
    return CONTRADICTED if (outcomes == BELOW).any() else UNDECIDED


def claims_table(comparisons: pd.DataFrame, score: str) -> TextTable:
    """Returns the comparisons of `check_claims` as texts."""
    header = ["claim", "comparison"]
    environments = [name.removeprefix("mean of ") for name in comparisons.columns if name.startswith("mean of ")]
    verdicts = comparisons.groupby("claim").outcome.agg(verdict)
    rows = []
    for row in comparisons.to_dict("records"):
        means = [(row[f"mean of {name}"], row[f"against's mean of {name}"]) for name in environments]
        rows.append(
            [
                row["claim"],
                f"{row['method']} > {row['against']}",
                verdicts[row["claim"]],
                *(f"{short_number(mean)} : {short_number(other)}" for mean, other in means),
                with_interval(row["probability"], row["low"], row["high"]),
                short_number(row["p_value"]),
                row["outcome"],
            ]
        )
    header += ["verdict", *environments, "P(>) [95 %]", "p", "outcome"]
    notes = [
        f"means over seeds of the {SCORE_IN_WORDS[score]}, own reward; P: averaged over environments",
        "[95 %]: bootstrap interval over seeds; p: exact test by exchanging runs, two-sided; above, below: p ≤ 0.05",
        *(f"{claim.name}: {claim.says}" for claim in CLAIMS),
    ]
    return TextTable(header, rows, 3, notes)


def _variants(scores: pd.DataFrame, method: str) -> list[str]:
    """Returns the labels of a method in all its variants, or its name alone where it was not run."""
    marks = (f"{method} (", f"{method} #")  # as `label_methods` sets variants off
    labels = [label for label in scores.method.unique() if label == method or label.startswith(marks)]
    return sorted(labels) or [method]


def _compare(scores: pd.DataFrame, method: str, against: str) -> dict:
    row: dict = {"method": method, "against": against}
    means = scores.groupby(["environment", "method"]).score.mean()
    for environment in sorted(scores.environment.unique()):
        row[f"mean of {environment}"] = means.get((environment, method), math.nan)
        row[f"against's mean of {environment}"] = means.get((environment, against), math.nan)
    estimate, pairs = improvement_of(scores, method, against), score_pairs(scores, method, against)
    row |= {"probability": estimate.value, "low": estimate.low, "high": estimate.high}
    row["p_value"] = improvement_p_value(*pairs) if pairs else math.nan
    return row | {"outcome": _outcome(estimate.value, row["p_value"])}


def _outcome(probability: float, p_value: float) -> str:
    if math.isnan(probability):
        return NOT_RUN
    if p_value > LEVEL:
        return UNDECIDED
    return ABOVE if probability > 0.5 else BELOW
