"""`ec-evotorch report`: writes an HTML page about runs."""

from pathlib import Path

from experiments.commands.arguments import add_result_arguments
from experiments.errors import ArgumentParser, UserError
from experiments.report.report import report
from experiments.run_folder.atomic_write import write_atomic


def main(argv: list[str]) -> None:
    """Runs the command.

    Raises:
        UserError: If an argument is wrong, or runs cannot be read.
    """
    parser = ArgumentParser(
        prog="ec-evotorch report",
        description="Writes one HTML file: warnings, commands, versions, table, curves, networks and runs.",
    )
    add_result_arguments(parser)
    parser.add_argument("--output", type=Path, default=Path("report.html"), help="default: report.html")
    parser.add_argument(
        "--network",
        type=Path,
        metavar="RUN",
        help="draw the network of this run (default: of the best EC run on spiking neurons in each environment)",
    )
    arguments = parser.parse_args(argv)
    if arguments.output.suffix not in (".html", ".htm"):
        raise UserError(f"--output: expected a name that ends in .html; got '{arguments.output}'")
    page = report(arguments.runs, arguments.network, arguments.at_steps, arguments.score, arguments.method)
    write_atomic(arguments.output, page.encode(errors="replace"))
    print(arguments.output)
