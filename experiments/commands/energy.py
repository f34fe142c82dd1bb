"""`ec-evotorch energy`: estimates the energy of a policy on a neuromorphic chip."""

from pathlib import Path

from rich.console import Console

from experiments.analysis.text_table import print_table
from experiments.commands.arguments import add_trust_argument, whole_number
from experiments.errors import ArgumentParser, results_warnings_as_lines
from experiments.evaluation.energy import chips, load_chip, measure, trained
from experiments.evaluation.energy_table import energy_table
from experiments.zoo.entry import is_entry, read_entry
from experiments.zoo.zoo import resolve


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The arguments after the command's name.

    Raises:
        UserError: If an argument is wrong, or the run has no policy of spiking neurons.
    """
    parser = ArgumentParser(
        prog="ec-evotorch energy",
        description="Estimates the energy of the paper's network, and of a run's, on a neuromorphic chip (Appendix D).",
    )
    parser.add_argument(
        "run",
        type=Path,
        nargs="?",
        help="the folder of a run, or zoo/NAME for a policy that comes with this package (default: show the paper's"
        " numbers only)",
    )
    parser.add_argument("--chip", default="loihi", help=f"{', '.join(chips())} (default: loihi), or a YAML file")
    parser.add_argument(
        "--episodes",
        type=whole_number(1),
        default=5,
        metavar="N",
        help="how many episodes spikes are counted in (default: 5)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, help="chooses the episodes, as for evaluate (default: 0)"
    )
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)
    chip = load_chip(arguments.chip)
    if arguments.run is None:
        table = energy_table(chip)
    else:
        run = resolve(arguments.run)
        with results_warnings_as_lines(parser.prog):
            measured = measure(run, arguments.episodes, arguments.seed, arguments.trust)
            training = read_entry(run).training if is_entry(run) else trained(run)
        table = energy_table(chip, arguments.run.name, measured, training)
    print_table(Console(), table)
