"""Options that several commands share."""

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from rich.console import Console

from experiments.analysis.load_results import choose_methods, load
from experiments.analysis.summary import SCORES
from experiments.analysis.text_table import FORMATS, TextTable, print_table
from experiments.errors import ArgumentParser
from experiments.run_folder.atomic_write import write_atomic

FORMAT_OF_SUFFIX = {".md": "markdown", ".csv": "csv", ".tex": "latex"}


def add_trust_argument(parser: ArgumentParser) -> None:
    """Adds --trust: packages whose code a file that comes from elsewhere may name, see `check_targets`."""
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="let the run use code of this package, given by its name or by the path of its file or folder; may be "
        "given several times (default: only ec-evotorch's own packages and EvoTorch)",
    )


def add_output_arguments(parser: ArgumentParser) -> None:
    """Adds what `write_table` needs: --format and --output."""
    parser.add_argument(
        "--format", choices=FORMATS, help="default: by the output's suffix (.md, .csv, .tex), or terminal"
    )
    parser.add_argument("--output", type=Path, help="write to this file")


def write_table(arguments: Namespace, numbers: pd.DataFrame, texts: TextTable) -> None:
    """Prints a table, or writes it to the file that was asked for; CSV gets the numbers, the others the texts.

    Raises:
        UserError: If the file cannot be written.
    """
    output = arguments.output
    chosen = arguments.format or FORMAT_OF_SUFFIX.get(output.suffix if output else "", "terminal")
    if output is None and chosen == "terminal":
        print_table(Console(), texts)
        return
    text = numbers.to_csv(index=False, lineterminator="\n") if chosen == "csv" else FORMATS[chosen](texts)
    if output is None:
        print(text, end="")
    else:
        write_atomic(output, text.encode())


def add_result_arguments(parser: ArgumentParser) -> None:
    """Adds what every command that compares results takes: runs, --method, --at-steps and --score."""
    parser.add_argument("runs", nargs="+", help="folders, globs such as 'runs/**', or CSV files of results")
    parser.add_argument(
        "--method", action="append", help="this method, as EC-RSNN; may be given several times (default: all)"
    )
    parser.add_argument("--at-steps", type=_steps, metavar="STEPS", help="compare here (default: the smallest budget)")
    parser.add_argument(
        "--score",
        choices=SCORES,
        default="final",
        help="the centre's last evaluation (final, the default) or the mean of its last five (last5)",
    )


def load_chosen(arguments: Namespace, config: Iterable[str] = ()) -> pd.DataFrame:
    """Returns what `load` reads for the arguments of `add_result_arguments`.

    Raises:
        UserError: As `load` and `choose_methods`.
    """
    frame = load(arguments.runs, config)
    return frame if arguments.method is None else choose_methods(frame, arguments.method)


def _steps(text: str) -> int:
    """Reads 1000000 and 1e6 alike."""
    value = float(text)
    if not value.is_integer():
        raise ValueError
    return int(value)
