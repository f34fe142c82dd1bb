"""What all figures share: a paper's column width, letters of at least 7 points on it, colours for every kind of eye."""

import io
import textwrap
from collections.abc import Iterable

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 3.3  # inches: one column
FIGURE_FORMATS = ("png", "svg")
DOTS_PER_INCH = 300
LARGE, SMALL = 8, 7  # points
# Okabe and Ito's palette, told apart by every kind of colour vision: https://jfly.uni-koeln.de/color/
# Its yellow is left out, which cannot be read on white.
BLUE, VERMILLION = "#0072B2", "#D55E00"
COLORS = (BLUE, VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1.2, 1, 1.2)))


def method_styles(methods: Iterable[str]) -> dict[str, dict]:
    """Returns colour, marker and dash of each method, by its place among all: seven colours, then the same dashed.

    EC on spiking neurons comes first, so that it looks the same whatever it is compared with.
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
    """Takes off what says nothing, and makes numbers small."""
    axes.tick_params(which="both", labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)


def wrap(label: str, letters: int) -> str:
    """Returns a label broken into lines between words."""
    return textwrap.fill(label, letters, break_long_words=False, break_on_hyphens=False)


def encode(figure: Figure, file_format: str) -> bytes:
    """Returns a figure as a "png" or "svg" file, the same bytes every time; an SVG keeps its letters as text."""
    file = io.BytesIO()
    metadata = {"Date": None} if file_format == "svg" else None
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ec-evotorch"}):
        figure.savefig(file, format=file_format, dpi=DOTS_PER_INCH, metadata=metadata)
    return file.getvalue()
