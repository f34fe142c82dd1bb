"""rho_blocks.csv: how far each block of connections was decided at each evaluation of the centre."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import entr

from experiments.errors import UserError

DECIDED = 0.4  # a connection is decided where |ρ − ½| is larger
COUNTS, SHARES = ("generation", "steps", "size"), ("mean_rho", "entropy", "decided")
COLUMNS = ("generation", "steps", "block", "size", *SHARES)


def entropy(rho: np.ndarray) -> float:
    """Returns the mean entropy of connections, −ρ log₂ ρ − (1−ρ) log₂ (1−ρ), in bits; NaN of none."""
    p = np.asarray(rho, dtype=np.float64)
    return min(1.0, float((entr(p) + entr(1.0 - p)).mean() / np.log(2.0))) if p.size else np.nan


def summarize(rho: np.ndarray) -> dict[str, float]:
    """Returns how far some connections are decided.

    Args:
        rho: Their probabilities, at least one.

    Returns:
        mean_rho, entropy (see `entropy`), and decided, the share with |ρ − ½| > 0.4.
    """
    p = np.asarray(rho, dtype=np.float64)
    return {"mean_rho": float(p.mean()), "entropy": entropy(p), "decided": float((np.abs(p - 0.5) > DECIDED).mean())}


def block_rows(generation: int, steps: int, rho: np.ndarray, blocks: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Returns the rows of one evaluation, with the columns `COLUMNS`.

    Args:
        generation: Generations since the start of the run.
        steps: Environment steps since the start of the run.
        rho: (L,) connection probabilities.
        blocks: Block -> places in ρ; one without places has no row.
    """
    rows = [
        {"generation": generation, "steps": steps, "block": name, "size": len(places), **summarize(rho[places])}
        for name, places in blocks.items()
        if len(places)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def read_rho_blocks(path: Path) -> pd.DataFrame:
    """Reads a rho_blocks.csv.

    Returns:
        A row for each evaluation and block with the columns generation, steps, block, size (connections that can
        exist), and mean_rho, entropy and decided of `summarize`.

    Raises:
        UserError: If it is damaged or not ours.
    """
    types = {**dict.fromkeys(COUNTS, "int64"), "block": "str", **dict.fromkeys(SHARES, "float64")}
    try:
        text = io.StringIO(path.read_text(encoding="utf-8"))
        rows = pd.read_csv(text, dtype="str", keep_default_na=False).astype(types)  # which parses floats exactly
    except (OSError, KeyError, ValueError, OverflowError) as error:  # of pandas, or no UTF-8
        raise UserError(f"'{path}': expected a table of blocks of ρ: {error}") from error
    is_table = tuple(rows.columns) == COLUMNS and not rows.duplicated(["generation", "block"]).any()
    if is_table:
        shares = rows[list(SHARES)]
        is_table = ((shares >= 0) & (shares <= 1)).all(axis=None) and (rows[list(COUNTS)] >= 0).all(axis=None)
    if not is_table or not rows.steps.is_monotonic_increasing:
        raise UserError(f"'{path}': expected the columns of a table of blocks of ρ with shares, and steps that rise")
    return rows
