"""Normalising observations by the mean and standard deviation of all states visited so far."""

from math import fsum

import numpy as np

from native.compiled import compiled

MIN_STDEV = 1e-2  # an observation that hardly varies is not blown up
CLIP = 10.0  # in standard deviations


class ObservationNormalizer:
    """Sums over all visited states, and the mean and standard deviation that follow from them.

    :attr:`mean` and :attr:`stdev`, (obs_length,) float64, change only when :meth:`update` is called: between
    generations. Before the first update they are 0 and 1.

    Deviation: the published code counts only the final state of each episode.
    """

    def __init__(self, obs_length: int):
        self.count = 0
        self.sum = np.zeros(obs_length)
        self.sum_of_squares = np.zeros(obs_length)
        self.mean = np.zeros(obs_length)
        self.stdev = np.ones(obs_length)

    def update(self, count: int, sums: np.ndarray, sums_of_squares: np.ndarray) -> None:
        """Add some states.

        Args:
            count: Number of states.
            sums: (n, obs_length) finite, in any order: their exact total is rounded once. Of each episode, each slot,
                or the terms of `VisitedStates`.
            sums_of_squares: the same for squares.
        """
        self.count += int(count)
        self.sum += [fsum(column) for column in sums.T.tolist()]
        self.sum_of_squares += [fsum(column) for column in sums_of_squares.T.tolist()]
        self._summarize()

    def _summarize(self) -> None:
        if self.count:
            self.mean = self.sum / self.count
            variance = np.maximum(self.sum_of_squares / self.count - self.mean**2, 0.0)
            self.stdev = np.maximum(np.sqrt(variance), MIN_STDEV)

    def state_dict(self) -> dict:
        """A copy of the sums, for :meth:`load_state_dict`."""
        return {"count": self.count, "sum": self.sum.copy(), "sum_of_squares": self.sum_of_squares.copy()}

    def load_state_dict(self, state: dict) -> None:
        self.count = state["count"]
        self.sum[:], self.sum_of_squares[:] = state["sum"], state["sum_of_squares"]
        self._summarize()


@compiled(nogil=True)
def normalize_row(observation, mean, stdev, out):
    """``clip((observation − mean) / stdev)`` of one observation, computed in float64 and rounded once to float32."""
    for i in range(observation.size):
        value = (observation[i] - mean[i]) / stdev[i]
        if value > CLIP:
            value = CLIP
        elif value < -CLIP:
            value = -CLIP
        out[i] = np.float32(value)


@compiled(nogil=True)
def normalize_rows(observations, mean, stdev, out):
    """:func:`normalize_row` of each row."""
    for row in range(observations.shape[0]):
        normalize_row(observations[row], mean, stdev, out[row])


@compiled(nogil=True)
def add_visited(observation, sums, sums_of_squares):
    """Count one observation."""
    for i in range(observation.size):
        sums[i] += observation[i]
        sums_of_squares[i] += observation[i] * observation[i]


@compiled(nogil=True)
def rescale_row(action, middle, half_range, out):
    """From [−1, 1] to the action space, in float32: ``middle + half_range · action``.

    Returns:
        Whether all of the action was finite; what was not becomes the middle.
    """
    finite = True
    for i in range(action.size):
        if np.isfinite(action[i]):
            out[i] = middle[i] + half_range[i] * action[i]
        else:
            out[i] = middle[i]
            finite = False
    return finite


def action_scale(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle and half range of a bounded action space, float32."""
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError(f"action space: expected finite bounds, got low={low}, high={high}")
    return ((high + low) / 2).astype(np.float32), ((high - low) / 2).astype(np.float32)
