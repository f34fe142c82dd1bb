"""Checks of arguments that every room shares. Each names the argument, what was expected and what came.

Numbers may be Python's or NumPy's. Truth values and text are refused where a number is expected, although Python
counts `True` as 1. A wrong type is a `ValueError` too, so that a caller has one exception to expect.
"""

import math
from collections.abc import Collection
from numbers import Integral, Real

import numpy as np


def check_whole(name: str, value: object, *, minimum: int = 1, maximum: int | None = None) -> int:
    """Returns a whole number as an `int`.

    Args:
        name: Name of the argument, for the message.
        value: A Python or NumPy integer.
        minimum: Least value that is allowed.
        maximum: Largest value that is allowed; None for no bound.

    Raises:
        ValueError: If the value is not a whole number, or is out of range.
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or value < minimum or (maximum is not None and value > maximum):
        if maximum is not None:
            expected = f"a whole number in [{minimum}, {maximum}]"
        else:
            expected = "a positive whole number" if minimum == 1 else f"a whole number of at least {minimum}"
        raise ValueError(f"{name}: expected {expected}, got {value!r}")
    return int(value)


def check_steps(name: str, value: object, *, minimum: int = 1) -> int:
    """Returns a number of environment steps as an `int`; it may be written as 1e6, like a budget.

    Raises:
        ValueError: If the value is not a whole number, or is below the minimum.
    """
    is_written_so = isinstance(value, Real) and not isinstance(value, Integral) and float(value).is_integer()
    return check_whole(name, int(value) if is_written_so else value, minimum=minimum)


def check_positive(name: str, value: object) -> float:
    """Returns a finite number above zero as a `float`.

    Raises:
        ValueError: If the value is not a number, or is zero, negative, infinite or NaN.
    """
    number = _number(name, value, "a positive number")
    if not 0.0 < number < math.inf:
        raise ValueError(f"{name}: expected a positive number, got {number!r}")
    return number


def check_in_range(
    name: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    include_low: bool = True,
    include_high: bool = True,
) -> float:
    """Returns a finite number between two bounds as a `float`.

    Args:
        name: Name of the argument, for the message.
        value: A Python or NumPy number.
        low: Lower bound; −∞ for none.
        high: Upper bound; ∞ for none.
        include_low: Whether the lower bound itself is allowed.
        include_high: Whether the upper bound itself is allowed.

    Raises:
        ValueError: If the value is not a number, or is out of range, infinite or NaN.
    """
    expected = "a finite number"
    if low > -math.inf or high < math.inf:
        opening = "[" if include_low and low > -math.inf else "("
        closing = "]" if include_high and high < math.inf else ")"
        expected = f"a number in {opening}{low:g}, {high:g}{closing}"
    number = _number(name, value, expected)
    above = number >= low if include_low else number > low
    below = number <= high if include_high else number < high
    if not (math.isfinite(number) and above and below):
        raise ValueError(f"{name}: expected {expected}, got {number!r}")
    return number


def check_choice(name: str, value: object, choices: Collection[str]) -> str:
    """Returns a text that is one of `choices`.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, choices))}; got {value!r}")
    return value


def check_flag(name: str, value: object) -> bool:
    """Returns a truth value as a `bool`.

    Raises:
        ValueError: If the value is anything but True or False, such as 1 or "false".
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}: expected True or False, got {value!r}")
    return bool(value)


def _number(name: str, value: object, expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name}: expected {expected}, got {value!r}")
    try:
        return float(value)
    except OverflowError:  # a whole number beyond the largest float
        raise ValueError(f"{name}: expected {expected}, got a whole number that no float can hold") from None
