"""`ec-evotorch claims`: says what runs show about the claims of the paper."""

from experiments.analysis.claims import MARGIN, check_claims, claims_table
from experiments.commands.arguments import (
    add_output_arguments,
    add_result_arguments,
    check_output,
    load_chosen,
    share,
    write_table,
)
from experiments.errors import ArgumentParser, results_warnings_as_lines


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The arguments after the command's name.

    Raises:
        UserError: If an argument is wrong, or runs cannot be read.
    """
    parser = ArgumentParser(
        prog="ec-evotorch claims",
        description="Compares pairs of methods as the paper's claims do: is one better than the other, not worse, or as"
        " good?",
    )
    add_result_arguments(parser)
    parser.add_argument(
        "--margin",
        type=share,
        default=MARGIN,
        metavar="SHARE",
        help="for 'not worse' and 'as good': the largest difference that does not matter, as a share of the better mean"
        f" of an environment (default: {MARGIN:g})",
    )
    add_output_arguments(parser)
    arguments = parser.parse_args(argv)
    check_output(arguments)
    with results_warnings_as_lines(parser.prog):
        comparisons = check_claims(
            load_chosen(arguments), at_steps=arguments.at_steps, score=arguments.score, margin=arguments.margin
        )
    write_table(arguments, comparisons, claims_table(comparisons, arguments.score, arguments.margin))
