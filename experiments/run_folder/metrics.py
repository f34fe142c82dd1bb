"""metrics.csv: one row a generation, readable while the run goes on."""

import csv
import hashlib
import io
import os
from collections.abc import Mapping
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


class MetricsWriter:
    """Appends rows to a metrics.csv, a new one or that of a resumed run.

    Columns: `COUNTS` since the start of the run, of which `failed_episodes` had no finite return or unstable physics;
    `VALUES` of the generation, where returns are in the environment's own reward and evals are what the searcher ranks
    (alive bonus removed); last the `CLOCKS`, the only ones that may differ between two runs of one seed. A value that
    the searcher does not have, or that was not measured, is left blank.
    Floats are written in full: reading them back gives the same bits.

    Attributes:
        size: Bytes written.
    """

    def __init__(self, path: Path):
        """Makes the file and writes its header.

        Raises:
            UserError: If it cannot be written, or is there: rows of another run are never appended to.
        """
        self._open(path, "xb")
        self._write(COLUMNS)

    @classmethod
    def resume(cls, path: Path, size: int, sha256: str) -> "MetricsWriter":
        """Goes on with the first bytes of a file; the rest of it is cut off.

        Args:
            path: Of the file.
            size: Bytes to keep, as `size` was.
            sha256: Of these bytes, as `sha256` was.

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
        return writer

    def _open(self, path: Path, mode: str) -> None:
        self._path = path
        with writing(path):
            self._file = open(path, mode, buffering=0)  # noqa: SIM115 (closed by __exit__)
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of the bytes written."""
        return self._digest.hexdigest()

    def sync(self) -> None:
        """Returns when all rows would survive the loss of power."""
        with writing(self._path):
            os.fsync(self._file.fileno())

    def append(self, row: Mapping[str, object]) -> None:
        """Writes the row of one generation at once.

        Args:
            row: Column -> int, float, 0-d array or tensor, or None; a column that is missing is left blank.

        Raises:
            ValueError: If a key of the row is not a column.
            UserError: If it cannot be written.
        """
        unknown = set(row) - set(COLUMNS)
        if unknown:
            raise ValueError(f"row: expected the columns {', '.join(COLUMNS)}; got {', '.join(sorted(unknown))}")
        self._write(["" if row.get(column) is None else _number(column, row[column]) for column in COLUMNS])

    def _write(self, cells: tuple[str, ...] | list[str]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        content = line.getvalue().encode()
        with writing(self._path):
            written = 0
            while written < len(content):
                written += self._file.write(content[written:])
        self._digest.update(content)
        self.size += len(content)

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


def _number(column: str, value: object) -> str:
    return str(int(value)) if column in COUNTS else repr(float(value))
