"""One line about an error in code of the user's own: what went wrong, and where in that code."""

import traceback
from collections.abc import Collection
from pathlib import Path


def told_of(error: BaseException, packages: Collection[str]) -> str:
    """Returns an error as one line, as in "KeyError: 'x' (my_agent.py, line 12, in MyAgent.step)".

    Args:
        error: What was raised.
        packages: Packages of the user's own; the innermost of their functions that the error went through is named.
    """
    text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if str(frame.f_globals.get("__name__")).partition(".")[0] in packages:
            return f"{text} ({Path(frame.f_code.co_filename).name}, line {line}, in {frame.f_code.co_qualname})"
    return text
