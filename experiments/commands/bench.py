"""`ec-evotorch bench`: measures speeds, all in one run of this machine, as ratios."""

import pandas as pd
from rich.console import Console

from ec_evotorch.logging import quiet_evotorch
from experiments.analysis.text_table import print_table, text_table_of
from experiments.bench.tables import ONLY_IF_NAMED, TABLES
from experiments.commands.arguments import folder, positive_number, whole_number
from experiments.errors import ArgumentParser, UserError


def main(argv: list[str]) -> None:
    """Runs the command: measures and prints the chosen tables.

    Args:
        argv: The arguments after the command's name.

    Raises:
        UserError: If an argument is wrong.
    """
    parser = ArgumentParser(
        prog="ec-evotorch bench",
        description="Measures environments, agents and whole trainings against the speed of the bare physics.",
        epilog="Ratios are medians over rounds in which the contenders take turns. Close other programs first.",
    )
    parser.add_argument("tables", nargs="*", metavar="table", help=f"{', '.join(TABLES)} (default: all but device)")
    parser.add_argument("--seconds", type=positive_number, default=3.0, help="duration of one measurement (default: 3)")
    parser.add_argument(
        "--num-envs", type=whole_number(1), default=64, metavar="N", help="sub-environments (default: 64)"
    )
    parser.add_argument("--csv", type=folder, metavar="FOLDER", help="also write each table to a CSV file in there")
    arguments = parser.parse_args(argv)
    for name in arguments.tables:
        if name not in TABLES:
            raise UserError(f"expected tables among {', '.join(TABLES)}; got '{name}'")
    quiet_evotorch()
    console = Console()
    for name in arguments.tables or [name for name in TABLES if name not in ONLY_IF_NAMED]:
        make_rows, title = TABLES[name]
        with console.status(f"measuring {name}"):
            rows = pd.DataFrame(list(make_rows(arguments.num_envs, arguments.seconds)))
        print_table(console, text_table_of(rows, title))
        if arguments.csv is not None:
            rows.to_csv(arguments.csv / f"{name}.csv", index=False)
