"""`ec-evotorch evaluate`: plays a policy in plain Gymnasium or with faults, or lists the policies of the zoo."""

from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from rich.console import Console

from ec_evotorch.logging import quiet_evotorch
from experiments.analysis.text_table import print_table
from experiments.commands.arguments import (
    add_trust_argument,
    file_in_a_folder,
    file_in_a_folder_named,
    list_of,
    number_from_zero,
    share,
    whole_number,
)
from experiments.errors import ArgumentParser, UserError, results_warnings_as_lines
from experiments.evaluation.episodes import (
    check_can_save,
    default_workers,
    evaluate,
    evaluation_table,
    load_policy_of_run,
    save_evaluation,
)
from experiments.evaluation.faults import FAULTS, count_connections
from experiments.evaluation.plain_env import with_env
from experiments.evaluation.robustness import robustness, robustness_summary
from experiments.evaluation.robustness_table import robustness_table
from experiments.figures.robustness import robustness_curves
from experiments.figures.style import FIGURE_FORMATS, encode
from experiments.run_config.targets import make_own_code_importable
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.policy import SavedPolicy
from experiments.zoo.entry import is_entry, read_entry
from experiments.zoo.entry_table import print_zoo
from experiments.zoo.zoo import FOLDER, is_whole_zoo, names, resolve

DRAWS = 10


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The arguments after the command's name.

    Raises:
        UserError: If an argument is wrong, or the run has no policy that can be read.
    """
    parser = _make_parser()
    arguments = parser.parse_args(argv)
    if is_whole_zoo(arguments.run):
        _check_nothing_else(parser, arguments)
        print_zoo({name: read_entry(FOLDER / name) for name in names()})
        return
    levels = {fault: getattr(arguments, fault) for fault in FAULTS if getattr(arguments, fault) is not None}
    _check_together(arguments, levels)
    run, env = resolve(arguments.run), dict(arguments.env)
    make_own_code_importable({"env": env}, None)
    saved = with_env(load_policy_of_run(run, arguments.trust), env)
    if levels:
        with results_warnings_as_lines(parser.prog):
            _damage(saved, levels, arguments)
        return
    is_its_own = not is_entry(run) and not env  # what is played is what the run was trained for
    if is_its_own:
        check_can_save(run)
    workers = arguments.workers or default_workers(arguments.episodes)
    with results_warnings_as_lines(parser.prog):
        episodes = evaluate(run, arguments.episodes, arguments.seed, workers, arguments.trust, env)
    print_table(Console(), evaluation_table(saved.env["id"], episodes))
    if is_its_own:
        save_evaluation(run, saved.env, episodes, arguments.seed)
    if arguments.csv is not None:
        write_atomic(arguments.csv, episodes.to_csv(index_label="episode").encode())


def keyword(text: str) -> tuple[str, Any]:
    """Reads KEY=VALUE, where the value is written as in a word of `train`: 2, 1e-3, true, [1,2], a text."""
    name, equals, value = text.partition("=")
    if not name.isidentifier() or not equals or not value or "${" in value:
        raise ArgumentTypeError(f"expected KEY=VALUE, such as healthy_reward=2; got '{text}'")
    try:
        return name, OverridesParser.create().parse_override(text).value()
    except HydraException as error:
        raise ArgumentTypeError(f"expected KEY=VALUE with a value as in the words of train; got '{text}'") from error


def _make_parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="ec-evotorch evaluate",
        description="Plays the policy of a run in plain gymnasium.make(...) episodes, and saves evaluation.json in the"
        " folder of the run; or plays a policy of the zoo, or in another environment, or with faults, and saves"
        " nothing.",
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
        help="chooses the episodes, none of which is ever played in training, and the faults (default: 0)",
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
    parser.add_argument(
        "--env",
        type=keyword,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="play in another environment: a keyword of gymnasium.make in the place of that of training, or id=NAME; "
        "may be given several times",
    )
    shares = list_of(share)
    parser.add_argument(
        "--flip", type=shares, metavar="SHARE,…", help="flip this share of the connections, drawn at random"
    )
    parser.add_argument(
        "--silence", type=shares, metavar="SHARE,…", help="let this share of the neurons, drawn at random, be silent"
    )
    parser.add_argument(
        "--noise",
        type=list_of(number_from_zero),
        metavar="STDEV,…",
        help="add Gaussian noise to the observations, in standard deviations of each",
    )
    parser.add_argument(
        "--draws",
        type=whole_number(1),
        metavar="N",
        help=f"how often connections, neurons or noise are drawn, each for all episodes (default: {DRAWS})",
    )
    parser.add_argument(
        "--plot",
        type=file_in_a_folder_named(*(f".{name}" for name in FIGURE_FORMATS)),
        metavar="FILE",
        help="also draw the returns against the faults into this .png or .svg file",
    )
    add_trust_argument(parser)
    return parser


def _damage(saved: SavedPolicy, levels: dict[str, list[float]], arguments: Namespace) -> None:
    """Plays with faults, prints a table, and writes what was asked for."""
    quiet_evotorch()
    agent, environment = saved.policy.agent, saved.env["id"]
    episodes = robustness(saved, levels, arguments.episodes, arguments.draws or DRAWS, arguments.seed)
    summary = robustness_summary(episodes)
    connections = count_connections(agent) if "flip" in levels else 0
    table = robustness_table(environment, summary, connections, getattr(agent, "num_neurons", 0))
    print_table(Console(), table)
    if arguments.csv is not None:
        write_atomic(arguments.csv, episodes.to_csv(index=False).encode())
    if arguments.plot is not None:
        draws = episodes.groupby(["fault", "level", "draw"], sort=False, as_index=False)["return"].mean()
        figure = robustness_curves(environment, summary, draws)
        write_atomic(arguments.plot, encode(figure, arguments.plot.suffix.removeprefix(".")))


def _check_together(arguments: Namespace, levels: dict[str, list[float]]) -> None:
    """Checks that every option that is given is heeded.

    Raises:
        UserError: If one is not.
    """
    faults = ", ".join(f"--{fault}" for fault in FAULTS)
    for option in ("draws", "plot"):
        if not levels and getattr(arguments, option) is not None:
            raise UserError(f"--{option}: expected only with one of {faults}; got none of them")
    if levels and arguments.workers is not None:
        raise UserError(f"--workers: expected only without {faults}, which play in one process on all cores")
    if arguments.plot is not None and not any(level > 0 for given in levels.values() for level in given):
        raise UserError(f"--plot: expected a level above 0 of {faults}; got none")


def _check_nothing_else(parser: ArgumentParser, arguments: Namespace) -> None:
    """Checks that no option is given which a list of the zoo would not heed.

    Raises:
        UserError: If one is.
    """
    for name, value in vars(arguments).items():
        if name != "run" and value != parser.get_default(name):
            raise UserError(f"--{name}: expected only with a run or zoo/NAME to play; got '{arguments.run}'")
