"""Errors for mistakes that a user can mend, told apart from bugs."""

import argparse
import difflib
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn


class UserError(Exception):
    """A mistake in what the user asked for; the command line shows its message as one line.

    Attributes:
        exit_code: With which the command line exits.
    """

    exit_code = 2

    def __init__(self, message: object):
        super().__init__(" ".join(str(message).split()))


class RunCrashed(UserError):
    """Says that a run which had begun was ended by an error in code, such as that of a component of the user's own.

    Attributes:
        reason: The error without the advice that follows it in the message.
    """

    exit_code = 1

    def __init__(self, reason: str, advice: str):
        super().__init__(f"{reason}; {advice}")
        self.reason = reason


class ResultsWarning(UserWarning):
    """What the reader of a result must know, such as runs that were left out or do not compare."""


@contextmanager
def results_warnings_as_lines(program: str) -> Iterator[None]:
    """Shows each `ResultsWarning` of a block as one line on stderr, each text once, even if the block fails.

    Args:
        program: The name of the command, with which each line begins.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResultsWarning)
        try:
            yield
        finally:
            for text in dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, ResultsWarning)):
                print(f"{program}: warning: {text}", file=sys.stderr)


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser that raises `UserError` where argparse prints its usage and exits."""

    def error(self, message: str) -> NoReturn:
        """Refuses the command line.

        Raises:
            UserError: Always.
        """
        raise UserError(message)


def did_you_mean(word: str, options: Iterable[str], prefix: str = "") -> str:
    """Returns a hint for an error message.

    Args:
        word: What the user wrote.
        options: What would have been right.
        prefix: Text that belongs before each option.

    Returns:
        " (did you mean '<prefix><option>'?)" with the option nearest to the word, or "" where none is near.
    """
    nearest = difflib.get_close_matches(word, list(options), n=1)
    return f" (did you mean '{prefix}{nearest[0]}'?)" if nearest else ""
