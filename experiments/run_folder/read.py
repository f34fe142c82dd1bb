"""Reads the folder of a run, finished or not, and refuses what it cannot be sure of."""

import csv
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.errors import ResultsWarning, UserError
from experiments.run_folder.layout import CONFIG, METRICS, STATUS
from experiments.run_folder.metrics import CLOCKS, COLUMNS, COUNTS
from experiments.run_folder.status import read_status

ALWAYS_COUNTED = tuple(column for column in COUNTS if column != "failed_episodes")  # which earlier versions did not
METRIC_DTYPES = {column: "int64" if column in ALWAYS_COUNTED else "float64" for column in COLUMNS}
METRIC_DTYPES["failed_episodes"] = "Int64"
ALWAYS_THERE = (*ALWAYS_COUNTED, "mean_return", "center_return_mean", "center_return_std", *CLOCKS)
NEEDED = {  # keys of config.yaml without which a run is not ours
    "env.id": str,
    "agent.name": str,
    "searcher.name": str,
    "seed": int,
    "budget": int,
    "versions": dict,  # the last one: a file that was cut off lacks it
}


@dataclass(frozen=True)
class SavedRun:
    """The contents of a run folder.

    Attributes:
        folder: Folder of the run.
        config: Content of config.yaml, resolved, as plain containers.
        metrics: A row for each whole generation, with the columns and dtypes of `METRIC_DTYPES`, then the diagnostics
            of the searcher as float64.
        state: State in status.json; None where there is no such file.
    """

    folder: Path
    config: dict
    metrics: pd.DataFrame
    state: str | None


def is_run_folder(folder: Path) -> bool:
    """Returns whether a folder holds a run, perhaps a damaged one."""
    return (folder / CONFIG).is_file() and (folder / METRICS).is_file()


def read_run(folder: Path) -> SavedRun:
    """Reads a run folder.

    Raises:
        UserError: If one of its files is not ours or is damaged, naming it.

    Warns:
        ResultsWarning: If the last row of metrics.csv is half written; it is left out.
    """
    state = read_status(folder)["state"] if (folder / STATUS).exists() else None
    return SavedRun(folder, read_config(folder / CONFIG), read_metrics(folder / METRICS), state)


def read_config(path: Path) -> dict:
    """Reads the config.yaml of a run and checks that it is one.

    Raises:
        UserError: If it is not.
    """
    from omegaconf import OmegaConf  # which playing a policy does without

    try:
        config = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")))
    except Exception as error:  # of YAML or OmegaConf, which have no common base
        raise UserError(f"'{path}': expected the configuration of a run: {error}") from error
    for key, kind in NEEDED.items():
        value = select(config, key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UserError(f"'{path}': expected the key '{key}' with {_AS_WORDS[kind]}; got {value!r}")
        if kind is int and not 0 <= value <= np.iinfo(np.int64).max:
            raise UserError(f"'{path}': {key}: expected a number of at most 63 bits; got {value}")
    popsize = select(config, "searcher.popsize")
    if popsize is not None and not (type(popsize) is int and 0 < popsize <= np.iinfo(np.int64).max):
        raise UserError(f"'{path}': searcher.popsize: expected a positive whole number; got {popsize!r}")
    return config


def read_metrics(path: Path) -> pd.DataFrame:
    """Reads a metrics.csv, which another process may be writing; floats to the bit.

    A last row without its line end or with too few cells is half written: it is left out with a warning. A column that
    an earlier version of this software did not write is filled with NaN. Columns besides `COLUMNS` are diagnostics of
    the searcher; they come last.

    Raises:
        UserError: If a column that every run has is missing, another row is damaged, or counters do not rise.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}': expected a CSV file: {error}") from error
    whole, _, rest = text.rpartition("\n")
    if not whole:
        raise UserError(f"'{path}': expected a header; the file is empty")
    header, *lines = whole.split("\n")
    columns = next(csv.reader([header]), [])
    _check_columns(path, columns)
    half_written = bool(rest)
    if lines and not half_written and lines[-1].count(",") < len(columns) - 1:
        lines.pop()
        half_written = True
    if half_written:
        warnings.warn(f"'{path}': the last row is half written and left out", ResultsWarning, stacklevel=2)
    diagnostics = [column for column in columns if column not in METRIC_DTYPES]
    dtypes = METRIC_DTYPES | dict.fromkeys(diagnostics, "float64")
    metrics = parse_cells(path, "\n".join([header, *lines]), dtypes)
    check_counters(f"'{path}'", metrics)
    return metrics.reindex(columns=[*COLUMNS, *diagnostics]).astype(dtypes)


def check_counters(where: str, metrics: pd.DataFrame) -> None:
    """Checks that the rows of a run are in their order, each once.

    Raises:
        UserError: If they are not, naming `where` and the column.
    """
    for column in ALWAYS_COUNTED:
        if not metrics[column].is_monotonic_increasing:
            raise UserError(f"{where}: expected a column '{column}' that never falls")
    repeated = metrics.generation[metrics.generation.duplicated()]
    if len(repeated):
        raise UserError(f"{where}: generation {repeated.iloc[0]} comes twice")


def parse_cells(path: Path, text: str, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Reads CSV text into columns of given dtypes; a float is the nearest to what is written, to the last bit.

    Args:
        path: Named in errors.
        text: With a header.
        dtypes: Column -> "string", "int64", "Int64", "float64" or "bool". Blank cells are missing values where the
            dtype has them.

    Raises:
        UserError: For a row of another length than the header's, a column that is not among `dtypes`, or a cell that is
            not of its column's dtype.
    """
    header, *rows = csv.reader(text.splitlines())
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise UserError(f"'{path}', line {number}: expected {len(header)} cells; got {len(row)}")
    columns = {}
    for name, cells in zip(header, zip(*rows, strict=True) if rows else [()] * len(header), strict=True):
        if name not in dtypes:  # quotes, or another end of line, have joined or parted names
            raise UserError(f"'{path}': the line of column names is damaged: it has {name!r}")
        dtype = dtypes[name]
        try:
            columns[name] = pd.array([_PARSERS[dtype](cell) for cell in cells], dtype=dtype)
        except (ValueError, KeyError, OverflowError) as error:
            raise UserError(f"'{path}': column '{name}': expected cells of {dtype}: {error}") from error
    return pd.DataFrame(columns)


def select(config: Mapping, key: str) -> object:
    """Returns the value of a dotted key, None where there is none."""
    node: object = config
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return None
        node = node[part]
    return node


_PARSERS = {
    "string": lambda cell: cell or pd.NA,
    "int64": int,
    "Int64": lambda cell: int(cell) if cell else pd.NA,
    "float64": lambda cell: float(cell) if cell else np.nan,
    "bool": {"True": True, "False": False}.__getitem__,
}
_AS_WORDS = {str: "a name", int: "a whole number", dict: "keys of its own"}


def _check_columns(path: Path, columns: list[str]) -> None:
    missing = [column for column in ALWAYS_THERE if column not in columns]
    if missing or len(set(columns)) != len(columns):
        unknown = sorted(set(columns) - set(METRIC_DTYPES))
        wrong = f"; it has {', '.join(map(repr, unknown))}" if unknown else ""
        wrong += f"; it lacks {', '.join(missing)}" if missing else ""
        raise UserError(f"'{path}': expected the columns of a metrics.csv, each once{wrong}")
