"""The learning curve of one run, as a figure of a paper's column width."""

import io
from pathlib import Path

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from experiments.atomic import write_atomic

WIDTH, HEIGHT = 3.5, 2.6  # inches: one column
DOTS_PER_INCH = 300
# Okabe and Ito's palette, told apart by every kind of colour vision: https://jfly.uni-koeln.de/color/
BLUE, VERMILLION = "#0072B2", "#D55E00"


def learning_curve(metrics: pd.DataFrame, title: str) -> Figure:
    """Draws returns against environment steps: means of training episodes, and the centre's ± one standard deviation.

    Args:
        metrics: The rows of a metrics.csv.
        title: Shown above the axes.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    finished = metrics.dropna(subset=["mean_return"])
    axes.plot(finished.steps, finished.mean_return, color=BLUE, linewidth=1, label="training episodes, mean")
    centre = metrics.dropna(subset=["center_return_mean"])
    if len(centre):
        low = centre.center_return_mean - centre.center_return_std
        high = centre.center_return_mean + centre.center_return_std
        axes.fill_between(centre.steps, low, high, color=VERMILLION, alpha=0.2, linewidth=0)
        axes.plot(
            centre.steps,
            centre.center_return_mean,
            color=VERMILLION,
            linewidth=1,
            marker="o",
            markersize=2.5,
            label="centre ± std",
        )
    axes.set_title(title, fontsize=8)
    axes.set_xlabel("environment steps", fontsize=8)
    axes.set_ylabel("return per episode (own reward)", fontsize=8)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7, frameon=False)
    return figure


def save_learning_curve(metrics_path: Path, curve_path: Path, title: str) -> None:
    """Draws the learning curve of a metrics.csv into a PNG file."""
    image = io.BytesIO()
    figure = learning_curve(pd.read_csv(metrics_path), title)
    FigureCanvasAgg(figure).print_figure(image, format="png", dpi=DOTS_PER_INCH)
    write_atomic(curve_path, image.getvalue())
