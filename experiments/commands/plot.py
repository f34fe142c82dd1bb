"""`ec-evotorch plot`: draws curves, scores or a map of surrogates, as PNG or SVG of a paper's column width."""

from pathlib import Path

from experiments.commands.arguments import add_result_arguments, file_named, load_chosen
from experiments.errors import ArgumentParser, results_warnings_as_lines
from experiments.figures.bars import bars
from experiments.figures.curves import BANDS, RETURNS, STATISTICS, X_AXES, curves
from experiments.figures.heat_map import SURROGATE_KEYS, heat_map
from experiments.figures.style import FIGURE_FORMATS, encode
from experiments.run_folder.atomic_write import write_atomic

KINDS = ("curves", "bars", "heatmap")


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
    parser.add_argument("--x", choices=X_AXES, default="steps", help="horizontal axis of curves (default: steps)")
    parser.add_argument(
        "--statistic", choices=STATISTICS, default="mean", help="what is drawn of several seeds (default: mean)"
    )
    parser.add_argument(
        "--returns",
        choices=RETURNS,
        default="centre",
        help="what curves show: evaluations of the centre (default), or the episodes of training",
    )
    parser.add_argument(
        "--band",
        choices=BANDS,
        default="auto",
        help="band around curves: a 95 %% interval, or the range of the runs (default: auto, by the number of seeds)",
    )
    parser.add_argument(
        "--output",
        type=file_named(*(f".{name}" for name in FIGURE_FORMATS)),
        metavar="FILE",
        help="a .png or .svg file (default: curves.png, bars.png or heatmap.png)",
    )
    arguments = parser.parse_args(argv)
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
