"""`ec-evotorch plot`: draws curves, scores or a map of surrogates, as PNG or SVG of a paper's column width."""

from argparse import Namespace
from pathlib import Path

from experiments.commands.arguments import add_result_arguments, file_named, load_chosen
from experiments.errors import ArgumentParser, UserError, results_warnings_as_lines
from experiments.figures.bars import bars
from experiments.figures.curves import BANDS, RETURNS, STATISTICS, X_AXES, curves
from experiments.figures.heat_map import SURROGATE_KEYS, heat_map
from experiments.figures.style import FIGURE_FORMATS, encode
from experiments.run_folder.atomic_write import write_atomic

KINDS = ("curves", "bars", "heatmap")
DEFAULTS = {"x": "steps", "statistic": "mean", "returns": "centre", "band": "auto"}
TAKEN = {"curves": tuple(DEFAULTS), "bars": ("statistic",), "heatmap": ()}  # kind -> those of these options it has


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The arguments after the command's name.

    Raises:
        UserError: If an argument is wrong, or runs cannot be read.
    """
    parser = ArgumentParser(
        prog="ec-evotorch plot",
        description="Draws the returns of runs: learning curves, scores as bars, or a heat map of surrogate gradients.",
    )
    add_result_arguments(parser)
    parser.add_argument("--kind", choices=KINDS, default="curves", help="what to draw (default: curves)")
    parser.add_argument("--x", choices=X_AXES, help="horizontal axis of curves (default: steps)")
    parser.add_argument("--statistic", choices=STATISTICS, help="what is drawn of several seeds (default: mean)")
    parser.add_argument(
        "--returns",
        choices=RETURNS,
        help="what curves show: evaluations of the centre (default), or the episodes of training",
    )
    parser.add_argument(
        "--band",
        choices=BANDS,
        help="band around curves: a 95 %% interval, or the range of the runs (default: auto, by the number of seeds)",
    )
    parser.add_argument(
        "--output",
        type=file_named(*(f".{name}" for name in FIGURE_FORMATS)),
        metavar="FILE",
        help="a .png or .svg file (default: curves.png, bars.png or heatmap.png)",
    )
    arguments = parser.parse_args(argv)
    _set_defaults(arguments)
    output = arguments.output or Path(f"{arguments.kind}.png")
    at_steps, score = arguments.at_steps, arguments.score
    with results_warnings_as_lines(parser.prog):
        frame = load_chosen(arguments, SURROGATE_KEYS if arguments.kind == "heatmap" else ())
        if arguments.kind == "curves":
            figure = curves(frame, arguments.x, arguments.statistic, arguments.returns, arguments.band)
        elif arguments.kind == "bars":
            figure = bars(frame, arguments.statistic, at_steps, score)
        else:
            figure = heat_map(frame, at_steps, score)
    write_atomic(output, encode(figure, output.suffix.removeprefix(".")))
    print(output)


def _set_defaults(arguments: Namespace) -> None:
    """Gives the options of a kind of figure their defaults.

    Raises:
        UserError: For an option that this kind would not heed.
    """
    for name, default in DEFAULTS.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
        elif name not in TAKEN[arguments.kind]:
            kinds = " or ".join(kind for kind in KINDS if name in TAKEN[kind])
            raise UserError(f"--{name}: expected only with --kind {kinds}; got --kind {arguments.kind}")
