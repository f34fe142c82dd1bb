"""Returns of a damaged policy against the strength of the damage."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.figures.style import (
    LARGE,
    LETTERS_IN_TITLE,
    SMALL,
    WIDTH,
    draw_band,
    draw_point_or_line,
    method_styles,
    tidy_axes,
    wrap,
)

AXES = {  # fault -> what stands below its panel, and what a level is multiplied by
    "flip": ("connections flipped (%)", 100),
    "silence": ("neurons silent (%)", 100),
    "noise": ("noise on observations (standard deviations)", 1),
}
PANEL_HEIGHT, AROUND = 1.25, 0.65  # inches


def robustness_curves(title: str, summary: pd.DataFrame, draws: pd.DataFrame) -> Figure:
    """Draws a panel for each fault: the mean return, its 95 % interval as a band, and each draw as a dot.

    Levels stand side by side at equal distances, whatever they are; the dashed line is the return without damage.

    Args:
        title: Title of the figure.
        summary: A row for each damage: `fault`, `level`, `mean`, `low` and `high`; the first one is no damage.
        draws: A row for each draw of a damage: `fault`, `level` and `return`.
    """
    faults = [fault for fault in AXES if (summary.fault == fault).any()]
    figure = Figure(figsize=(WIDTH, len(faults) * PANEL_HEIGHT + AROUND), layout="constrained")
    grid = figure.subplots(len(faults), squeeze=False, sharey=True)[:, 0]
    styles = method_styles(AXES)
    for axes, fault in zip(grid, faults, strict=True):
        _draw(axes, fault, summary, draws, styles[fault])
    grid[0].set_ylim(bottom=min(0.0, grid[0].get_ylim()[0]))  # of all panels, once all is drawn
    grid[0].set_title(wrap(title, LETTERS_IN_TITLE), fontsize=LARGE)
    figure.supylabel("return", fontsize=LARGE)
    figure.supxlabel("line: mean; band: 95 % interval; dots: draws;\ndashed: without damage", fontsize=SMALL)
    return figure


def _draw(axes: Axes, fault: str, summary: pd.DataFrame, draws: pd.DataFrame, style: dict) -> None:
    label, factor = AXES[fault]
    table = pd.concat([summary.iloc[:1], summary[summary.fault == fault]])
    places = dict(zip(table.level, range(len(table)), strict=True))
    undamaged = table["mean"].iloc[0]
    axes.axhline(undamaged, color="black", linewidth=0.6, linestyle="--")
    draw_band(axes, list(places.values()), table.low, table.high, style["color"], 0.25)
    draw_point_or_line(
        axes, list(places.values()), table["mean"], color=style["color"], marker=style["marker"], markersize=4
    )
    of_fault = draws[draws.fault == fault]
    axes.plot(
        of_fault.level.map(places),
        of_fault["return"],
        "o",
        markersize=2.2,
        markerfacecolor="white",
        markeredgecolor="black",
        markeredgewidth=0.4,
        zorder=4,
    )
    axes.set_xticks(list(places.values()), [f"{factor * level:.4g}" for level in places])
    axes.set_xlabel(label, fontsize=SMALL)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    tidy_axes(axes)
