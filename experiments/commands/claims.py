"""`ec-evotorch claims`: what runs say about the claims of the paper."""

from experiments.analysis.claims import check_claims, claims_table
from experiments.commands.arguments import add_output_arguments, add_result_arguments, load_chosen, write_table
from experiments.errors import ArgumentParser, results_warnings_as_lines


def main(argv: list[str]) -> None:
    """Runs the command.

    Raises:
        UserError: If an argument is wrong, or runs cannot be read.
    """
    parser = ArgumentParser(
        prog="ec-evotorch claims",
        description="Compares pairs of methods as the paper's claims do: P(a run of one beats a run of the other).",
    )
    add_result_arguments(parser)
    add_output_arguments(parser)
    arguments = parser.parse_args(argv)
    with results_warnings_as_lines(parser.prog):
        comparisons = check_claims(load_chosen(arguments), at_steps=arguments.at_steps, score=arguments.score)
    write_table(arguments, comparisons, claims_table(comparisons, arguments.score))
