"""metrics.csv: one row for each generation, readable while the run goes on."""

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Mapping
from numbers import Integral
from pathlib import Path

from experiments.errors import UserError
from experiments.run_folder.atomic_write import writing

COUNTS = ("generation", "steps", "episodes", "failed_episodes")
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
OF_WORKERS = ("bytes_sent", "bytes_received", "startup_bytes_sent", "replaced_workers")  # only of runs with workers


class MetricsWriter:
    """Appends rows to a metrics.csv, a new one or that of a resumed run.

    Columns:
        COUNTS: Counted since the start of the run; `failed_episodes` had no finite return, or unstable physics.
        VALUES: Values of the generation. Returns are in the environment's own reward; evals are what the searcher
            ranks, from which the alive bonus has been removed.
        CLOCKS: Wall time, which differs between two runs of one seed.
        Diagnostics: Every other number that the searcher reports, such as the `stdev` of PPO. They are fixed by the
            first row. Those in `OF_WORKERS` also differ between two runs of one seed.

    A value that the searcher does not have, or that was not measured, is left blank. Floats are written in full:
    reading them back gives the same bits.

    Attributes:
        size: Number of bytes written, 0 before the first row.
    """

    def __init__(self, path: Path):
        """Makes the file.

        Args:
            path: Path of the file.

        Raises:
            UserError: If it cannot be written, or is there already: rows of another run are never appended to.
        """
        self._open(path, "xb")
        self._announce()

    @classmethod
    def resume(cls, path: Path, size: int, sha256: str) -> "MetricsWriter":
        """Goes on with the first bytes of a file; the rest of it is cut off.

        Args:
            path: Path of the file.
            size: Number of bytes to keep, as `size` was.
            sha256: SHA-256 of these bytes, as `sha256` was.

        Raises:
            UserError: If the file does not begin with these bytes, and is left as it is; or it cannot be written.
        """
        with writing(path), open(path, "rb") as file:
            kept = file.read(size)
        if len(kept) < size or hashlib.sha256(kept).hexdigest() != sha256:
            raise UserError(f"'{path}': changed since the checkpoint was written, whose rows it should begin with")
        writer = cls.__new__(cls)
        writer._open(path, "r+b")
        with writing(path):
            writer._file.truncate(size)
            writer._file.seek(size)
        writer._digest.update(kept)
        writer.size = size
        if kept:
            writer._columns = tuple(next(csv.reader(kept.decode().splitlines())))
        else:
            writer._announce()
        return writer

    def _open(self, path: Path, mode: str) -> None:
        self._path = path
        with writing(path):
            self._file = open(path, mode, buffering=0)  # noqa: SIM115 (closed by __exit__)
        self._digest = hashlib.sha256()
        self._columns: tuple[str, ...] | None = None
        self.size = 0

    def _announce(self) -> None:
        """Writes the header that a file without rows has; the first row replaces it."""
        with writing(self._path):
            self._file.write(_line(COLUMNS))
            self._file.seek(0)

    @property
    def diagnostics(self) -> tuple[str, ...] | None:
        """Columns besides `COLUMNS`; None before the first row, which fixes them."""
        return None if self._columns is None else tuple(name for name in self._columns if name not in COLUMNS)

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes written, in hex."""
        return self._digest.hexdigest()

    def sync(self) -> None:
        """Returns when all rows would survive the loss of power."""
        with writing(self._path):
            os.fsync(self._file.fileno())

    def append(self, row: Mapping[str, object]) -> None:
        """Writes the row of one generation at once.

        Args:
            row: Column -> int, float, 0-d array or tensor, or None; a column that is missing is left blank. What is not
                in `COLUMNS` is a diagnostic.

        Raises:
            ValueError: If the row has a diagnostic that the first row did not have.
            UserError: If it cannot be written.
        """
        header = b""
        if self._columns is None:
            self._columns = COLUMNS + tuple(name for name in row if name not in COLUMNS)
            header = _line(self._columns)
        unknown = set(row) - set(self._columns)
        if unknown:
            raise ValueError(f"row: expected the columns {', '.join(self._columns)}; got {', '.join(sorted(unknown))}")
        cells = ("" if row.get(name) is None else _number(name, row[name]) for name in self._columns)
        self._write(header + _line(cells))

    def _write(self, content: bytes) -> None:
        with writing(self._path):
            written = 0
            while written < len(content):
                written += self._file.write(content[written:])
        self._digest.update(content)
        self.size += len(content)

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes the file."""
        self._file.close()


def _line(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def _number(column: str, value: object) -> str:
    is_whole = column in COUNTS or (column not in COLUMNS and isinstance(value, Integral))
    return str(int(value)) if is_whole else repr(float(value))
