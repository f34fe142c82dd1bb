"""Learning curves of methods: the mean or median of their runs, and how far the runs lie apart."""

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from experiments.analysis.statistics import bootstrap_interval, interquartile_mean, mean, median
from experiments.analysis.summary import each_seed_once, label_methods
from experiments.errors import ResultsWarning, UserError
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

STATISTICS = {"mean": mean, "iqm": interquartile_mean, "median": median}
STATISTIC_IN_WORDS = {"mean": "mean", "iqm": "interquartile mean", "median": "median"}
X_AXES = {"steps": "environment steps", "seconds": "wall time (s)", "generations": "generations"}
X_COLUMNS = {"steps": "steps", "seconds": "elapsed_seconds", "generations": "generation"}
RETURNS = {"centre": "center_return_mean", "training": "mean_return"}
RETURNS_IN_WORDS = {"centre": "return of the centre", "training": "mean return in training"}
BANDS = ("auto", "interval", "range")
GRID = 101  # points of a curve
ENOUGH_FOR_INTERVALS = 4  # runs; the interval of fewer is nearly their range
RESAMPLES = 2_000  # at each point
FEW = 5  # methods, whose bands may be darker
LETTERS_IN_TWO_COLUMNS, LETTERS_IN_LINE = 20, 42  # of the legend
PANEL_HEIGHT, LINE_HEIGHT, MARGIN = 1.75, 0.155, 0.3  # inches


def curve_points(
    frame: pd.DataFrame, x: str = "steps", statistic: str = "mean", returns: str = "centre", band: str = "auto"
) -> pd.DataFrame:
    """Returns what `curves` draws.

    The curve of a run goes in straight lines from evaluation to evaluation (or from generation to generation), and is
    never continued, but where `early_stop` ended a run: there its last evaluation holds as long as the longest run. The
    curve of a method lies where all of its runs have one. Runs that have not reached their budget would cut it short.
    They are left out, with a warning, where the method has others.

    Args:
        frame: A table of `load`.
        x: The horizontal axis: "steps", "seconds" or "generations".
        statistic: What is drawn of the runs of a method: "mean", "iqm" or "median".
        returns: "centre" for evaluations of the centre, "training" for the mean return of each generation's episodes.
        band: "interval" for the 95 % bootstrap interval of the statistic, "range" for the lowest run to the highest,
            "auto" for intervals where every method has four runs, and else ranges.

    Returns:
        A row for each point of a curve, with the columns environment, method, n (runs), x, value, low and high (NaN
        with one run). `attrs["band"]` says what low and high are.

    Raises:
        UserError: If an argument is none of these, or there is nothing to draw.

    Warns:
        ResultsWarning: For runs and methods that are left out.
    """
    for name, value, choices in (
        ("x", x, X_AXES),
        ("statistic", statistic, STATISTICS),
        ("returns", returns, RETURNS),
        ("band", band, BANDS),
    ):
        if value not in choices:
            raise UserError(f"{name}: expected one of {', '.join(choices)}; got {value!r}")
    lines = _lines_of_methods(frame, X_COLUMNS[x], RETURNS[returns])
    if band == "auto":
        band = "interval" if all(len(runs) >= ENOUGH_FOR_INTERVALS for runs in lines.values()) else "range"
    parts = []
    for (environment, method), runs in lines.items():
        start, end = max(xs[0] for xs, _ in runs), min(xs[-1] for xs, _ in runs)
        if start > end:
            warnings.warn(f"{environment}, {method}: left out, its runs do not overlap", ResultsWarning, stacklevel=2)
            continue
        grid = np.linspace(start, end, GRID) if end > start else np.array([start])
        values = np.stack([np.interp(grid, xs, ys) for xs, ys in runs], axis=1)  # (points, runs)
        part = pd.DataFrame({"environment": environment, "method": method, "n": len(runs), "x": grid})
        part["value"] = STATISTICS[statistic](values)
        part["low"], part["high"] = _band(values, statistic, band)
        parts.append(part)
    if not lines:
        raise UserError(f"nothing to draw: no run has a {RETURNS_IN_WORDS[returns]}")
    if not parts:
        raise UserError(
            f"nothing to draw: no two runs of a method overlap, having too few rows with a {RETURNS_IN_WORDS[returns]}"
        )
    points = pd.concat(parts, ignore_index=True)
    points.attrs["band"] = band
    return points


