"""The evaluations that a run has had: the last, the best, and whether they still rise."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from experiments.run_config.settings import EarlyStopSettings

COLUMNS = ("generation", "steps", "center_return_mean", "center_return_std")


class Evaluations:
    """The evaluations of one run, in their order.

    What follows from them depends on nothing but the rows of metrics.csv, so that a run that is resumed ends where an
    unbroken one does.

    Args:
        rule: When training ends before its budget; None for never.
    """

    def __init__(self, rule: EarlyStopSettings | None):
        self._rule = rule
        self._rows: list[dict] = []

    def read(self, path: Path) -> None:
        """Takes the evaluations that are in a metrics.csv instead of those known so far."""
        self._rows = []
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["center_return_mean"]:
                    self.add({name: float(row[name]) for name in COLUMNS})

    def add(self, row: Mapping[str, object]) -> None:
        """Adds an evaluation; one of the same generation takes the place of the one before.

        Args:
            row: Columns of metrics.csv, with those of an evaluation.
        """
        generation, steps, mean, std = (row[name] for name in COLUMNS)
        if self._rows and self._rows[-1]["generation"] == generation:
            self._rows.pop()
        self._rows.append(dict(zip(COLUMNS, (int(generation), int(steps), mean, std), strict=True)))

    @property
    def last(self) -> dict | None:
        """The last evaluation as column -> number; None before the first."""
        return self._rows[-1] if self._rows else None

    @property
    def best(self) -> dict | None:
        """The one with the highest mean return, the first of equals; None if there is none with a finite mean."""
        finite = [row for row in self._rows if math.isfinite(row["center_return_mean"])]
        return max(finite, key=lambda row: row["center_return_mean"], default=None)

    def reason_to_stop(self) -> str | None:
        """Returns why training ends here, or None if it does not.

        An evaluation rises if its mean return is more than `min_delta` above the last one that rose. Training ends when
        `patience` evaluations in a row have not risen, and there were at least `min_evals` in all. NaN never rises.
        """
        if self._rule is None:
            return None
        highest, since = None, 0
        for row in self._rows:
            mean = row["center_return_mean"]
            if math.isfinite(mean) and (highest is None or mean > highest["center_return_mean"] + self._rule.min_delta):
                highest, since = row, 0
            else:
                since += 1
        if since < self._rule.patience or len(self._rows) < self._rule.min_evals:
            return None
        count = f"{since} evaluations in a row" if since > 1 else "the last evaluation"
        if highest is None:
            return f"early_stop: no return was finite in {count}"
        above = f" by more than {self._rule.min_delta:g}" if self._rule.min_delta else ""
        where = f"{highest['center_return_mean']:,.1f} after {highest['steps']:,} steps"
        return f"early_stop: no rise above {where}{above} in {count}"
