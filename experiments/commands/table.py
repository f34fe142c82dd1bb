"""`ec-evotorch table`: compares methods, on the terminal or as Markdown, CSV or LaTeX."""

from experiments.analysis.summary import summary
from experiments.analysis.summary_table import text_table
from experiments.commands.arguments import (
    add_output_arguments,
    add_result_arguments,
    check_output,
    finite_number,
    load_chosen,
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
        prog="ec-evotorch table",
        description="Compares methods by the returns of their centres: a row for each environment and method.",
    )
    add_result_arguments(parser)
    parser.add_argument(
        "--threshold",
        type=finite_number,
        metavar="RETURN",
        help="also show the environment steps and seconds until the centre's return reached this",
    )
    parser.add_argument(
        "--against",
        metavar="METHOD",
        help="also show how likely a run of each method beats a run of this one, such as ES-RSNN",
    )
    add_output_arguments(parser)
    arguments = parser.parse_args(argv)
    check_output(arguments)
    with results_warnings_as_lines(parser.prog):
        table = summary(
            load_chosen(arguments),
            at_steps=arguments.at_steps,
            score=arguments.score,
            threshold=arguments.threshold,
            against=arguments.against,
        )
    write_table(arguments, table, text_table(table, arguments.score, arguments.threshold, arguments.against))
