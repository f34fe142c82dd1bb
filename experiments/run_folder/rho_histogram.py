"""rho_histogram.csv: how the connection probabilities ρ were distributed at each evaluation of the centre."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.errors import UserError
from experiments.run_folder.atomic_write import write_atomic

NUM_BINS = 50
EDGES = np.linspace(0.0, 1.0, NUM_BINS + 1)
BINS = tuple(f"{edge:.2f}" for edge in EDGES[:-1])  # columns, named after the lower ends of the bins
COLUMNS = ("generation", "steps", *BINS)


class RhoHistogram:
    """Writes a row of counts at each evaluation. There are few, so the whole file is written anew every time.

    Args:
        path: Path of the file, which is made with the first row.
    """

    def __init__(self, path: Path):
        self._path = path
        self._rows = pd.DataFrame(columns=COLUMNS, dtype="int64")

    @classmethod
    def resume(cls, path: Path, generation: int) -> "RhoHistogram":
        """Continues with the rows before a generation that is to be evaluated again.

        Args:
            path: Path of the file; a missing file has no rows.
            generation: First generation whose row is dropped.

        Raises:
            UserError: If the file is damaged or not ours.
        """
        histogram = cls(path)
        if path.exists():
            rows = read_rho_histogram(path)
            histogram._rows = rows[rows.generation < generation]
        return histogram

    def append(self, generation: int, steps: int, rho: np.ndarray) -> None:
        """Writes the row of one evaluation.

        Args:
            generation: Generations since the start of the run.
            steps: Environment steps since the start of the run.
            rho: (L,) connection probabilities; 1 counts in the last bin.

        Raises:
            UserError: If the file cannot be written.
        """
        counts, _ = np.histogram(rho, EDGES)
        self._rows = pd.concat([self._rows, pd.DataFrame([[generation, steps, *counts]], columns=COLUMNS)])
        write_atomic(self._path, self._rows.to_csv(index=False, lineterminator="\n").encode())


def read_rho_histogram(path: Path) -> pd.DataFrame:
    """Reads a rho_histogram.csv into a row for each evaluation, with the int64 columns `COLUMNS`.

    Raises:
        UserError: If it is damaged or not ours.
    """
    try:
        rows = pd.read_csv(io.StringIO(path.read_text(encoding="utf-8")), dtype="int64")
    except (OSError, ValueError, OverflowError) as error:  # of pandas' parser, or no UTF-8
        raise UserError(f"'{path}': expected a histogram of ρ: {error}") from error
    if tuple(rows.columns) != COLUMNS or (rows < 0).any(axis=None) or not rows.steps.is_monotonic_increasing:
        raise UserError(f"'{path}': expected the columns of a histogram of ρ with counts, and steps that rise")
    return rows
