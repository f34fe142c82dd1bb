"""Options that several commands share, and readers of their values.

A reader turns the text of an option into its value. Where it cannot, its message says what was expected and what came,
and argparse puts the name of the option in front.
"""

import math
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
from rich.console import Console

from experiments.analysis.load_results import choose_methods, load
from experiments.analysis.summary import SCORES
from experiments.analysis.text_table import TABLE_FORMATS, TextTable, print_table
from experiments.errors import ArgumentParser, UserError
from experiments.run_config.targets import locate_package
from experiments.run_folder.atomic_write import write_atomic

CSV = "csv"  # of the numbers, where the other formats have texts
FORMATS = (*TABLE_FORMATS, CSV)
FORMAT_OF_SUFFIX = {".md": "markdown", ".csv": CSV, ".tex": "latex", ".txt": "terminal", "": "terminal"}


def whole_number(minimum: int) -> Callable[[str], int]:
    """Returns a reader of whole numbers of at least `minimum`; 1000000 and 1e6 are the same."""
    return _reader(f"a whole number, at least {minimum}", _whole, lambda value: value >= minimum)


def whole_number_in(minimum: int, maximum: int, *, even: bool = False) -> Callable[[str], int]:
    """Returns a reader of whole numbers in [minimum, maximum], or of the even ones among them."""
    expected = f"{'an even' if even else 'a whole'} number from {minimum} to {maximum}"
    return _reader(expected, _whole, lambda value: minimum <= value <= maximum and not (even and value % 2))


def positive_number(text: str) -> float:
    """Reads a finite number above zero."""
    return _reader("a positive number", float, lambda value: 0.0 < value < math.inf)(text)


def finite_number(text: str) -> float:
    """Reads a number that is neither infinite nor NaN."""
    return _reader("a number", float, math.isfinite)(text)


def share(text: str) -> float:
    """Reads a number from 0 to 1."""
    return _reader("a number in [0, 1]", float, lambda value: 0.0 <= value <= 1.0)(text)


def list_of(read: Callable[[str], float]) -> Callable[[str], list[float]]:
    """Returns a reader of numbers with commas between them, each read by `read`."""
    return lambda text: [read(part) for part in text.split(",")]


def number_from_zero(text: str) -> float:
    """Reads a finite number of at least 0."""
    return _reader("a number, at least 0", float, lambda value: 0.0 <= value < math.inf)(text)


def package(text: str) -> str:
    """Reads the name of a package, or the path of its file or folder."""
    try:
        locate_package(text)
    except ValueError as error:
        raise ArgumentTypeError(error) from error
    return text


def folder(text: str) -> Path:
    """Reads the path of a folder that exists."""
    if not Path(text).is_dir():
        raise ArgumentTypeError(f"'{text}' is not a folder")
    return Path(text)


def file(text: str) -> Path:
    """Reads the path of a file, there or not."""
    if Path(text).is_dir():
        raise ArgumentTypeError(f"expected a file; '{text}' is a folder")
    return Path(text)


def folder_to_make(text: str) -> Path:
    """Reads the path of a folder, there or not, in a folder that exists."""
    path = Path(text)
    if path.exists():
        return folder(text)
    folder(str(path.parent))
    return path


def file_in_a_folder(text: str) -> Path:
    """Reads the path of a file, there or not, in a folder that exists."""
    path = file(text)
    folder(str(path.parent))
    return path


def file_named(*suffixes: str) -> Callable[[str], Path]:
    """Returns a reader of paths of files whose names end in one of some suffixes."""

    def read(text: str) -> Path:
        path = file(text)
        if path.suffix not in suffixes:
            raise ArgumentTypeError(f"expected a name that ends in {' or '.join(suffixes)}; got '{text}'")
        return path

    return read


def file_in_a_folder_named(*suffixes: str) -> Callable[[str], Path]:
    """Returns a reader of paths of files whose names end in one of some suffixes, in a folder that exists."""
    named = file_named(*suffixes)
    return lambda text: file_in_a_folder(str(named(text)))


def add_policy_argument(parser: ArgumentParser) -> None:
    """Adds the run whose policy a command uses, which `experiments.zoo.zoo.resolve` finds."""
    parser.add_argument(
        "run", type=Path, help="the folder of a run, or zoo/NAME for a policy that comes with this package"
    )


