"""Arguments are checked by their values, whoever's numbers they are, and a refusal names the argument."""

import math

import numpy as np
import pytest

from native.arguments import check_choice, check_flag, check_in_range, check_positive, check_steps, check_whole

NOT_NUMBERS = (None, "1", True, np.True_, [1])


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_a_whole_number_becomes_pythons(value):
    assert check_whole("n", value) == 3
    assert type(check_whole("n", value)) is int


@pytest.mark.parametrize("value", [2.5, np.float32(0.5), 3, np.int64(3)])
def test_a_number_becomes_pythons_float(value):
    for number in (check_positive("x", value), check_in_range("x", value, 0.0, 3.0)):
        assert number == value
        assert type(number) is float


@pytest.mark.parametrize("value", [*NOT_NUMBERS, 2.0, np.float64(2), 0, -1])
def test_what_is_no_positive_whole_number_is_refused(value):
    with pytest.raises(ValueError, match=r"^n: expected a positive whole number, got ") as refusal:
        check_whole("n", value)
    assert repr(value) in str(refusal.value)


@pytest.mark.parametrize("value", [2000, 2e3, np.float64(2e3), np.int64(2000)])
def test_steps_may_be_written_as_a_float(value):
    assert check_steps("n", value) == 2000
    assert type(check_steps("n", value)) is int


@pytest.mark.parametrize("value", [*NOT_NUMBERS, 2.5, 0.0, -1e3, math.inf, math.nan])
def test_what_is_no_number_of_steps_is_refused(value):
    with pytest.raises(ValueError, match=r"^n: expected a positive whole number, got "):
        check_steps("n", value)
    assert check_steps("n", 0.0, minimum=0) == 0


@pytest.mark.parametrize("value", [*NOT_NUMBERS, 0, -1.5, 10**400, math.inf, math.nan, np.float32("nan")])
def test_what_is_no_positive_number_is_refused(value):
    with pytest.raises(ValueError, match=r"^x: expected a positive number, got "):
        check_positive("x", value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value": 0, "minimum": 1, "maximum": 4}, r"n: expected a whole number in \[1, 4\], got 0"),
        ({"value": 5, "minimum": 1, "maximum": 4}, r"n: expected a whole number in \[1, 4\], got 5"),
        ({"value": -1, "minimum": 0}, "n: expected a whole number of at least 0, got -1"),
    ],
)
def test_bounds_of_whole_numbers_are_in_the_message(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_whole("n", arguments.pop("value"), **arguments)


@pytest.mark.parametrize(
    ("value", "keywords", "message"),
    [
        (1.5, {"low": 0.0, "high": 1.0}, r"x: expected a number in \[0, 1\], got 1.5"),
        (0.0, {"low": 0.0, "high": 0.5, "include_low": False}, r"x: expected a number in \(0, 0.5\], got 0.0"),
        (0.5, {"low": 0.0, "high": 0.5, "include_high": False}, r"x: expected a number in \[0, 0.5\), got 0.5"),
        (-1.0, {"low": 0.0}, r"x: expected a number in \[0, inf\), got -1.0"),
        (math.inf, {"low": 0.0}, r"x: expected a number in \[0, inf\), got inf"),
        (math.nan, {}, "x: expected a finite number, got nan"),
        ("abc", {}, "x: expected a finite number, got 'abc'"),
    ],
)
def test_ranges_are_in_the_message(value, keywords, message):
    with pytest.raises(ValueError, match=message):
        check_in_range("x", value, **keywords)


@pytest.mark.parametrize("bound", [0.0, 0.5])
def test_a_bound_is_allowed_unless_it_is_excluded(bound):
    assert check_in_range("x", bound, 0.0, 0.5) == bound


def test_a_choice_is_one_of_the_texts():
    assert check_choice("c", "b", ("a", "b")) == "b"
    for value in ("d", 1, None, ["a"]):
        with pytest.raises(ValueError, match="c: expected one of 'a', 'b'; got "):
            check_choice("c", value, ("a", "b"))


def test_a_flag_is_true_or_false():
    assert check_flag("f", False) is False
    assert check_flag("f", np.True_) is True
    for value in (0, 1, "false", None):
        with pytest.raises(ValueError, match="f: expected True or False, got "):
            check_flag("f", value)
