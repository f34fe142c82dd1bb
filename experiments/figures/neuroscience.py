"""Pictures of how a network is wired, how it acts, and what it loses with its parts."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, NullLocator, PercentFormatter

from experiments.analysis.exact_tests import LEVEL
from experiments.figures.style import BLUE, COLORS, LARGE, MARKERS, SMALL, VERMILLION, WIDTH, tidy_axes

COLOR_OF_KIND = {"E": BLUE, "I": VERMILLION}
NAME_OF_KIND = {"E": "excitatory", "I": "inhibitory"}
LINEAR_UP_TO = 5  # |z|; beyond it the axis is logarithmic
MOST_Z = 1.96
TICKS, MOST_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000), 3  # of z, and how many on either side


def z_scores(structure: pd.DataFrame) -> Figure:
    """Draws how many standard deviations each measure is away from the random networks of each null model.

    Args:
        structure: A table of `structure_table`.
    """
    table = structure.dropna(subset="z")
    measures = list(dict.fromkeys(structure.measure))
    pairs = list(dict.fromkeys(zip(structure.network, structure.null, strict=True)))
    figure = Figure(figsize=(WIDTH, 0.13 * len(measures) + 1.2), layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(-MOST_Z, MOST_Z, color="0.9", linewidth=0)
    for number, (network, null) in enumerate(pairs):
        rows = table[(table.network == network) & (table.null == null)]
        places = [measures.index(name) for name in rows.measure]
        style = {"color": COLORS[number % len(COLORS)], "marker": MARKERS[number % len(MARKERS)]}
        axes.plot(rows.z, places, linestyle="", markersize=3, label=f"{network} against {null}", **style)
    highest = max(table.z.abs().max() * 1.15, MOST_Z * 1.5) if len(table) else MOST_Z * 1.5
    if highest > LINEAR_UP_TO:
        axes.set_xscale("symlog", linthresh=LINEAR_UP_TO)
    axes.set_xlim(-highest, highest)
    sides = [z for z in TICKS if z < highest][-MOST_TICKS:]
    axes.set_xticks([*(-z for z in reversed(sides)), 0, *sides], minor=False)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.set_yticks(range(len(measures)), measures)
    axes.set_ylim(len(measures) - 0.5, -0.5)
    axes.grid(axis="y", color="0.9", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("standard deviations from chance (z)", fontsize=LARGE)
    tidy_axes(axes)
    axes.tick_params(axis="y", labelsize=SMALL - 1.5)
    figure.legend(loc="outside lower center", ncols=2, fontsize=SMALL - 1, frameon=False)
    return figure


def spectrum(table: pd.DataFrame) -> Figure:
    """Draws the eigenvalues of the signed matrix of connections in the plane, and its singular values in order.

    Args:
        table: A table of `spectrum_table`.
    """
    figure = Figure(figsize=(WIDTH, 2.0), layout="constrained")
    plane, values = figure.subplots(1, 2)
    plane.plot(table.real, table.imaginary, "o", color=BLUE, markersize=2, markeredgewidth=0)
    plane.set_aspect("equal", "datalim")
    plane.set_xlabel("real part", fontsize=LARGE)
    plane.set_ylabel("imaginary part", fontsize=LARGE)
    values.plot(np.arange(1, len(table) + 1), table.singular_value, color=BLUE, linewidth=1)
    values.set_xlabel("rank", fontsize=LARGE)
    values.set_ylabel("singular value", fontsize=LARGE)
    values.set_ylim(bottom=0)
    for axes in (plane, values):
        tidy_axes(axes)
    return figure


def lesions(table: pd.DataFrame, neurons: pd.DataFrame | None = None) -> Figure:
    """Draws which share of its return a network loses without each neuron, and without each block, with 95 % intervals.

    Of an intact return that is not above 0 there are no shares, and what is lost is drawn in units of return.

    Args:
        table: A table of `lesions_of`.
        neurons: A table of `neuron_table`, which tells the kinds of neurons; None to draw all alike.
    """
    intact = table.mean_return[table.kind == "intact"].iloc[0]
    has_shares = intact > 0
    unit, lost = (intact, "share of\nthe return lost") if has_shares else (1.0, "return lost")
    single = table[table.kind == "neuron"].sort_values("lost", ascending=False)
    others = table[~table.kind.isin(["intact", "neuron"])]
    figure = Figure(figsize=(WIDTH, 2.0 + 0.13 * len(others)), layout="constrained")
    above, below = figure.subplots(2, height_ratios=[1.6, 0.13 * max(len(others), 1)])
    kinds = {} if neurons is None else dict(zip(neurons.neuron.astype(str), neurons.kind, strict=True))
    colors = [COLOR_OF_KIND[kinds[name]] if name in kinds else "black" for name in single.name]
    _intervals(above, np.arange(len(single)), single, unit, colors, is_upright=True)
    above.axhline(0, color="0.6", linewidth=0.6)
    above.set_xlabel("neurons, sorted", fontsize=LARGE)
    above.set_ylabel(lost, fontsize=LARGE)
    if kinds:
        lines = [Line2D([], [], color=COLOR_OF_KIND[k], marker="o", markersize=2.5, linestyle="") for k in NAME_OF_KIND]
        above.legend(lines, NAME_OF_KIND.values(), fontsize=SMALL, frameon=False)
    names = [f"{kind} {name}" for kind, name in zip(others.kind, others.name, strict=True)]
    _intervals(below, np.arange(len(others)), others, unit, ["black"] * len(others), is_upright=False)
    below.axvline(0, color="0.6", linewidth=0.6)
    below.set_yticks(range(len(others)), names)
    below.set_ylim(len(others) - 0.5, -0.5)
    below.set_xlabel(lost.replace("\n", " "), fontsize=LARGE)
    if has_shares:
        for axis in (above.yaxis, below.xaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    for axes in (above, below):
        tidy_axes(axes)
    below.tick_params(axis="y", labelsize=SMALL - 1)
    return figure


def _intervals(axes, places, rows: pd.DataFrame, unit: float, colors: list[str], is_upright: bool) -> None:
    width = min(0.8, 50 / max(len(rows), 1))  # points; so that many intervals do not hide one another
    for place, lost, low, high, color in zip(places, rows.lost, rows.low, rows.high, colors, strict=True):
        line, point = ([place, place], [low / unit, high / unit]), ([place], [lost / unit])
        axes.plot(*(line if is_upright else line[::-1]), color=color, linewidth=width)
        axes.plot(
            *(point if is_upright else point[::-1]), "o", color=color, markersize=2.2, markeredgewidth=0, zorder=3
        )


def tuning(neurons: pd.DataFrame) -> Figure:
    """Draws at which phase of the gait each neuron fires (angle), and how strictly (distance from the centre).

    Args:
        neurons: A table of `neuron_table` with a rhythm.
    """
    figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
    axes = figure.add_subplot(projection="polar")
    labels = {True: "{}", False: "{}, no clear phase"}
    _points_of_kinds(axes, neurons, "phase", "vector_strength", neurons.tuning_p_holm < LEVEL, labels)
    axes.set_ylim(0, 1)
    axes.set_yticks([0.5, 1.0])
    axes.tick_params(labelsize=SMALL)
    figure.legend(loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    return figure


def switching(neurons: pd.DataFrame) -> Figure:
    """Draws the firing rate of each neuron on NOGO over that on GO.

    Args:
        neurons: A table of `neuron_table` with signals.
    """
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.add_subplot()
    highest = float(np.nanmax(neurons[["go_rate", "nogo_rate"]].to_numpy(), initial=1.0))
    axes.plot([0, highest], [0, highest], color="0.6", linewidth=0.6)
    labels = {True: "{}, switches", False: "{}"}
    _points_of_kinds(axes, neurons, "go_rate", "nogo_rate", neurons.switching_p_holm < LEVEL, labels)
    axes.set_xlabel("rate on GO (Hz)", fontsize=LARGE)
    axes.set_ylabel("rate on NOGO (Hz)", fontsize=LARGE)
    tidy_axes(axes)
    figure.legend(loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    return figure


def _points_of_kinds(axes, neurons: pd.DataFrame, x: str, y: str, decided: pd.Series, labels: dict[bool, str]) -> None:
    """Draws a point for each neuron in the colour of its kind, filled where something is decided."""
    for kind, name in NAME_OF_KIND.items():
        for is_decided, label in labels.items():
            rows = neurons[(neurons.kind == kind) & (decided == is_decided)]
            axes.plot(
                rows[x],
                rows[y],
                "o",
                color=COLOR_OF_KIND[kind],
                markerfacecolor=COLOR_OF_KIND[kind] if is_decided else "none",
                markersize=3,
                markeredgewidth=0.6,
                label=label.format(name),
            )