def curves(
    frame: pd.DataFrame, x: str = "steps", statistic: str = "mean", returns: str = "centre", band: str = "auto"
) -> Figure:
    """Draws a panel for each environment, with a line and a band for each method.

    Args:
        frame: A table of `load`.
        x: The horizontal axis, as for `curve_points`.
        statistic: What is drawn of the runs of a method, as for `curve_points`.
        returns: Evaluations of the centre, or training, as for `curve_points`.
        band: What the band around a line is, as for `curve_points`.

    Raises:
        UserError: If there is nothing to draw, as for `curve_points`.
    """
    points = curve_points(frame, x, statistic, returns, band)
    styles = method_styles(points.method.unique())
    environments = list(points.environment.unique())
    best_first = points.groupby("method", sort=False).value.last().sort_values(ascending=False).index
    labels = _legend_labels(points, best_first)
    num_columns = 2 if max(map(len, labels)) <= LETTERS_IN_TWO_COLUMNS else 1
    num_lines = -(-sum(label.count("\n") + 1 for label in labels) // num_columns) + 2
    height = PANEL_HEIGHT * len(environments) + LINE_HEIGHT * num_lines + MARGIN
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    alpha = 0.15 if len(styles) <= FEW else 0.1
    lines = {}
    for axes, environment in zip(figure.subplots(len(environments), squeeze=False)[:, 0], environments, strict=True):
        for method, part in points[points.environment == environment].groupby("method"):
            lines[method] = draw_point_or_line(
                axes, part.x, part.value, linewidth=1.2, markersize=3, markevery=0.12, **styles[method]
            )
            draw_band(axes, part.x, part.low, part.high, styles[method]["color"], alpha)
        axes.set_title(wrap(environment, LETTERS_IN_TITLE), fontsize=LARGE)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        if x == "steps":
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_ylabel(RETURNS_IN_WORDS[returns], fontsize=LARGE)
        axes.margins(x=0.02)
        tidy_axes(axes)
    axes.set_xlabel(X_AXES[x], fontsize=LARGE)
    legend = figure.legend(
        [lines[method] for method in best_first],
        labels,
        title=_caption(points, statistic),
        loc="outside lower center",
        ncols=num_columns,
        fontsize=SMALL,
        title_fontsize=SMALL,
        frameon=False,
        handlelength=2.6,
        labelspacing=0.25,
        columnspacing=1.0,
        borderpad=0.1,
    )
    legend.get_title().set_multialignment("center")
    return figure


def _lines_of_methods(
    frame: pd.DataFrame, x: str, y: str
) -> Mapping[tuple[str, str], list[tuple[np.ndarray, np.ndarray]]]:
    """Returns (environment, method) -> the curve of each of its runs, as arrays x and y."""
    frame = each_seed_once(frame.assign(method=label_methods(frame)))
    lines = {}
    for (environment, method), rows in frame.groupby(["environment", "method"], sort=False):
        finished = rows[rows.finished]
        measured = (finished if len(finished) else rows).dropna(subset=[x, y])
        last = rows.groupby("run").tail(1)
        ended_early = set(last.run[last.finished & (last.steps < last.budget)]) if y == RETURNS["centre"] else ()
        runs = []
        for run, part in measured.groupby("run", sort=False):
            xs, ys = part[x].to_numpy(float), part[y].to_numpy()
            if run in ended_early and xs[-1] < measured[x].max():
                xs, ys = np.append(xs, measured[x].max()), np.append(ys, ys[-1])
            runs.append((xs, ys))
        num_stopped, count = rows.run.nunique() - finished.run.nunique(), rows.run.nunique()
        if num_stopped:
            fate = "drawn as far as all go" if runs and finished.empty else "left out"
            warnings.warn(
                f"{environment}, {method}: {num_stopped} of {count} runs have not reached their budget: {fate}",
                ResultsWarning,
                stacklevel=3,
            )
        if runs:
            lines[environment, method] = runs
    return lines


def _band(values: np.ndarray, statistic: str, band: str) -> tuple[np.ndarray, np.ndarray]:
    if values.shape[1] == 1:
        nothing = np.full(len(values), np.nan)
        return nothing, nothing
    if band == "range":
        return values.min(axis=1), values.max(axis=1)
    ends = [bootstrap_interval([point], STATISTICS[statistic], RESAMPLES) for point in values]
    return tuple(np.array(ends).T)


def _legend_labels(points: pd.DataFrame, methods: pd.Index) -> list[str]:
    counts = points.groupby("method").n.agg(["min", "max"])
    if counts.to_numpy().min() == counts.to_numpy().max():
        return [wrap(method, LETTERS_IN_LINE) for method in methods]
    ranges = {method: str(low) if low == high else f"{low}–{high}" for method, (low, high) in counts.iterrows()}
    return [wrap(f"{method} ({ranges[method]})", LETTERS_IN_LINE) for method in methods]


def _caption(points: pd.DataFrame, statistic: str) -> str:
    same = points.n.nunique() == 1
    count = f"{points.n.iloc[0]} seeds" if same else "seeds (how many)"
    if points.n.max() == 1:
        return "one seed"
    band = {"interval": "95 % bootstrap interval", "range": "lowest to highest"}[points.attrs["band"]]
    return f"{STATISTIC_IN_WORDS[statistic]} of {count}\nband: {band}"
