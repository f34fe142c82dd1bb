"""One table of texts for everything that is printed, and how it looks on a terminal, in Markdown and in LaTeX."""

import io
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.plain_text import plain

MISSING = "–"
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
    "≤": r"$\le$",
    "≈": r"$\approx$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
}


class TextTable(NamedTuple):
    """A table of texts.

    Attributes:
        header: The name of each column.
        rows: The cells of each row.
        num_left: The first so many columns are names and flush left; the others are numbers and flush right.
        notes: Lines that stand below the table.
        title: A line that stands above it, "" for none.
    """

    header: list[str]
    rows: list[list[str]]
    num_left: int
    notes: Sequence[str] = ()
    title: str = ""


def text_table_of(frame: pd.DataFrame, title: str) -> TextTable:
    """Returns a data frame as texts; columns before the first column of numbers are names."""
    is_number = [pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]
    rows = [
        [short_number(value) if isinstance(value, float) else str(value) for value in row]
        for row in frame.itertuples(index=False)
    ]
    return TextTable(list(frame), rows, [*is_number, True].index(True), title=title)


def print_table(console: Console, table: TextTable) -> None:
    """Prints a table, wider than the console where it must be, so that no number is cut or broken.

    Args:
        console: Where to; its width grows to that of the table.
        table: The table.
    """
    table = _plain(table, console.encoding)
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(table.header):
        drawn.add_column(name, justify="left" if number < table.num_left else "right", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*row)
    needed = console.measure(drawn, options=console.options.update(width=WIDEST)).maximum
    console.width = max(console.width, needed)
    if table.title:
        console.print(Text(table.title, style="table.title"))
    console.print(drawn)
    for note in table.notes:
        console.print(Text(note, style="table.caption"))


def _plain(table: TextTable, encoding: str) -> TextTable:
    """Returns a table in characters that an encoding has, before its columns are measured."""
    header, notes = ([plain(text, encoding) for text in texts] for texts in (table.header, table.notes))
    rows = [[plain(cell, encoding) for cell in row] for row in table.rows]
    return TextTable(header, rows, table.num_left, notes, plain(table.title, encoding))


def terminal(table: TextTable) -> str:
    """Returns a table as a terminal shows it, without colours."""
    stream = io.StringIO()
    print_table(Console(file=stream, width=NARROWEST), table)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def markdown(table: TextTable) -> str:
    """Returns a table as GitHub's Markdown, with its title above and its notes below."""
    rule = ["---" if number < table.num_left else "---:" for number in range(len(table.header))]
    rows = [table.header, rule, *([cell.replace("|", "\\|") for cell in row] for row in table.rows)]
    title = f"**{table.title}**\n\n" if table.title else ""
    return title + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "".join(f"\n{note}\n" for note in table.notes)


def latex(table: TextTable) -> str:
    """Returns a table as a tabular for LaTeX's booktabs package, with its title and its notes as comments."""
    alignment = "".join("l" if number < table.num_left else "r" for number in range(len(table.header)))
    lines = [f"% {table.title}"] if table.title else []
    lines += [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", _latex_row(table.header), r"\midrule"]
    lines += [_latex_row(row) for row in table.rows]
    lines += [r"\bottomrule", r"\end{tabular}", *(f"% {note}" for note in table.notes)]
    return "\n".join(lines) + "\n"


TABLE_FORMATS: dict[str, Callable[[TextTable], str]] = {"terminal": terminal, "markdown": markdown, "latex": latex}


def with_interval(value: float, low: float, high: float) -> str:
    """Returns "0.7 [0.5, 0.9]", or the value alone where it has no interval."""
    return short_number(value) if pd.isna(low) else f"{short_number(value)} [{short_number(low)}, {short_number(high)}]"


def short_number(value: float) -> str:
    """Returns "1,234" from a hundred up, three digits below, and a dash for what is not known (NaN)."""
    if math.isnan(value):
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.3g}"


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join("".join(LATEX.get(character, character) for character in cell) for cell in cells) + r" \\"
