"""A map of how well surrogate gradients learn, for each surrogate and steepness β, like Figure S2 of the paper."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.analysis.summary import SCORE_IN_WORDS, run_scores
from experiments.analysis.text_table import short_number
from experiments.errors import UserError
from experiments.figures.style import LARGE, LETTERS_IN_TITLE, SMALL, WIDTH, wrap

NAME, BETA, GAMMA = SURROGATE_KEYS = tuple(f"agent.surrogate.{key}" for key in ("name", "beta", "gamma"))
COLOR_MAP = colormaps["cividis"]  # the same to every kind of colour vision
CELL_HEIGHT, MARGIN, CAPTION_HEIGHT = 0.36, 0.55, 0.55  # inches


def heat_map_cells(frame: pd.DataFrame, at_steps: int | None = None, score: str = "final") -> pd.DataFrame:
    """Returns what `heat_map` draws, for the runs that were trained by surrogate gradients.

    Args:
        frame: A table of `load(…, config=SURROGATE_KEYS)`.
        at_steps: Environment steps at which runs are compared, as for `summary`.
        score: Which evaluations of the centre count, as for `summary`.

    Returns:
        A row for each cell, with the columns

        environment, method, surrogate, gamma, beta   which cell it is
        at_steps   environment steps at which its runs are compared
        value      mean score over its runs, NaN where none has a score
        n          runs that have a score
        runs       all runs
        failed     whether all runs failed or have no whole generation
        reached    whether any run got to `at_steps`

    Raises:
        UserError: If there is no such run, the table lacks the keys, or runs of a cell differ in other settings too.
    """
    missing = [key for key in SURROGATE_KEYS if key not in frame]
    if missing:
        raise UserError(f"a heat map needs {', '.join(missing)}: load(…, config=SURROGATE_KEYS)")
    frame = frame[(frame.searcher == "ppo") & frame[NAME].notna()]
    if frame.empty:
        raise UserError("a heat map needs runs with surrogate gradients (searcher=ppo and a spiking network)")
    last = frame.groupby("run").agg(
        method=("method", "first"),
        settings=("settings", "first"),
        surrogate=(NAME, "first"),
        gamma=(GAMMA, "first"),
        beta=(BETA, "first"),
        generation=("generation", "max"),
        state=("state", "first"),
    )
    scores = run_scores(frame, at_steps=at_steps, score=score).drop(columns="method").join(last, on="run")
    rows = []
    for key, runs in scores.groupby(["environment", "method", "surrogate", "gamma", "beta"]):
        if runs.settings.nunique() > 1:
            raise UserError(
                f"runs of {', '.join(map(str, key))} differ in other settings too: {', '.join(runs.run)}; give fewer"
            )
        row = dict(zip(("environment", "method", "surrogate", "gamma", "beta"), key, strict=True))
        row |= {"value": runs.score.mean(), "n": int(runs.score.count()), "runs": len(runs)}
        row |= {"at_steps": runs.at_steps.iloc[0], "reached": bool(runs.is_reached.any())}
        rows.append(row | {"failed": bool(((runs.generation == 0) | (runs.state.fillna("") == "failed")).all())})
    return pd.DataFrame(rows)


def heat_map(frame: pd.DataFrame, at_steps: int | None = None, score: str = "final") -> Figure:
    """Draws a panel for each environment and method: surrogates and γ downwards, β to the right.

    Cells in which no run has a score are hatched.

    Args:
        frame: A table of `load(…, config=SURROGATE_KEYS)`.
        at_steps: Environment steps at which runs are compared, as for `summary`.
        score: Which evaluations of the centre count, as for `summary`.

    Raises:
        UserError: If there is nothing to draw, as for `heat_map_cells`.
    """
    cells = heat_map_cells(frame, at_steps, score)
    panels = list(cells.groupby(["environment", "method"]))
    sizes = [CELL_HEIGHT * len(part.groupby(["surrogate", "gamma"])) for _, part in panels]
    figure = Figure(figsize=(WIDTH, sum(sizes) + MARGIN * len(panels) + CAPTION_HEIGHT), layout="constrained")
    values = [0.0, *cells.value.dropna()]
    color_of = Normalize(min(values), max(*values, 1.0))
    grid = figure.subplots(len(panels), squeeze=False, height_ratios=sizes)[:, 0]
    for axes, ((environment, method), part) in zip(grid, panels, strict=True):
        _draw(axes, part, color_of)
        axes.set_title(wrap(f"{method}, {environment}", LETTERS_IN_TITLE), fontsize=LARGE)
    axes.set_xlabel("β", fontsize=LARGE)
    figure.supxlabel(
        f"{SCORE_IN_WORDS[score]},\nmean over seeds, at {_steps(cells)} steps;\n"
        "hatched: no run got there, or too few evaluations",
        fontsize=SMALL,
    )
    return figure


def _steps(cells: pd.DataFrame) -> str:
    return " or ".join(f"{steps:,}" for steps in sorted(cells.at_steps.unique()))


def _why_blank(cell) -> str:
    if cell.failed:
        return "failed"
    return "too few" if cell.reached else "stopped"


def _draw(axes: Axes, cells: pd.DataFrame, color_of: Normalize) -> None:
    rows = sorted(set(zip(cells.surrogate, cells.gamma, strict=True)))
    columns = sorted(set(cells.beta))
    for cell in cells.itertuples():
        x, y = columns.index(cell.beta), rows.index((cell.surrogate, cell.gamma))
        is_blank = np.isnan(cell.value)
        face = "white" if is_blank else COLOR_MAP(color_of(cell.value))
        hatch = "////" if is_blank else None
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=face, edgecolor="0.6", hatch=hatch, linewidth=0.5))
        text = _why_blank(cell) if is_blank else short_number(cell.value)
        if cell.runs > 1:
            text += f"\nn = {cell.n}" if cell.n == cell.runs else f"\nn = {cell.n} of {cell.runs}"
        color = "black" if is_blank or np.dot(face[:3], (0.299, 0.587, 0.114)) > 0.5 else "white"
        background = {"facecolor": "white", "edgecolor": "none", "pad": 1} if is_blank else None
        axes.text(x, y, text, fontsize=SMALL, color=color, ha="center", va="center", bbox=background, linespacing=0.95)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), map(short_number, columns))
    axes.set_yticks(range(len(rows)), [f"{name.replace('_', ' ')},\nγ = {short_number(gamma)}" for name, gamma in rows])
    axes.tick_params(labelsize=SMALL, length=0)
    axes.spines[:].set_visible(False)
