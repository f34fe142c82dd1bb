"""Scores of methods as bars, each with an interval and a dot for every run."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.analysis.statistics import bootstrap_interval
from experiments.analysis.summary import SCORE_IN_WORDS, run_scores
from experiments.figures.curves import STATISTIC_IN_WORDS, STATISTICS
from experiments.figures.style import LARGE, LETTERS_IN_TITLE, SMALL, WIDTH, method_styles, tidy_axes, wrap

LETTERS_IN_LABEL = 22
LINE_HEIGHT, BAR_GAP = 0.13, 0.08  # inches: of a line of a label, and between two labels
PANEL_HEIGHT, TITLE_HEIGHT, CAPTION_HEIGHT = 0.35, 0.15, 0.4  # inches besides the bars
BAR_THICKNESS = 0.15  # inches
BAR_ALPHA = 0.55


def bars(frame: pd.DataFrame, statistic: str = "mean", at_steps: int | None = None, score: str = "final") -> Figure:
    """Draws a panel for each environment with a bar for each method, best first.

    Args:
        frame: A table of `load`.
        statistic: What the length of a bar is, over the runs of a method: "mean", "iqm" or "median". Its 95 % bootstrap
            interval is drawn where there are two runs or more, and every run as a dot.
        at_steps: Environment steps at which methods are compared, as for `summary`.
        score: Which evaluations of the centre count, as for `summary`.

    Raises:
        UserError: If an argument is out of range.
    """
    scores = run_scores(frame, at_steps=at_steps, score=score)
    styles = method_styles(scores.method.unique())
    panels = [(environment, _bars_of(runs, statistic)) for environment, runs in scores.groupby("environment")]
    titles = [
        wrap(f"{environment}, {scores.at_steps[scores.environment == environment].iloc[0]:,} steps", LETTERS_IN_TITLE)
        for environment, _ in panels
    ]
    heights = [bar.height.sum() for _, bar in panels]
    around = sum(PANEL_HEIGHT + TITLE_HEIGHT * (title.count("\n") + 1) for title in titles) + CAPTION_HEIGHT
    figure = Figure(figsize=(WIDTH, sum(heights) + around), layout="constrained")
    grid = figure.subplots(len(panels), squeeze=False, height_ratios=heights)[:, 0]
    for axes, title, (_, table) in zip(grid, titles, panels, strict=True):
        _draw(axes, table, styles)
        axes.set_title(title, fontsize=LARGE, loc="right")  # labels leave little room above the bars alone
    figure.supxlabel(
        f"{SCORE_IN_WORDS[score]}:\n{STATISTIC_IN_WORDS[statistic]} over seeds (how many),\n"
        "95 % bootstrap interval; dots: seeds",
        fontsize=SMALL,
    )
    return figure


def _bars_of(runs: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """Returns a row for each method of an environment, with the height (inches) that its label needs."""
    rows = []
    for method, of_method in runs.groupby("method", sort=False):
        values = of_method.score.dropna().to_numpy()
        value = STATISTICS[statistic](values) if len(values) else np.nan
        low, high = bootstrap_interval([values], STATISTICS[statistic])
        label = wrap(f"{method} ({len(values)})", LETTERS_IN_LABEL)
        row = {"method": method, "label": label, "values": values, "value": value, "low": low, "high": high}
        row["height"] = LINE_HEIGHT * (label.count("\n") + 1) + BAR_GAP
        rows.append(row | {"reached": bool(of_method.is_reached.any())})
    return pd.DataFrame(rows).sort_values("value", ascending=False, kind="stable", ignore_index=True)


def _draw(axes: Axes, table: pd.DataFrame, styles: dict[str, dict]) -> None:
    """Draws the bars below one another, each as far from the next as their labels need; the unit of y is an inch."""
    places = table.height.cumsum() - table.height / 2
    for place, row in zip(places, table.itertuples(), strict=True):
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
        axes.barh(place, row.value, height=BAR_THICKNESS, color=color, alpha=BAR_ALPHA, linewidth=0)
        axes.plot(
            [row.low, row.high],
            [place - 0.17 * BAR_THICKNESS] * 2,
            "|-",
            color="black",
            linewidth=1,
            markersize=4,
            zorder=3,
        )
        axes.plot(
            row.values,
            np.full(len(row.values), place + 0.24 * BAR_THICKNESS),
            "o",
            markersize=2.8,
            markerfacecolor=color,
            markeredgecolor="black",
            markeredgewidth=0.4,
            zorder=4,
        )
    axes.set_yticks(places, table.label)
    axes.set_ylim(table.height.sum(), 0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.axvline(0, color="black", linewidth=0.8)
    tidy_axes(axes)
    axes.tick_params(axis="y", length=0)
