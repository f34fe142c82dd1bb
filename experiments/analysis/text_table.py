"""`ec-evotorch table`: compares methods, on the terminal or as Markdown, CSV or LaTeX."""

import io
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

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


def with_interval(value: float, low: float, high: float) -> str:
    """Returns "0.7 [0.5, 0.9]", or the value alone where it has no interval."""
    return short_number(value) if pd.isna(low) else f"{short_number(value)} [{short_number(low)}, {short_number(high)}]"


MISSING = "–"


def short_number(value: float) -> str:
    """Returns "1,234" from a hundred up, three digits below, and a dash for what is not known (NaN)."""
    if math.isnan(value):
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.3g}"
