"""`ec-evotorch export`: writes a policy as a file for a chip or its simulator, for PyTorch, or for NumPy."""

from argparse import Namespace
from pathlib import Path

from experiments.commands.arguments import add_policy_argument, add_trust_argument, file_in_a_folder_named, whole_number
from experiments.errors import ArgumentParser, UserError
from experiments.evaluation.episodes import load_policy_of_run
from experiments.export import FORMATS, export_bytes
from experiments.run_folder.atomic_write import write_atomic
from experiments.zoo.zoo import resolve

SUFFIXES = {kind.suffix: name for name, kind in FORMATS.items()}


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The arguments after the command's name.

    Raises:
        UserError: If an argument is wrong, or the run has no policy that the format can hold.
    """
    parser = ArgumentParser(
        prog="ec-evotorch export",
        description="Writes the policy of a run, with its normaliser and the scale of its actions, into one file that "
        "is used without this package.",
    )
    add_policy_argument(parser)
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="nir: a graph of spiking neurons for neuromorphic chips and their simulators; torch: a program of "
        "torch.export; npz: NumPy arrays (default: by the suffix of --output)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=file_in_a_folder_named(*SUFFIXES),
        metavar="FILE",
        help=f"the file to write, {', '.join(SUFFIXES)} (default: the name of the run with the suffix of the format)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        default=0,
        help="chooses the first state of the network that the file begins with (default: 0)",
    )
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)
    name = _format_of(arguments)
    run = resolve(arguments.run)
    policy = load_policy_of_run(run, arguments.trust).policy
    output = arguments.output or Path(f"{run.resolve().name}{FORMATS[name].suffix}")
    write_atomic(output, export_bytes(policy, name, arguments.seed))
    print(output)


def _format_of(arguments: Namespace) -> str:
    """Returns the name of the format that was asked for.

    Raises:
        UserError: If neither --format nor --output says it, or they contradict each other.
    """
    if arguments.output is None:
        if arguments.format is None:
            raise UserError(f"--format: expected one of {', '.join(FORMATS)}, or --output FILE; got neither")
        return arguments.format
    by_suffix = SUFFIXES[arguments.output.suffix]
    if arguments.format not in (None, by_suffix):
        suffix = FORMATS[arguments.format].suffix
        raise UserError(
            f"--output: expected a name that ends in {suffix} with --format {arguments.format}; "
            f"got '{arguments.output}'"
        )
    return by_suffix
