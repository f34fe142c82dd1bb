"""`ec-evotorch train`: one run, or with -m a sweep of runs."""

import logging

from experiments.errors import ArgumentParser, UserError
from experiments.run_config.compose import compose_config, names_experiment
from experiments.training.run import train
from experiments.training.sweep import run_sweep


def main(argv: list[str]) -> int:
    """Runs the command.

    Args:
        argv: Hydra's words, and -m for a sweep over the words that have several values.

    Returns:
        The exit code: 0, or 1 if runs of a sweep are not finished.

    Raises:
        UserError: If a configuration is wrong; nothing was written then.
    """
    parser = ArgumentParser(
        prog="ec-evotorch train",
        description="Trains a policy into a run folder: config.yaml, metrics.csv, curve.png and the policy.",
        epilog="Groups and keys: see experiments/conf. A sweep: ec-evotorch train -m env=hopper,walker2d seed=0,1,2",
    )
    parser.add_argument("-m", "--multirun", action="store_true", help="one run for each combination of values")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="as in env=hopper seed=3 searcher.popsize=64")
    arguments = parser.parse_intermixed_args(argv)
    logging.getLogger("evotorch").setLevel(logging.WARNING)
    if arguments.multirun:
        return run_sweep(arguments.overrides)
    if names_experiment(arguments.overrides):
        raise UserError("experiment= asks for several runs: add -m")
    train(compose_config(arguments.overrides))
    return 0
