"""metrics.csv: one row a generation, readable while the run goes on."""

import csv
from collections.abc import Mapping
from pathlib import Path

COUNTS = ("generation", "steps", "episodes")
VALUES = (
    "mean_return",
    "median_return",
    "max_return",
    "mean_eval",
    "median_eval",
    "pop_best_eval",
    "best_eval",
    "mean_episode_length",
    "center_return_mean",
    "center_return_std",
    "density",
    "entropy",
    "policy_loss",
    "value_loss",
    "policy_entropy",
    "approx_kl",
    "clip_fraction",
    "gradient_norm",
    "explained_variance",
)
CLOCKS = ("elapsed_seconds", "steps_per_second")
COLUMNS = COUNTS + VALUES + CLOCKS


class MetricsWriter:
    """Appends rows to a new metrics.csv.

    Columns: `COUNTS` since the start of the run; `VALUES` of the generation, where returns are in the environment's own
    reward and evals are what the searcher ranks (alive bonus removed); last the `CLOCKS`, the only ones that may differ
    between two runs of one seed. A value that the searcher does not have, or that was not measured, is left blank.
    Floats are written in full: reading them back gives the same bits.
    """

    def __init__(self, path: Path):
        """Makes the file and writes its header.

        Raises:
            FileExistsError: If the file is there: rows of another run are never appended to.
        """
        self._file = open(path, "x", newline="", encoding="utf-8")  # noqa: SIM115 (closed by __exit__)
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._write(COLUMNS)

    def append(self, row: Mapping[str, object]) -> None:
        """Writes the row of one generation and flushes it.

        Args:
            row: Column -> int, float, 0-d array or tensor, or None; a column that is missing is left blank.

        Raises:
            ValueError: If a key of the row is not a column.
        """
        unknown = set(row) - set(COLUMNS)
        if unknown:
            raise ValueError(f"row: expected the columns {', '.join(COLUMNS)}; got {', '.join(sorted(unknown))}")
        self._write(["" if row.get(column) is None else _number(column, row[column]) for column in COLUMNS])

    def _write(self, cells: tuple[str, ...] | list[str]) -> None:
        self._writer.writerow(cells)
        self._file.flush()

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


def _number(column: str, value: object) -> str:
    return str(int(value)) if column in COUNTS else repr(float(value))
