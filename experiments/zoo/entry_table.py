"""The zoo as a table: what plays where, how large it is, how well it does, and how it was trained."""

from collections.abc import Mapping

from rich.console import Console

from experiments.analysis.text_table import TextTable, print_table
from experiments.zoo.entry import Entry

BITS = {"bool": 1, "float32": 32}
HEADER = ["name", "environment", "agent", "connections", "bits each", "steps", "return"]


def zoo_table(entries: Mapping[str, Entry]) -> TextTable:
    """Returns a table with a row for each entry, and below it the command that trained each.

    Args:
        entries: Name -> what is known of the policy.
    """
    rows = [
        [
            f"zoo/{name}",
            entry.environment,
            entry.agent,
            f"{entry.connections:,} of {entry.possible_connections:,}",
            str(BITS[entry.dtype]),
            f"{entry.steps:,}",
            f"{entry.mean_return:,.1f} ± {entry.score['return']['std']:,.1f}",
        ]
        for name, entry in entries.items()
    ]
    notes = [f"zoo/{name}: {entry.command}" for name, entry in entries.items()]
    return TextTable(HEADER, rows, 3, notes, title="The zoo: returns in plain episodes, mean ± standard deviation")


def print_zoo(entries: Mapping[str, Entry]) -> None:
    """Prints `zoo_table`, wider than the terminal where it must be, so that no command is broken."""
    console, table = Console(), zoo_table(entries)
    console.width = max(console.width, *map(len, table.notes))
    print_table(console, table)
