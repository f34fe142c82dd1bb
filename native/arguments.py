"""Checks of arguments that several classes have."""

from numbers import Integral


def check_whole(**values) -> None:
    """Checks numbers by their names.

    Raises:
        ValueError: if one is not a whole number of at least 1.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name}: expected a positive whole number, got {value!r}")
