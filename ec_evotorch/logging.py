"""EvoTorch's loggers and log messages: a logger that writes event files for TensorBoard, and a way to less output."""

import logging
from numbers import Real
from pathlib import Path

from evotorch.logging import ScalarLogger


def quiet_evotorch() -> None:
    """Keeps EvoTorch from printing a line for every problem, searcher and optimizer that is made.

    Warnings and errors are still printed.
    """
    logging.getLogger("evotorch").setLevel(logging.WARNING)


class TensorBoardLogger(ScalarLogger):
    """Writes every number of the status as a scalar of the same name.

    The event file is made at the first log. A logger that continues from some step in the folder of an earlier one
    hides what the earlier one had logged from that step on.
    """

    def __init__(
        self, searcher, folder: str | Path, *, step: str = "iter", interval: int = 1, after_first_step: bool = False
    ):
        """Makes the logger and hooks it to the searcher.

        Args:
            searcher: Searcher whose status is logged, or anything else with EvoTorch's `log_hook`.
            folder: Folder for the event files; `tensorboard --logdir FOLDER` shows them.
            step: Entry of the status that is the horizontal axis, such as "total_interaction_count".
            interval: Steps from one log to the next.
            after_first_step: Whether to log the first step too, see EvoTorch's `Logger`.

        Raises:
            ImportError: If the package `tensorboard` is not installed.
        """
        from torch.utils.tensorboard import SummaryWriter  # imports tensorboard, which is optional

        super().__init__(searcher, interval=interval, after_first_step=after_first_step)
        self._make_writer = lambda first_step: SummaryWriter(folder, purge_step=first_step, flush_secs=5)
        self._writer, self._step = None, step

    def _log(self, status: dict) -> None:
        step = int(status[self._step])
        if self._writer is None:
            self._writer = self._make_writer(step)
        for name, value in status.items():
            if isinstance(value, Real) and not isinstance(value, bool):
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Writes what has not been written yet."""
        if self._writer is not None:
            self._writer.close()
