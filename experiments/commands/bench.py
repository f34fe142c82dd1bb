"""`ec-evotorch bench`: measures speeds, all in one run of this machine, as ratios."""

import logging
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from experiments.analysis.text_table import short_number
from experiments.bench.scaling import measure_bytes, measure_memory, measure_workers, simulate_clusters
from experiments.bench.speed import (
    FIRST_MEASURED_GENERATION,
    measure_agents,
    measure_environments,
    measure_gradients,
    measure_sizes,
    measure_trainings,
)
from experiments.errors import ArgumentParser, UserError


def main(argv: list[str]) -> None:
    """Runs the command: prints the chosen tables."""
    parser = ArgumentParser(
        prog="ec-evotorch bench",
        description="Measures environments, agents and whole trainings against the speed of the bare physics.",
        epilog="Ratios are medians over rounds in which the contenders take turns. Close other programs first.",
    )
    parser.add_argument("tables", nargs="*", metavar="table", help=f"which (default: all): {', '.join(TABLES)}")
    parser.add_argument("--seconds", type=float, default=3.0, help="duration of one measurement (default: 3)")
    parser.add_argument("--num-envs", type=int, default=64, help="sub-environments (default: 64)")
    parser.add_argument("--csv", type=Path, help="also write each table to a CSV file in this folder")
    arguments = parser.parse_args(argv)
    for name in ("seconds", "num_envs"):
        if getattr(arguments, name) <= 0:
            raise UserError(f"--{name.replace('_', '-')}: expected a positive number; got {getattr(arguments, name)}")
    for name in arguments.tables:
        if name not in TABLES:
            raise UserError(f"expected tables among {', '.join(TABLES)}; got '{name}'")
    if arguments.csv is not None and not arguments.csv.is_dir():
        raise UserError(f"--csv: '{arguments.csv}' is not a folder")
    logging.getLogger("evotorch").setLevel(logging.WARNING)
    console = Console()
    for name in arguments.tables or TABLES:
        make_rows, title = TABLES[name]
        with console.status(f"measuring {name}"):
            rows = pd.DataFrame(list(make_rows(arguments.num_envs, arguments.seconds)))
        _print_table(console, title, rows)
        if arguments.csv is not None:
            rows.to_csv(arguments.csv / f"{name}.csv", index=False)


TABLES = {
    "environments": (measure_environments, "Environments, all sub-environments running, all cores"),
    "agents": (measure_agents, "Agents, one slot, one environment step, one core"),
    "trainings": (measure_trainings, f"Whole trainings from generation {FIRST_MEASURED_GENERATION} on, all cores"),
    "gradients": (measure_gradients, "Backpropagation through time and PPO on Hopper-v5, all cores"),
    "sizes": (measure_sizes, "1-bit EC against fp32 ES on the same spiking network: speed ratios"),
    "memory": (measure_memory, "One generation of EC on Humanoid-v5 in one process"),
    "bytes": (measure_bytes, "A generation of EC on Hopper-v5 with two Ray workers"),
    "workers": (measure_workers, "EC on Hopper-v5 with Ray workers of one thread each"),
    "clusters": (simulate_clusters, "A generation of the paper's size on Humanoid-v5: simulated workers, real driver"),
}


def _print_table(console: Console, title: str, rows: pd.DataFrame) -> None:
    table = Table(title=title)
    for name, values in rows.items():
        table.add_column(name, justify="right" if pd.api.types.is_numeric_dtype(values) else "left", overflow="fold")
    for row in rows.itertuples(index=False):
        table.add_row(*(short_number(value) if isinstance(value, float) else str(value) for value in row))
    console.print(table)
