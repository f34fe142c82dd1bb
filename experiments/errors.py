"""The mistakes that a user can mend, told apart from bugs."""

import argparse
import difflib
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn


class UserError(Exception):
    """A mistake in what the user asked for; the command line shows its message as one line and exits with 2."""

    def __init__(self, message: object):
        super().__init__(" ".join(str(message).split()))


class ResultsWarning(UserWarning):
    """Something about results that the reader of a number must know: what was left out, what does not compare."""


@contextmanager
def results_warnings_as_lines(program: str) -> Iterator[None]:
    """Shows each `ResultsWarning` of a block, which may fail, as one line on stderr, the same text once."""
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
        """Raises: UserError: always."""
        raise UserError(message)


def did_you_mean(word: str, options: Iterable[str], prefix: str = "") -> str:
    """Returns " (did you mean '<prefix><option>'?)" for the option nearest to `word`, "" where none is near."""
    nearest = difflib.get_close_matches(word, list(options), n=1)
    return f" (did you mean '{prefix}{nearest[0]}'?)" if nearest else ""
