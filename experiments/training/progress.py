"""Showing the progress of a run: a bar on a terminal, a line now and then elsewhere, or nothing."""

import multiprocessing
import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 10.0


class SilentProgress:
    """Shows nothing. The other displays override its methods."""

    def __enter__(self):
        return self

    def __exit__(self, *exception: object) -> None:
        """Ends the display."""

    def update(self, row: Mapping[str, object]) -> None:
        """Takes the row of a generation, as `MetricsWriter.append` does."""

    def say(self, message: str) -> None:
        """Shows a line of its own."""


class LineProgress(SilentProgress):
    """Writes a plain line at most every ten seconds.

    Args:
        budget: Environment steps of the run.
        stream: Stream to write to.
        clock: Returns the time in seconds.
        name: Name of the run, which begins every line; None if it is the only run.
    """

    def __init__(
        self, budget: int, stream: TextIO, clock: Callable[[], float] = time.monotonic, name: str | None = None
    ):
        self._budget = budget
        self._prefix = "" if name is None else f"{name}: "
        self._stream = stream
        self._clock = clock
        self._last_line = -SECONDS_BETWEEN_LINES
        self._center_return: object = None

    def update(self, row: Mapping[str, object]) -> None:
        """Takes the row of a generation."""
        self._center_return = _latest_center_return(row, self._center_return)
        now = self._clock()
        if now - self._last_line >= SECONDS_BETWEEN_LINES or row["steps"] >= self._budget:
            self._last_line = now
            share = min(row["steps"] / self._budget, 1.0)
            self.say(f"{share:4.0%}  {_steps(row, self._budget)}  {_speed(row)}  {_returns(row, self._center_return)}")

    def say(self, message: str) -> None:
        """Shows a line of its own."""
        print(self._prefix + message, file=self._stream, flush=True)


class BarProgress(SilentProgress):
    """Draws one live bar with steps, time left, speed and returns.

    Args:
        budget: Environment steps of the run.
        console: Terminal to draw on.
    """

    def __init__(self, budget: int, console: Console):
        self._budget = budget
        self._center_return: object = None
        columns = (
            BarColumn(bar_width=None),  # what the rest of the line leaves
            TextColumn("{task.fields[steps]}  {task.fields[speed]}  {task.fields[returns]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
        )
        self._progress = Progress(*columns, console=console, expand=True)
        self._task = self._progress.add_task("train", total=budget, steps="starting", speed="", returns="")

    def __enter__(self) -> "BarProgress":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def update(self, row: Mapping[str, object]) -> None:
        """Takes the row of a generation."""
        self._center_return = _latest_center_return(row, self._center_return)
        self._progress.update(
            self._task,
            completed=min(row["steps"], self._budget),
            steps=_steps(row, self._budget),
            speed=_speed(row),
            returns=_returns(row, self._center_return),
        )

    def say(self, message: str) -> None:
        """Shows a line of its own, above the bar."""
        self._progress.console.print(message, highlight=False, markup=False, soft_wrap=True)


def make_progress(budget: int, enabled: bool, name: str, stream: TextIO | None = None) -> SilentProgress:
    """Returns the display of a run, to be used in a `with` block.

    A run in one of several processes of a sweep writes lines that begin with its name, because several bars would draw
    over one another.

    Args:
        budget: Environment steps of the run.
        enabled: Whether anything is shown.
        name: Name of the run.
        stream: Stream to write to; None for stderr.
    """
    if not enabled:
        return SilentProgress()
    stream = sys.stderr if stream is None else stream
    if multiprocessing.current_process().name != "MainProcess":
        return LineProgress(budget, stream, name=name)
    return BarProgress(budget, Console(file=stream)) if stream.isatty() else LineProgress(budget, stream)


def _latest_center_return(row: Mapping[str, object], before: object) -> object:
    measured = row.get("center_return_mean")
    return before if measured is None else measured


def _steps(row: Mapping[str, object], budget: int) -> str:
    return f"{_in_units(row['steps'])}/{_in_units(budget)} steps"


def _speed(row: Mapping[str, object]) -> str:
    return f"{row['steps_per_second']:,.0f}/s"


def _returns(row: Mapping[str, object], center_return: object) -> str:
    parts = [("mean", row.get("mean_return")), ("centre", center_return)]
    return "  ".join(f"{name} {float(value):,.1f}" for name, value in parts if value is not None)


def _in_units(steps: int) -> str:
    return f"{steps / 1e6:.2f}M" if steps >= 1_000_000 else f"{steps / 1e3:.1f}k"
