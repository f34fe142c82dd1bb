"""`ec-evotorch evaluate`: plays a policy in plain Gymnasium, or lists the policies of the zoo."""

from argparse import Namespace
from pathlib import Path

from rich.console import Console

from experiments.analysis.text_table import print_table
from experiments.commands.arguments import add_trust_argument, file_in_a_folder, whole_number
from experiments.errors import ArgumentParser, UserError, results_warnings_as_lines
from experiments.evaluation.episodes import (
    check_can_save,
    default_workers,
    evaluate,
    evaluation_table,
    load_policy_of_run,
    save_evaluation,
)
from experiments.run_folder.atomic_write import write_atomic
from experiments.zoo.entry import is_entry, read_entry
from experiments.zoo.entry_table import print_zoo
from experiments.zoo.zoo import FOLDER, is_whole_zoo, names, resolve


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The arguments after the command's name.

    Raises:
        UserError: If an argument is wrong, or the run has no policy that can be read.
    """
    parser = ArgumentParser(
        prog="ec-evotorch evaluate",
        description="Plays the policy of a run in plain gymnasium.make(...) episodes, and saves evaluation.json in the"
        " folder of the run; or plays a policy of the zoo, and saves nothing.",
    )
    parser.add_argument(
        "run",
        type=Path,
        help="the folder of a run; zoo/NAME for a policy that comes with this package; zoo lists those",
    )
    parser.add_argument(
        "--episodes", type=whole_number(1), default=100, metavar="N", help="how many episodes to play (default: 100)"
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        default=0,
        help="chooses the episodes, none of which is ever played in training (default: 0)",
    )
    parser.add_argument(
        "--workers",
        type=whole_number(1),
        metavar="N",
        help="processes to play in; the result does not depend on it (default: by the cores and the episodes)",
    )
    parser.add_argument(
        "--csv",
        type=file_in_a_folder,
        metavar="FILE",
        help="also write the seed, return and length of every episode into this file",
    )
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)
    if is_whole_zoo(arguments.run):
        _check_nothing_else(parser, arguments)
        print_zoo({name: read_entry(FOLDER / name) for name in names()})
        return
    run = resolve(arguments.run)
    env = load_policy_of_run(run, arguments.trust).env
    is_run = not is_entry(run)
    if is_run:
        check_can_save(run)
    workers = arguments.workers or default_workers(arguments.episodes)
    with results_warnings_as_lines(parser.prog):
        episodes = evaluate(run, arguments.episodes, arguments.seed, workers, arguments.trust)
    print_table(Console(), evaluation_table(env["id"], episodes))
    if is_run:
        save_evaluation(run, env, episodes, arguments.seed)
    if arguments.csv is not None:
        write_atomic(arguments.csv, episodes.to_csv(index_label="episode").encode())


def _check_nothing_else(parser: ArgumentParser, arguments: Namespace) -> None:
    """Checks that no option is given which a list of the zoo would not heed.

    Raises:
        UserError: If one is.
    """
    for name, value in vars(arguments).items():
        if name != "run" and value != parser.get_default(name):
            raise UserError(f"--{name}: expected only with a run or zoo/NAME to play; got '{arguments.run}'")
