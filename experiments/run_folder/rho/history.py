"""Writes the tables of ρ over training: rows of numbers at each evaluation of the centre."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.errors import UserError
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.layout import RHO_BLOCKS, RHO_HISTOGRAM
from experiments.run_folder.rho.blocks import block_rows, read_rho_blocks
from experiments.run_folder.rho.histogram import histogram_row, read_rho_histogram


class RhoTable:
    """A table to which an evaluation adds rows. There are few, so the whole file is written anew every time.

    Args:
        path: Path of the file, which is made with the first rows.
        read: Reads such a file into a table with the column `generation`; raises a UserError if it is damaged.
    """

    def __init__(self, path: Path, read: Callable[[Path], pd.DataFrame]):
        self._path, self._read = path, read
        self._rows: pd.DataFrame | None = None

    def cut(self, generation: int) -> None:
        """Continues with the rows in the file before a generation that is to be evaluated again.

        Args:
            generation: First generation whose rows are dropped. A missing file has no rows.

        Raises:
            UserError: If the file is damaged or not ours.
        """
        if self._path.exists():
            try:
                rows = self._read(self._path)
            except UserError as error:
                raise UserError(f"{error}; without the file, a run goes on and its table begins anew") from error
            self._rows = rows[rows.generation < generation]

    def append(self, rows: pd.DataFrame) -> None:
        """Writes the rows of one evaluation.

        Raises:
            UserError: If the file cannot be written.
        """
        has_some = self._rows is not None and len(self._rows)
        self._rows = pd.concat([self._rows, rows]) if has_some else rows
        write_atomic(self._path, self._rows.to_csv(index=False, lineterminator="\n").encode())


class RhoHistory:
    """The tables of one run.

    Args:
        folder: Folder of the run.
    """

    def __init__(self, folder: Path):
        self._histogram = RhoTable(folder / RHO_HISTOGRAM, read_rho_histogram)
        self._by_block = RhoTable(folder / RHO_BLOCKS, read_rho_blocks)

    def cut(self, generation: int) -> None:
        """Goes back to before a generation that is to be evaluated again, see `RhoTable.cut`."""
        for table in (self._histogram, self._by_block):
            table.cut(generation)

    def append(self, generation: int, steps: int, rho: np.ndarray, blocks: Mapping[str, np.ndarray]) -> None:
        """Writes what one evaluation adds.

        Args:
            generation: Generations since the start of the run.
            steps: Environment steps since the start of the run.
            rho: (L,) connection probabilities.
            blocks: Block -> places in ρ, as of `agents.agent.Agent.solution_blocks`; empty where the solution has none.

        Raises:
            UserError: If a file cannot be written.
        """
        self._histogram.append(histogram_row(generation, steps, rho))
        if blocks:
            self._by_block.append(block_rows(generation, steps, rho, blocks))
