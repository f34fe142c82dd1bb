"""`ec-evotorch plot`: curves, scores or a map of surrogates, as PNG or SVG of a paper's column width."""

from pathlib import Path

from experiments.commands.arguments import add_result_arguments, load_chosen
from experiments.errors import ArgumentParser, UserError, results_warnings_as_lines
from experiments.figures.bars import bars
from experiments.figures.curves import RETURNS, STATISTICS, X_AXES, curves
from experiments.figures.heat_map import SURROGATE_KEYS, heat_map
from experiments.figures.style import encode
from experiments.run_folder.atomic_write import write_atomic

KINDS = ("curves", "bars", "heatmap")
FORMATS = ("png", "svg")


def main(argv: list[str]) -> None:
    """Runs the command.

    Raises:
        UserError: If an argument is wrong, or runs cannot be read.
    """
    parser = ArgumentParser(
        prog="ec-evotorch plot",
        description="Draws the returns of runs: learning curves, scores as bars, or a heat map of surrogate gradients.",
    )
    add_result_arguments(parser)
    parser.add_argument("--kind", choices=KINDS, default="curves", help="default: curves")
    parser.add_argument("--x", choices=X_AXES, default="steps", help="of curves (default: steps)")
    parser.add_argument("--statistic", choices=STATISTICS, default="mean", help="over seeds (default: mean)")
    parser.add_argument(
        "--returns",
        choices=RETURNS,
        default="centre",
        help="of curves: the centre's evaluations (default) or training's",
    )
    parser.add_argument(
        "--band", choices=("auto", "interval", "range"), default="auto", help="of curves (default: auto)"
    )
    parser.add_argument("--output", type=Path, help="a .png or .svg file (default: KIND.png)")
    arguments = parser.parse_args(argv)
    output = arguments.output or Path(f"{arguments.kind}.png")
    file_format = output.suffix.removeprefix(".")
    if file_format not in FORMATS:
        raise UserError(f"--output: expected a name that ends in .png or .svg; got '{output}'")
    at_steps, score = arguments.at_steps, arguments.score
    with results_warnings_as_lines(parser.prog):
        frame = load_chosen(arguments, SURROGATE_KEYS if arguments.kind == "heatmap" else ())
        if arguments.kind == "curves":
            figure = curves(frame, arguments.x, arguments.statistic, arguments.returns, arguments.band)
        elif arguments.kind == "bars":
            figure = bars(frame, arguments.statistic, at_steps, score)
        else:
            figure = heat_map(frame, at_steps, score)
    write_atomic(output, encode(figure, file_format))
    print(output)
