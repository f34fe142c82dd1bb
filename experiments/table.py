"""`ec-evotorch table`: compares methods, on the terminal or as Markdown, CSV or LaTeX."""

import io
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from experiments.atomic import write_atomic
from experiments.errors import ArgumentParser, results_warnings_as_lines
from experiments.results import choose_methods, load, summary
from experiments.short_number import MISSING, short_number
from experiments.summary import SCORE_IN_WORDS, SCORES

FORMAT_OF_SUFFIX = {".md": "markdown", ".csv": "csv", ".tex": "latex"}
NARROWEST, WIDEST = 80, 1_000  # characters of a table for the terminal
LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
    ">": "$>$",
    "≥": r"$\ge$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
}


class TextTable(NamedTuple):
    """A table of texts: the first `num_left` columns are names, the others numbers; notes stand below it."""

    header: list[str]
    rows: list[list[str]]
    num_left: int
    notes: list[str]


def main(argv: list[str]) -> None:
    """Runs the command.

    Raises:
        UserError: If an argument is wrong, or runs cannot be read.
    """
    parser = ArgumentParser(
        prog="ec-evotorch table",
        description="Compares methods by the returns of their centres: a row for each environment and method.",
    )
    add_result_arguments(parser)
    parser.add_argument("--threshold", type=float, help="also steps and seconds until the centre returns this much")
    parser.add_argument("--against", metavar="METHOD", help="also the probability to beat this method, as ES-RSNN")
    add_output_arguments(parser)
    arguments = parser.parse_args(argv)
    with results_warnings_as_lines(parser.prog):
        table = summary(
            load_chosen(arguments),
            at_steps=arguments.at_steps,
            score=arguments.score,
            threshold=arguments.threshold,
            against=arguments.against,
        )
    write_table(arguments, table, text_table(table, arguments.score, arguments.threshold, arguments.against))


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


def text_table(table: pd.DataFrame, score: str, threshold: float | None, against: str | None) -> TextTable:
    """Returns a `summary` as texts; what it was called with goes into header and notes."""
    columns: dict[str, list[str]] = {"environment": list(table.environment), "method": list(table.method)}
    if table.environment.nunique() == 1:
        del columns["environment"]  # it is in the first note
    num_left = len(columns)
    columns["n"] = [str(n) for n in table.n]
    columns["mean ± std"] = [_mean_and_std(row) for row in table.itertuples()]
    columns["median"] = list(map(short_number, table["median"]))
    columns["IQM [95 %]"] = [with_interval(*row) for row in table[["iqm", "iqm_low", "iqm_high"]].to_numpy()]
    columns["area"] = list(map(short_number, table.area))
    notes = [
        f"{_where(table)}; {SCORE_IN_WORDS[score]}, own reward; mean and sample std over n seeds",
        "[95 %]: bootstrap interval over seeds; an IQM of fewer than 4 is their mean; area: mean height of the curve",
    ]
    if threshold is not None:
        name = f"steps to {short_number(threshold)}"
        columns[name] = [_reached(row.steps_to_threshold, row.reached, row.n) for row in table.itertuples()]
        columns["seconds"] = list(map(short_number, table.seconds_to_threshold))
        notes.append(f"{name}, seconds: medians over seeds (in brackets: how many got there)")
    if against is not None:
        intervals = table[["improvement", "improvement_low", "improvement_high"]].to_numpy()
        columns[f"P(> {against})"] = [with_interval(*row) for row in intervals]
    marks = {note: f"({number})" for number, note in enumerate(filter(None, table.note.drop_duplicates()), start=1)}
    if marks:
        columns["note"] = [marks.get(note, "") for note in table.note]
        notes += [f"{mark} {note}" for note, mark in marks.items()]
    return TextTable(list(columns), [list(row) for row in zip(*columns.values(), strict=True)], num_left, notes)


def print_table(console: Console, table: TextTable) -> None:
    """Prints the table, wider than the console where it must be: a number is never cut or broken."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption="\n".join(table.notes), caption_justify="left")
    for number, name in enumerate(table.header):
        drawn.add_column(name, justify="left" if number < table.num_left else "right", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*row)
    needed = console.measure(drawn, options=console.options.update(width=WIDEST)).maximum
    console.width = max(console.width, needed)
    console.print(drawn)


def terminal(table: TextTable) -> str:
    """Returns the table as a terminal shows it, without colours."""
    stream = io.StringIO()
    print_table(Console(file=stream, width=NARROWEST), table)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def markdown(table: TextTable) -> str:
    """Returns a table of GitHub's Markdown, notes below."""
    rule = ["---" if number < table.num_left else "---:" for number in range(len(table.header))]
    rows = [table.header, rule, *([cell.replace("|", "\\|") for cell in row] for row in table.rows)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows) + "".join(f"\n{note}\n" for note in table.notes)


def latex(table: TextTable) -> str:
    """Returns a tabular for LaTeX's booktabs package, notes as comments below."""
    alignment = "".join("l" if number < table.num_left else "r" for number in range(len(table.header)))
    lines = [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", _latex_row(table.header), r"\midrule"]
    lines += [_latex_row(row) for row in table.rows]
    lines += [r"\bottomrule", r"\end{tabular}", *(f"% {note}" for note in table.notes)]
    return "\n".join(lines) + "\n"


FORMATS: dict[str, Callable[[TextTable], str] | None] = {
    "terminal": terminal,
    "markdown": markdown,
    "csv": None,
    "latex": latex,
}


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join("".join(LATEX.get(character, character) for character in cell) for cell in cells) + r" \\"


def _mean_and_std(row) -> str:
    return short_number(row.mean) if pd.isna(row.std) else f"{short_number(row.mean)} ± {short_number(row.std)}"


def with_interval(value: float, low: float, high: float) -> str:
    """Returns "0.7 [0.5, 0.9]", or the value alone where it has no interval."""
    return short_number(value) if pd.isna(low) else f"{short_number(value)} [{short_number(low)}, {short_number(high)}]"


def _reached(steps: float, reached: int, n: int) -> str:
    return f"{short_number(steps)} ({reached}/{n})" if n else MISSING


def _where(table: pd.DataFrame) -> str:
    steps = table.drop_duplicates("environment").set_index("environment").at_steps
    return "; ".join(f"{environment} at {value:,} environment steps" for environment, value in steps.items())


def _steps(text: str) -> int:
    """Reads 1000000 and 1e6 alike."""
    value = float(text)
    if not value.is_integer():
        raise ValueError
    return int(value)
