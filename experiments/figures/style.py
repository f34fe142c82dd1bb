"""What all figures share: the width of a paper's column, sizes of letters, colours, and how lines are drawn."""

import io
import textwrap
from collections.abc import Iterable, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 3.3  # inches: one column of a paper
FIGURE_FORMATS = ("png", "svg")
DOTS_PER_INCH = 300
LETTERS_IN_TITLE = 40
LARGE, SMALL = 8, 7  # points: sizes of letters
# Okabe and Ito's palette, whose colours every kind of colour vision tells apart: https://jfly.uni-koeln.de/color/
# Its yellow, which cannot be read on white, is left out.
BLUE, VERMILLION = "#0072B2", "#D55E00"
COLORS = (BLUE, VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1.2, 1, 1.2)))


def method_styles(methods: Iterable[str]) -> dict[str, dict]:
    """Returns the colour, marker and dash of each method.

    The first seven methods have seven colours, and the next ones the same colours with dashed lines. EC on spiking
    neurons comes first, so that it looks the same whatever it is compared with.

    Args:
        methods: Labels of all methods of a figure.

    Returns:
        Label -> keywords of `Axes.plot`.
    """
    styles = {}
    for number, method in enumerate(sorted(methods, key=lambda method: (not method.startswith("EC-RSNN"), method))):
        lap, place = divmod(number, len(COLORS))
        styles[method] = {
            "color": COLORS[place],
            "marker": MARKERS[(place + lap) % len(MARKERS)],
            "linestyle": DASHES[lap % len(DASHES)],
        }
    return styles


def tidy_axes(axes: Axes) -> None:
    """Takes the upper and the right border off, and makes the numbers small."""
    axes.tick_params(which="both", labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)


def wrap(label: str, letters: int) -> str:
    """Returns a label broken into lines of at most `letters`: between words, and within a word that is longer."""
    return textwrap.fill(label, letters, break_on_hyphens=False)


def draw_point_or_line(axes: Axes, x: Sequence[float], y: Sequence[float], markevery: float | None = None, **style):
    """Draws a line with markers on it, or where it has a single point, that point with its marker.

    Matplotlib draws nothing for a line through one point, nor markers at a relative spacing on a line without length.

    Args:
        axes: Where to draw.
        x: (points,) places.
        y: (points,) values.
        markevery: Distance between markers, as a share of the diagonal of the axes; None for one at every point.
        **style: Colour, marker and so on, as for `Axes.plot`.

    Returns:
        The Matplotlib line.
    """
    if len(x) == 1:
        style, markevery = {"marker": "o", **style}, None
    (line,) = axes.plot(x, y, markevery=markevery, **style)
    return line


def draw_band(axes: Axes, x: Sequence[float], low: Sequence[float], high: Sequence[float], color: str, alpha: float):
    """Draws a band between two lines, or at a single point an upright line from one to the other.

    Args:
        axes: Where to draw.
        x: (points,) places.
        low: (points,) lower ends; NaN where there is no band.
        high: (points,) upper ends.
        color: Colour of band and line.
        alpha: Opacity of the band, from 0 to 1.
    """
    if len(x) == 1:
        axes.plot(np.repeat(x, 2), [*low, *high], color=color, linewidth=1)
    else:
        axes.fill_between(x, low, high, color=color, alpha=alpha, linewidth=0)


def encode(figure: Figure, file_format: str) -> bytes:
    """Returns a figure as the contents of a file: the same bytes every time. An SVG keeps its letters as text.

    Args:
        figure: The figure.
        file_format: One of `FIGURE_FORMATS`.
    """
    file = io.BytesIO()
    metadata = {"Date": None} if file_format == "svg" else None
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ec-evotorch"}):
        figure.savefig(file, format=file_format, dpi=DOTS_PER_INCH, metadata=metadata)
    return file.getvalue()
