"""Pictures of a trained one-bit spiking network: its matrices, the distribution of ρ, its spikes and its degrees."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter
from scipy.stats import binom

from experiments.figures.style import (
    BLUE,
    COLORS,
    DASHES,
    LARGE,
    SMALL,
    VERMILLION,
    WIDTH,
    draw_point_or_line,
    tidy_axes,
)
from experiments.run_folder.rho.histogram import BINS, EDGES, NUM_BINS

EXCITATORY, INHIBITORY, CHANCE = BLUE, VERMILLION, "0.5"
UNDECIDED_IS_WHITE, BITS = colormaps["PuOr"], colormaps["Greys"]
SHARES = colormaps["cividis"]
BORDER = "#009E73"
COLOR_OF_ORIGIN = {"in": "black", "E": EXCITATORY, "I": INHIBITORY}
DASH_OF_END = {"E": DASHES[0], "I": DASHES[1], "out": DASHES[2]}
SHOWN_STEPS = 60  # environment steps of a raster


def matrices(kernels: Mapping[str, np.ndarray], num_excitatory: int, name: str) -> Figure:
    """Draws the three kernels of a network above one another.

    Neurons go to the right; inputs, presynaptic neurons and outputs go downwards.

    Args:
        kernels: kernel_in (inputs, n), kernel_h (n, n) and kernel_out (n, outputs), of probabilities ρ or of bits.
        num_excitatory: How many neurons are excitatory. They are the first, and a line parts them from the others.
        name: What the values are, such as "ρ".
    """
    parts = {"input": kernels["kernel_in"], "from neuron": kernels["kernel_h"], "output": kernels["kernel_out"].T}
    heights = [0.7, 2.6, 0.3]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.75), layout="constrained")
    grid = figure.subplots(3, height_ratios=heights, sharex=True)
    n, is_bits = len(kernels["kernel_h"]), kernels["kernel_h"].dtype == bool
    color_map = BITS if is_bits else UNDECIDED_IS_WHITE
    for axes, (label, values) in zip(grid, parts.items(), strict=True):
        image = axes.imshow(values, cmap=color_map, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axes.set_ylabel(label, fontsize=LARGE)
        axes.axvline(num_excitatory - 0.5, color=BORDER, linewidth=0.8)
        num_ticks = 4 if label == "from neuron" else 2
        axes.yaxis.set_major_locator(MaxNLocator(num_ticks, integer=True, min_n_ticks=1))
        axes.tick_params(labelsize=SMALL)
    grid[1].axhline(num_excitatory - 0.5, color=BORDER, linewidth=0.8)
    names = {"excitatory": num_excitatory / 2, "inhibitory": (num_excitatory + n) / 2}
    grid[0].secondary_xaxis("top").set_xticks(list(names.values()), list(names), fontsize=SMALL)
    for axis in grid[0].child_axes:
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    grid[2].set_xlabel("neuron", fontsize=LARGE)
    bar = figure.colorbar(image, ax=grid, fraction=0.04, pad=0.02, ticks=[0, 1] if is_bits else None)
    bar.set_label(name, fontsize=LARGE)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def rho_over_training(histogram: pd.DataFrame) -> Figure:
    """Draws how ρ was distributed at each evaluation: evaluations to the right, ρ upwards, shares as colours.

    Args:
        histogram: A table of `read_rho_histogram` with at least one row.
    """
    counts = histogram[list(BINS)].to_numpy(float)
    shares = counts / counts.sum(axis=1, keepdims=True)
    steps = histogram.steps.to_numpy(float)
    gaps = np.diff(steps, prepend=0.0)
    edges = np.append(steps - gaps / 2, steps[-1] + gaps[-1] / 2)  # of the columns, halfway between evaluations
    figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
    axes = figure.add_subplot()
    lowest = 1 / counts.sum(axis=1).max()
    mesh = axes.pcolormesh(
        edges, EDGES, np.maximum(shares, lowest).T, norm=LogNorm(lowest, 1.0), cmap=SHARES, rasterized=True
    )
    bar = figure.colorbar(mesh)
    bar.set_label(f"share of connections in a bin of {1 / NUM_BINS:g}", fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)
    axes.set_xlabel("environment steps (columns: evaluations)", fontsize=LARGE)
    axes.set_ylabel("ρ", fontsize=LARGE)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    tidy_axes(axes)
    return figure


def blocks_over_training(blocks: pd.DataFrame) -> Figure:
    """Draws the entropy and the mean ρ of each block of connections at each evaluation.

    Colours tell from where connections come, and dashes where they go.

    Args:
        blocks: A table of `read_rho_blocks` with at least one row.
    """
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True)
    for number, (name, rows) in enumerate(blocks.groupby("block", sort=False)):
        before, _, after = name.partition("→")
        style = {
            "color": COLOR_OF_ORIGIN.get(before, COLORS[number % len(COLORS)]),
            "linestyle": DASH_OF_END.get(after, "-"),
        }
        style |= {"label": name.replace("$", r"\$"), "linewidth": 1}
        style["label"] = name.replace("$", r"\$")  # which Matplotlib would take for the start of a formula
        draw_point_or_line(upper, rows.steps, rows.entropy, **style)
        draw_point_or_line(lower, rows.steps, rows.mean_rho, **style)
    upper.set_ylabel("entropy (bits for\neach connection)", fontsize=LARGE)
    lower.set_ylabel("mean ρ", fontsize=LARGE)
    upper.set_ylim(0, 1)
    for axes in (upper, lower):
        tidy_axes(axes)
    lower.set_xlabel("environment steps", fontsize=LARGE)
    lower.xaxis.set_major_locator(MaxNLocator(5))
    lower.xaxis.set_major_formatter(EngFormatter(sep=""))
    lines, names = upper.get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False)
    return figure


def rho_now(kernels: Mapping[str, np.ndarray]) -> Figure:
    """Draws how ρ is distributed in each of the kernels of a network.

    Args:
        kernels: Probabilities of kernel_in, kernel_h and kernel_out.
    """
    figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
    axes = figure.add_subplot()
    names = {"kernel_in": "inputs to neurons", "kernel_h": "between neurons", "kernel_out": "neurons to outputs"}
    for (kernel, label), color in zip(names.items(), (BLUE, VERMILLION, "black"), strict=True):
        counts, _ = np.histogram(kernels[kernel], EDGES)
        axes.stairs(counts / counts.sum(), EDGES, color=color, label=label, linewidth=1)
    axes.set_yscale("log")
    axes.set_xlabel("ρ", fontsize=LARGE)
    axes.set_ylabel(f"share in a bin of {1 / NUM_BINS:g}", fontsize=LARGE)
    figure.legend(loc="outside lower center", fontsize=SMALL, frameon=False)
    tidy_axes(axes)
    return figure


def raster(spikes: np.ndarray, num_excitatory: int, substeps: int, dt: float) -> Figure:
    """Draws a dot for each spike in the middle of an episode, of excitatory neurons below and inhibitory ones above.

    Args:
        spikes: (substeps of the whole episode, n), not 0 where a neuron fired.
        num_excitatory: How many neurons are excitatory; they are the first.
        substeps: Substeps of the network in an environment step.
        dt: Simulated time of a substep, ms.
    """
    steps = len(spikes) // substeps
    shown = min(steps, SHOWN_STEPS)
    first = (steps - shown) // 2
    window = spikes[first * substeps : (first + shown) * substeps]
    times, neurons = np.nonzero(window)
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.add_subplot()
    is_excitatory = neurons < num_excitatory
    for chosen, color in ((is_excitatory, EXCITATORY), (~is_excitatory, INHIBITORY)):
        ms = (first * substeps + times[chosen] + 1) * dt
        axes.plot(ms, neurons[chosen], "s", color=color, markersize=0.9, markeredgewidth=0)
    start, end = first * substeps * dt, (first + shown) * substeps * dt
    axes.set_xlim(start, end)
    axes.set_ylim(-0.5, spikes.shape[1] - 0.5)
    axes.set_xlabel("simulated time of the network (ms)", fontsize=LARGE)
    axes.set_ylabel("neuron", fontsize=LARGE)
    duration = substeps * dt
    above = axes.secondary_xaxis("top", functions=(lambda ms: ms / duration, lambda step: step * duration))
    above.set_xlabel("environment step", fontsize=LARGE)
    above.tick_params(labelsize=SMALL)
    tidy_axes(axes)
    _legend_of_kinds(figure)
    return figure


def degrees(kernel_h: np.ndarray, num_excitatory: int, possible: np.ndarray | None = None) -> Figure:
    """Draws how many recurrent connections neurons receive and send, by kind of neuron, and what chance would give.

    Chance is the binomial distribution of a network with as many connections, all of them equally likely. Where not all
    connections can exist, it differs between neurons, and a line for each kind is the mean over its neurons.

    Args:
        kernel_h: (n, n) bool, presynaptic index first.
        num_excitatory: How many neurons are excitatory; they are the first.
        possible: (n, n) bool, which connections can exist; None where all can.
    """
    kinds = slice(None, num_excitatory), slice(num_excitatory, None)
    alike = (slice(None),) if possible is None else kinds  # neurons with one line for chance
    possible = np.ones_like(kernel_h) if possible is None else possible
    share = kernel_h.sum() / max(1, possible.sum())
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    for axes, (name, axis) in zip(
        figure.subplots(2, sharex=True), {"in-degree": 0, "out-degree": 1}.items(), strict=True
    ):
        degree, most = kernel_h.sum(axis=axis), possible.sum(axis=axis)
        width = max(1, round(np.ptp(degree) / 20))
        edges = np.arange(degree.min() - width, degree.max() + 2 * width, width) - 0.5
        for kind, color in zip(kinds, (EXCITATORY, INHIBITORY), strict=True):
            if len(part := degree[kind]):
                axes.stairs(np.histogram(part, edges)[0] / len(part), edges, color=color, linewidth=1)
        for neurons in alike:
            if len(limits := most[neurons]):
                chance = np.diff(binom.cdf(edges[:, None], limits, share).mean(axis=1))
                axes.plot((edges[1:] + edges[:-1]) / 2, chance, color=CHANCE, linewidth=0.8)
        axes.set_ylabel(f"share of neurons\nwith this {name}", fontsize=LARGE)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        tidy_axes(axes)
    axes.set_xlabel("recurrent connections of a neuron", fontsize=LARGE)
    _legend_of_kinds(figure, Line2D([], [], color=CHANCE, linewidth=0.8, label="chance"))
    return figure


def _legend_of_kinds(figure: Figure, *more: Line2D) -> None:
    kinds = {"excitatory": EXCITATORY, "inhibitory": INHIBITORY}
    lines = [Line2D([], [], color=color, label=kind) for kind, color in kinds.items()]
    figure.legend(handles=[*lines, *more], loc="outside lower center", ncols=3, fontsize=SMALL, frameon=False)
