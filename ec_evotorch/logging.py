"""A logger of EvoTorch's kind that writes event files for TensorBoard."""

from numbers import Real
from pathlib import Path

from evotorch.logging import ScalarLogger


class TensorBoardLogger(ScalarLogger):
    """Writes every number of the status as a scalar of its name.

    The file is made at the first log. A logger that goes on in the folder of an earlier one, from some step, hides what
    that one had logged from there on.

    Args:
        searcher: Whose status is logged: a searcher, or anything with EvoTorch's `log_hook`.
        folder: For the event files: `tensorboard --logdir FOLDER` shows them.
        step: The number of the status that is the horizontal axis, such as "total_interaction_count".
        interval, after_first_step: When to log, see EvoTorch's `Logger`.

    Raises:
        ImportError: If the package `tensorboard` is not installed.
    """

    def __init__(
        self, searcher, folder: str | Path, *, step: str = "iter", interval: int = 1, after_first_step: bool = False
    ):
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
        """Writes what is left to write."""
        if self._writer is not None:
            self._writer.close()
