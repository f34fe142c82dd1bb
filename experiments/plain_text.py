"""Text for a terminal or a file that cannot show every character, such as one of ASCII alone."""

import codecs
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ERRORS = "ec_evotorch_plain"  # name of the handler of characters that cannot be shown
PLAIN = {
    **{"±": "+-", "–": "-", "—": "-", "−": "-", "…": "...", "×": "x", "·": "*", "≥": ">=", "≤": "<=", "≈": "~"},
    **{"ρ": "rho", "θ": "theta", "β": "beta", "γ": "gamma", "µ": "u", "μ": "u", "²": "^2", "’": "'"},
}


def plain(text: str, encoding: str) -> str:
    """Returns a text in characters that an encoding has: "rho" for "ρ" in ASCII, and "?" for what has no name here.

    Args:
        text: The text.
        encoding: Name of the encoding.
    """
    return text.encode(encoding, ERRORS).decode(encoding)


@contextmanager
def any_output_can_be_shown() -> Iterator[None]:
    """Lets stdout and stderr take every character within the block, whatever their encodings are."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")]
    before = [(stream, stream.errors) for stream in streams]
    for stream in streams:
        stream.reconfigure(errors=ERRORS)
    try:
        yield
    finally:
        for stream, errors in before:
            stream.reconfigure(errors=errors)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end


codecs.register_error(ERRORS, _replace)
