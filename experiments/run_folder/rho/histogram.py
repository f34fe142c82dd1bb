"""rho_histogram.csv: how the connection probabilities ρ were distributed at each evaluation of the centre."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.errors import UserError

NUM_BINS = 50
EDGES = np.linspace(0.0, 1.0, NUM_BINS + 1)
BINS = tuple(f"{edge:.2f}" for edge in EDGES[:-1])  # columns, named after the lower ends of the bins
COLUMNS = ("generation", "steps", *BINS)


def histogram_row(generation: int, steps: int, rho: np.ndarray) -> pd.DataFrame:
    """Returns the row of one evaluation.

    Args:
        generation: Generations since the start of the run.
        steps: Environment steps since the start of the run.
        rho: (L,) connection probabilities; 1 counts in the last bin.
    """
    counts, _ = np.histogram(rho, EDGES)
    return pd.DataFrame([[generation, steps, *counts]], columns=COLUMNS)


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
