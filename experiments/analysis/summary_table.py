"""The `summary` of methods as a table of texts."""

import pandas as pd

from experiments.analysis.summary import SCORE_IN_WORDS
from experiments.analysis.text_table import MISSING, TextTable, short_number, with_interval


def text_table(table: pd.DataFrame, score: str, threshold: float | None, against: str | None) -> TextTable:
    """Returns a `summary` as texts.

    Args:
        table: A table of `summary`.
        score: The score that it was called with.
        threshold: The threshold that it was called with; None for none.
        against: The method that it was called with; None for none.
    """
    columns: dict[str, list[str]] = {"environment": list(table.environment), "method": list(table.method)}
    if table.environment.nunique() == 1:
        del columns["environment"]  # it is in the first note
    num_left = len(columns)
    columns["n"] = [str(n) for n in table.n]
    columns["mean ± std"] = [_mean_and_std(row) for row in table.itertuples()]
    columns["median"] = list(map(short_number, table["median"]))
    columns["IQM [95 %]"] = [with_interval(*row) for row in table[["iqm", "iqm_low", "iqm_high"]].to_numpy()]
    columns["area"] = list(map(short_number, table.area))
    notes = [
        f"{_where(table)}. Numbers are of the {SCORE_IN_WORDS[score]}, own reward; mean and sample std over n seeds.",
        "[95 %]: bootstrap interval over seeds. IQM: interquartile mean; of fewer than 4 seeds it is the mean. area:"
        " mean height of the learning curve.",
    ]
    if threshold is not None:
        name = f"steps to {short_number(threshold)}"
        columns[name] = [_reached(row.steps_to_threshold, row.reached, row.n) for row in table.itertuples()]
        columns["seconds"] = list(map(short_number, table.seconds_to_threshold))
        notes.append(f"{name}, seconds: medians over seeds (in brackets: how many got there).")
    if against is not None:
        intervals = table[["improvement", "improvement_low", "improvement_high"]].to_numpy()
        columns[f"P(> {against})"] = [with_interval(*row) for row in intervals]
    marks = {note: f"({number})" for number, note in enumerate(filter(None, table.note.drop_duplicates()), start=1)}
    if marks:
        columns["note"] = [marks.get(note, "") for note in table.note]
        notes += [f"{mark} {note}" for note, mark in marks.items()]
    return TextTable(list(columns), [list(row) for row in zip(*columns.values(), strict=True)], num_left, notes)


def _mean_and_std(row) -> str:
    return short_number(row.mean) if pd.isna(row.std) else f"{short_number(row.mean)} ± {short_number(row.std)}"


def _reached(steps: float, reached: int, n: int) -> str:
    return f"{short_number(steps)} ({reached}/{n})" if n else MISSING


def _where(table: pd.DataFrame) -> str:
    steps = table.drop_duplicates("environment").set_index("environment").at_steps
    return "; ".join(f"{environment} at {value:,} environment steps" for environment, value in steps.items())
