"""`ec-evotorch evaluate`: plays the policy of a run in plain Gymnasium and prints a table of returns and lengths."""

import json
import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.errors import ArgumentParser, UserError
from experiments.evaluation.episodes import evaluate, load_policy_of_run, summarise
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.layout import EVALUATION


def main(argv: list[str]) -> None:
    """Runs the command.

    Raises:
        UserError: If an argument is wrong, or the run has no policy that can be read.
    """
    parser = ArgumentParser(
        prog="ec-evotorch evaluate",
        description="Plays the policy of a run in plain gymnasium.make(...) episodes; saves evaluation.json there.",
    )
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("--episodes", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="which episodes; never those of training (default: 0)")
    parser.add_argument("--workers", type=int, help="processes; the result does not depend on it (default: by need)")
    parser.add_argument("--csv", type=Path, help="also write seed, return and length of every episode to this file")
    arguments = parser.parse_args(argv)
    for name, minimum in (("episodes", 1), ("seed", 0), ("workers", 1)):
        value = getattr(arguments, name)
        if value is not None and value < minimum:
            raise UserError(f"--{name}: expected a whole number, at least {minimum}; got {value}")
    if arguments.csv is not None and not arguments.csv.resolve().parent.is_dir():
        raise UserError(f"--csv: '{arguments.csv.parent}' is not a folder")

    env = load_policy_of_run(arguments.run).env
    if not os.access(arguments.run, os.W_OK):
        raise UserError(f"'{arguments.run}': cannot write {EVALUATION} there")
    episodes = evaluate(arguments.run, arguments.episodes, arguments.seed, arguments.workers)
    summary = {column: summarise(episodes[column]) for column in ("return", "length")}
    _print_table(f"{env['id']}: {len(episodes)} plain episodes", summary)
    report = {"env": env, "episodes": len(episodes), "seed": arguments.seed, **summary}
    report["returns"], report["lengths"] = episodes["return"].tolist(), episodes["length"].tolist()
    write_atomic(arguments.run / EVALUATION, (json.dumps(report, indent=2) + "\n").encode())
    if arguments.csv is not None:
        write_atomic(arguments.csv, episodes.to_csv(index_label="episode").encode())


def _print_table(title: str, summary: dict[str, dict[str, float]]) -> None:
    table = Table(title=title)
    table.add_column("")
    for statistic in summary["return"]:
        table.add_column(statistic, justify="right")
    for name, statistics in summary.items():
        table.add_row(name, *(f"{value:,.1f}" for value in statistics.values()))
    Console().print(table)
