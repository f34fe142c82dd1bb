"""Returns against damage as a table of texts."""

import math

import pandas as pd

from experiments.analysis.text_table import TextTable, with_interval
from experiments.evaluation.robustness import NONE

IN_WORDS = {
    NONE: "no damage",
    "flip": "flipped connections",
    "silence": "silent neurons",
    "noise": "noise on observations",
}


def robustness_table(environment: str, summary: pd.DataFrame, num_connections: int, num_neurons: int) -> TextTable:
    """Returns a row for each damage.

    Args:
        environment: Gymnasium's id, for the title.
        summary: A table of `robustness_summary`.
        num_connections: How many connections there can be.
        num_neurons: How many neurons there are; 0 if none is silent.
    """
    counts = {"flip": num_connections, "silence": num_neurons}
    rows = []
    for row in summary.itertuples(index=False):
        many = f"{row.damaged:,} of {counts[row.fault]:,}" if row.fault in counts else ""
        level = {NONE: "", "noise": f"{row.level:g} stdev"}.get(row.fault, f"{100 * row.level:g} %")
        draws = "" if row.fault == NONE else str(row.draws)
        mean = with_interval(row.mean, row.low, row.high)
        share = "" if math.isnan(row.share) else f"{100 * row.share:.0f} %"
        rows.append([IN_WORDS[row.fault], level, many, mean, share, draws])
    episodes = summary.episodes.iloc[0]
    notes = [f"Mean return and its 95 % interval over draws of the damage and the {episodes} episodes that each plays."]
    if summary.failed.any():
        notes.append(f"Episodes without a finite return, which are left out: {summary.failed.sum():,}.")
    header = ["damage", "level", "damaged", "return", "of undamaged", "draws"]
    return TextTable(header, rows, 1, notes, title=f"{environment}: return against damage")
