"""The learning curve of one run, as a figure of a paper's column width."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from experiments.figures.style import (
    BLUE,
    LARGE,
    LETTERS_IN_TITLE,
    SMALL,
    VERMILLION,
    WIDTH,
    draw_band,
    draw_point_or_line,
    encode,
    tidy_axes,
    wrap,
)
from experiments.run_folder.atomic_write import write_atomic

HEIGHT = 2.5  # inches


def learning_curve(metrics: pd.DataFrame, title: str) -> Figure:
    """Draws the mean return of training episodes, and that of the centre ± one standard deviation.

    Args:
        metrics: The rows of a metrics.csv.
        title: A line above the axes.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    finished = metrics.dropna(subset=["mean_return"])
    if len(finished):
        label = "training episodes, mean"
        draw_point_or_line(
            axes, finished.steps, finished.mean_return, color=BLUE, linewidth=1, markersize=2.5, label=label
        )
    centre = metrics.dropna(subset=["center_return_mean"])
    if len(centre):
        low = centre.center_return_mean - centre.center_return_std
        high = centre.center_return_mean + centre.center_return_std
        draw_band(axes, centre.steps, low, high, VERMILLION, alpha=0.2)
        draw_point_or_line(
            axes,
            centre.steps,
            centre.center_return_mean,
            color=VERMILLION,
            linewidth=1,
            marker="o",
            markersize=2.5,
            label="centre ± std",
        )
    axes.set_title(wrap(title, LETTERS_IN_TITLE), fontsize=LARGE)
    axes.set_xlabel("environment steps", fontsize=LARGE)
    axes.set_ylabel("return per episode (own reward)", fontsize=LARGE)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    tidy_axes(axes)
    axes.legend(fontsize=SMALL, frameon=False)
    return figure


def save_learning_curve(metrics_path: Path, curve_path: Path, title: str) -> None:
    """Draws the learning curve of a metrics.csv into a PNG file.

    Args:
        metrics_path: The metrics.csv.
        curve_path: The file to write.
        title: A line above the axes.

    Raises:
        UserError: If the file cannot be written.
    """
    write_atomic(curve_path, encode(learning_curve(pd.read_csv(metrics_path), title), "png"))
