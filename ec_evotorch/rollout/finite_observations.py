"""What an observation must be for every searcher and agent: numbers that float32, in which agents see them, can hold.

An episode with any other observation, its last one included, has failed: its return is NaN, and the states that it has
visited do not reach the observation normaliser. (Searchers with a critic, which learn from the steps of unfinished
episodes, end it at once; its states before that count.)
"""

import logging

import numpy as np

from native.compiled import compiled

FINITE = -1
"""Stands for the index of a sensor where there is no such sensor."""

_LARGEST = float(np.finfo(np.float32).max)
_logger = logging.getLogger(__name__)


@compiled(nogil=True)
def find_nonfinite(observation):
    """Returns the first index of a (obs_length,) float64 observation with NaN, infinity or more than float32 holds.

    It is `FINITE` if there is none.
    """
    for i in range(observation.size):
        if not abs(observation[i]) <= _LARGEST:  # NaN is not below either
            return i
    return FINITE


@compiled(nogil=True)
def find_nonfinite_rows(observations):
    """Returns `find_nonfinite` of each row of (n, obs_length) float64 observations, (n,) int64."""
    found = np.empty(observations.shape[0], dtype=np.int64)
    for row in range(observations.shape[0]):
        found[row] = find_nonfinite(observations[row])
    return found


def first_sensor(*found: np.ndarray | int) -> int:
    """Returns the lowest index of a sensor among what `find_nonfinite` has returned; `FINITE` if there is none."""
    indices = np.concatenate([np.atleast_1d(part) for part in found])
    indices = indices[indices != FINITE]
    return int(indices.min()) if indices.size else FINITE


def warn_of_sensor(sensor: int) -> None:
    """Logs that a sensor has shown something else than a finite number, and what comes of it."""
    _logger.warning(
        "observation[%d] was NaN, infinite or beyond float32: an episode in which that happens has failed and counts in"
        " failed_episodes; let the environment give finite numbers (said once)",
        sensor,
    )
