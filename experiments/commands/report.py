"""`ec-evotorch report`: writes an HTML page about runs."""

from pathlib import Path

from experiments.commands.arguments import add_result_arguments, add_trust_argument, file_named, folder
from experiments.errors import ArgumentParser
from experiments.report.report import report
from experiments.run_folder.atomic_write import write_atomic


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The arguments after the command's name.

    Raises:
        UserError: If an argument is wrong, or runs cannot be read.
    """
    parser = ArgumentParser(
        prog="ec-evotorch report",
        description="Writes one HTML file about runs: warnings, commands, versions, table, curves and networks.",
    )
    add_result_arguments(parser)
    parser.add_argument(
        "--output",
        type=file_named(".html", ".htm"),
        default=Path("report.html"),
        metavar="FILE",
        help="the file to write (default: report.html)",
    )
    parser.add_argument(
        "--network",
        type=folder,
        metavar="RUN",
        help="draw the network of this run (default: of the best EC run on spiking neurons in each environment)",
    )
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)
    page = report(
        arguments.runs, arguments.network, arguments.at_steps, arguments.score, arguments.method, arguments.trust
    )
    write_atomic(arguments.output, page.encode(errors="replace"))
    print(arguments.output)
