"""`ec-evotorch resume`: continues an interrupted run, or a finished one with a larger budget."""

import logging
from pathlib import Path

from experiments.errors import ArgumentParser
from experiments.run_folder.layout import CHECKPOINTS
from experiments.training.resume import resume


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The run, and words that change it: budget= only.

    Raises:
        UserError: If the run cannot be resumed; nothing was changed then.
    """
    parser = ArgumentParser(
        prog="ec-evotorch resume",
        description="Goes on with a run from its last checkpoint, as if it had never been interrupted.",
        epilog="A larger budget lets a finished run go on: ec-evotorch resume runs/hopper-rsnn-ec-seed0 budget=2e6",
    )
    parser.add_argument("run", type=Path, help="the run folder")
    parser.add_argument("overrides", nargs="*", metavar="budget=…", help="a larger budget of environment steps")
    parser.add_argument("--checkpoint", metavar="NAME", help=f"a file in {CHECKPOINTS}/; without it the newest")
    arguments = parser.parse_intermixed_args(argv)
    logging.getLogger("evotorch").setLevel(logging.WARNING)
    resume(arguments.run, arguments.overrides, arguments.checkpoint)
