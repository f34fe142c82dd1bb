"""Measures speeds in a way that lets them be compared on a machine that is not quiet."""

import time
from collections.abc import Callable, Mapping

import pandas as pd

ROUNDS = 5


def measure_speeds(contenders: Mapping[str, Callable[[], int]], seconds: float, rounds: int = ROUNDS) -> pd.DataFrame:
    """Measures how many steps per second each contender takes.

    The contenders take turns, so that whatever slows the machine for a while slows all of them. Compare them within a
    round.

    Args:
        contenders: Name -> a function that takes some steps and returns how many. Each is called once to warm up.
        seconds: How long each contender is measured, all rounds together.
        rounds: How many turns each contender has.

    Returns:
        A row for each round, with a column of steps per second for each contender.
    """
    for step in contenders.values():
        step()
    return pd.DataFrame(
        [{name: _speed(step, seconds / rounds) for name, step in contenders.items()} for _ in range(rounds)]
    )


def median_ratio(speeds: pd.DataFrame, contender: str, reference: str) -> float:
    """Returns the median over rounds of a contender's speed, divided by that of the reference in the same round."""
    return float((speeds[contender] / speeds[reference]).median())


def _speed(step: Callable[[], int], seconds: float) -> float:
    count, start = 0, time.perf_counter()
    while True:
        count += step()
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return count / elapsed