def add_trust_argument(parser: ArgumentParser) -> None:
    """Adds --trust: packages whose code a file that comes from elsewhere may name, see `check_targets`."""
    parser.add_argument(
        "--trust",
        type=package,
        action="append",
        default=[],
        metavar="PACKAGE",
        help="let the run use code of this package, given by its name or by the path of its file or folder; may be "
        "given several times (default: only the few names of ec-evotorch and EvoTorch that training writes)",
    )


def add_episode_arguments(parser: ArgumentParser) -> None:
    """Adds what says which episodes are shown: --episodes, --seed and --max-seconds."""
    parser.add_argument(
        "--episodes",
        type=whole_number(1),
        default=1,
        metavar="N",
        help="how many episodes to show, one after another (default: 1)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        default=0,
        help="chooses the episodes: the first of evaluate with this seed (default: 0)",
    )
    parser.add_argument(
        "--max-seconds",
        type=positive_number,
        metavar="S",
        help="cut each episode off after so many seconds of its own time (default: not; 60 where the environment has no"
        " limit of steps)",
    )


def add_output_arguments(parser: ArgumentParser) -> None:
    """Adds what `write_table` needs: --format and --output."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="how the table is written; default: by the suffix of --output (.md, .csv, .tex, .txt), or terminal",
    )
    parser.add_argument("--output", type=file, metavar="FILE", help="write the table into this file")


def check_output(arguments: Namespace) -> None:
    """Checks that the format of a table is known, before the runs are read.

    Args:
        arguments: The parsed arguments, with those of `add_output_arguments`.

    Raises:
        UserError: If neither --format nor the name of the file says it.
    """
    output = arguments.output
    if output is not None and arguments.format is None and output.suffix not in FORMAT_OF_SUFFIX:
        names = ", ".join(filter(None, FORMAT_OF_SUFFIX))
        raise UserError(f"--output: expected a name that ends in one of {names}, or --format too; got '{output}'")


def write_table(arguments: Namespace, numbers: pd.DataFrame, texts: TextTable) -> None:
    """Prints a table, or writes it into the file that was asked for.

    Args:
        arguments: The parsed arguments, with those of `add_output_arguments`.
        numbers: The table for CSV, with all digits.
        texts: The table for the other formats.

    Raises:
        UserError: If the file cannot be written.
    """
    output = arguments.output
    chosen = arguments.format or FORMAT_OF_SUFFIX.get(output.suffix if output else "", "terminal")
    if output is None and chosen == "terminal":
        print_table(Console(), texts)
        return
    text = numbers.to_csv(index=False, lineterminator="\n") if chosen == CSV else TABLE_FORMATS[chosen](texts)
    if output is None:
        print(text, end="")
    else:
        write_atomic(output, text.encode(errors="replace"))


def add_result_arguments(parser: ArgumentParser) -> None:
    """Adds what every command that compares results takes: runs, --method, --at-steps and --score."""
    parser.add_argument(
        "runs", nargs="+", help="folders of runs, folders that hold such folders, globs ('runs/**'), or saved CSV files"
    )
    parser.add_argument(
        "--method",
        action="append",
        metavar="METHOD",
        help="compare only this method, such as EC-RSNN; may be given several times (default: all methods)",
    )
    parser.add_argument(
        "--at-steps",
        type=whole_number(1),
        metavar="STEPS",
        help="compare after this many environment steps (default: the smallest budget of each environment)",
    )
    parser.add_argument(
        "--score",
        choices=SCORES,
        default="final",
        help="a run's score: the last evaluation of its centre (final, the default) or the mean of the last five",
    )


def load_chosen(arguments: Namespace, config: Iterable[str] = ()) -> pd.DataFrame:
    """Returns what `load` reads for the arguments of `add_result_arguments`.

    Args:
        arguments: The parsed arguments.
        config: Further keys of the runs' configurations, as for `load`.

    Raises:
        UserError: If the runs cannot be read, or a method is not there.
    """
    frame = load(arguments.runs, config)
    return frame if arguments.method is None else choose_methods(frame, arguments.method)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        value = float(text)
        if not value.is_integer():
            raise
        return int(value)


def _reader(expected: str, read: Callable[[str], float], is_allowed: Callable[[float], bool]) -> Callable:
    def parse(text: str) -> float:
        try:
            value = read(text)
        except (ValueError, OverflowError):
            raise ArgumentTypeError(f"expected {expected}; got {text!r}") from None
        if not is_allowed(value):
            raise ArgumentTypeError(f"expected {expected}; got {text.strip()}")
        return value

    return parse
