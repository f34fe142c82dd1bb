"""`ec-evotorch resume`: continues an interrupted run, or a finished one with a larger budget."""

from pathlib import Path

from ec_evotorch.logging import quiet_evotorch
from experiments.commands.arguments import add_trust_argument
from experiments.errors import ArgumentParser
from experiments.run_folder.layout import CHECKPOINTS
from experiments.training.resume import resume


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The folder of the run, options, and the overrides budget= and early_stop=.

    Raises:
        UserError: If the run cannot be resumed; nothing was changed then.
    """
    parser = ArgumentParser(
        prog="ec-evotorch resume",
        description="Continues a run from its last checkpoint, as if it had never been interrupted.",
        epilog="With a larger budget a finished run continues: ec-evotorch resume runs/hopper-rsnn-ec-seed0 budget=2e6",
    )
    parser.add_argument("run", type=Path, help="the run folder")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="budget=…",
        help="a larger budget of environment steps; early_stop=null or a larger early_stop.patience=… for a run that "
        "was ended by it",
    )
    parser.add_argument("--checkpoint", metavar="NAME", help=f"a file in {CHECKPOINTS}/; without it the newest")
    add_trust_argument(parser)
    arguments = parser.parse_intermixed_args(argv)
    quiet_evotorch()
    resume(arguments.run, arguments.overrides, arguments.checkpoint, arguments.trust)
