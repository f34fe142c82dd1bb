"""Scores of methods as bars, with an interval and a dot for each run."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.analysis.statistics import bootstrap_interval
from experiments.analysis.summary import SCORE_IN_WORDS, run_scores
from experiments.figures.curves import STATISTIC_IN_WORDS, STATISTICS
from experiments.figures.style import LARGE, SMALL, WIDTH, method_styles, tidy_axes, wrap

LETTERS_IN_LABEL = 24
LINE_HEIGHT, BAR_GAP, MARGIN, CAPTION_HEIGHT = 0.13, 0.08, 0.5, 0.4  # inches
BAR_COLOR_ALPHA = 0.55


def bars(frame: pd.DataFrame, statistic: str = "mean", at_steps: int | None = None, score: str = "final") -> Figure:
    """Draws a panel for each environment with a bar for each method, best first.

    Args:
        frame, at_steps, score: As for `summary`.
        statistic: Over the runs of a method: "mean", "iqm" or "median". Its 95 % bootstrap interval is drawn where
            there are two runs or more, and every run as a dot.

    Raises:
        UserError: As `run_scores`.
    """
    scores = run_scores(frame, at_steps=at_steps, score=score)
    styles = method_styles(scores.method.unique())
    panels = [(environment, _bars_of(runs, statistic)) for environment, runs in scores.groupby("environment")]
    heights = [sum(LINE_HEIGHT * label.count("\n") + LINE_HEIGHT + BAR_GAP for label in bar.label) for _, bar in panels]
    figure = Figure(figsize=(WIDTH, sum(heights) + MARGIN * len(panels) + CAPTION_HEIGHT), layout="constrained")
    grid = figure.subplots(len(panels), squeeze=False, height_ratios=heights)[:, 0]
    for axes, (environment, table) in zip(grid, panels, strict=True):
        _draw(axes, table, styles)
        steps = scores.at_steps[scores.environment == environment].iloc[0]
        axes.set_title(f"{environment}, {steps:,} steps", fontsize=LARGE)
    figure.supxlabel(
        f"{SCORE_IN_WORDS[score]}:\n{STATISTIC_IN_WORDS[statistic]} over seeds (how many),\n"
        "95 % bootstrap interval; dots: seeds",
        fontsize=SMALL,
    )
    return figure


def _bars_of(runs: pd.DataFrame, statistic: str) -> pd.DataFrame:
    rows = []
    for method, of_method in runs.groupby("method", sort=False):
        values = of_method.score.dropna().to_numpy()
        value = STATISTICS[statistic](values) if len(values) else np.nan
        low, high = bootstrap_interval([values], STATISTICS[statistic])
        label = wrap(f"{method} ({len(values)})", LETTERS_IN_LABEL)
        row = {"method": method, "label": label, "values": values, "value": value, "low": low, "high": high}
        rows.append(row | {"reached": bool(of_method.is_reached.any())})
    return pd.DataFrame(rows).sort_values("value", ascending=False, kind="stable", ignore_index=True)


def _draw(axes: Axes, table: pd.DataFrame, styles: dict[str, dict]) -> None:
    for place, row in enumerate(table.itertuples()):
        if np.isnan(row.value):
            axes.annotate(
                "too few evaluations" if row.reached else "no run got there",
                (0, place),
                xycoords=axes.get_yaxis_transform(),
                xytext=(3, 0),
                textcoords="offset points",
                fontsize=SMALL,
                style="italic",
                va="center",
            )
            continue
        color = styles[row.method]["color"]
        axes.barh(place, row.value, height=0.7, color=color, alpha=BAR_COLOR_ALPHA, linewidth=0)
        axes.plot([row.low, row.high], [place - 0.12] * 2, "|-", color="black", linewidth=1, markersize=4, zorder=3)
        axes.plot(
            row.values,
            np.full(len(row.values), place + 0.17),
            "o",
            markersize=2.8,
            markerfacecolor=color,
            markeredgecolor="black",
            markeredgewidth=0.4,
            zorder=4,
        )
    axes.set_yticks(range(len(table)), table.label)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.axvline(0, color="black", linewidth=0.8)
    tidy_axes(axes)
    axes.tick_params(axis="y", length=0)
