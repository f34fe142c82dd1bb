"""Normalising observations by the mean and standard deviation of all states visited so far."""

from math import fsum

import numpy as np

from native.compiled import compiled

MIN_STDEV = 1e-2  # an observation that hardly varies is not blown up
CLIP = 10.0  # in standard deviations


class ObservationNormalizer:
    """Sums over all visited states, and the mean and standard deviation that follow from them.

    Mean and standard deviation change only in `update`, between generations. Before the first update they are 0 and 1.

    Deviation: the published code counts only the final state of each episode.

    Attributes:
        count: Number of states visited so far.
        sum: (obs_length,) float64 sum of their observations.
        sum_of_squares: (obs_length,) float64 sum of the squares of their observations.
        mean: (obs_length,) float64 mean of observations.
        stdev: (obs_length,) float64 standard deviation of observations, at least `MIN_STDEV`.

    Args:
        obs_length: Length of an observation.
    """

    def __init__(self, obs_length: int):
        self.count = 0
        self.sum = np.zeros(obs_length)
        self.sum_of_squares = np.zeros(obs_length)
        self.mean = np.zeros(obs_length)
        self.stdev = np.ones(obs_length)

    def update(self, count: int, sums: np.ndarray, sums_of_squares: np.ndarray) -> None:
        """Adds some states.

        Args:
            count: Number of states.
            sums: (n, obs_length) finite numbers whose exact total is the sum of the observations; it is rounded once.
                Their order does not matter: they may be sums of episodes or of slots, or the terms of `VisitedStates`.
            sums_of_squares: (n, obs_length) numbers, likewise for the squares of the observations.
        """
        self.count += int(count)
        self.sum += [fsum(column) for column in sums.T.tolist()]
        self.sum_of_squares += [fsum(column) for column in sums_of_squares.T.tolist()]
        self._summarize()

    def _summarize(self) -> None:
        if not self.count:
            self.mean, self.stdev = np.zeros_like(self.sum), np.ones_like(self.sum)
            return
        self.mean = self.sum / self.count
        variance = np.maximum(self.sum_of_squares / self.count - self.mean**2, 0.0)
        self.stdev = np.maximum(np.sqrt(variance), MIN_STDEV)

    def copy(self) -> "ObservationNormalizer":
        """Returns a normaliser that stays as this one is now."""
        copied = ObservationNormalizer(len(self.sum))
        copied.load_state_dict(self.state_dict())
        copied.mean, copied.stdev = self.mean, self.stdev  # also where they were given, and no sums
        return copied

    def state_dict(self) -> dict:
        """Returns a copy of the sums, for `load_state_dict`."""
        return {"count": self.count, "sum": self.sum.copy(), "sum_of_squares": self.sum_of_squares.copy()}

    def load_state_dict(self, state: dict) -> None:
        """Takes over the sums of a `state_dict`."""
        self.count = state["count"]
        self.sum[:], self.sum_of_squares[:] = state["sum"], state["sum_of_squares"]
        self._summarize()


def choose_normalizer(given: object, own: ObservationNormalizer | None) -> ObservationNormalizer | None:
    """Returns the normaliser that a caller gives, or a problem's own one where that is None.

    Raises:
        ValueError: If what is given is no normaliser of as many observations, or the problem normalises none.
    """
    if given is None:
        return own
    if not isinstance(given, ObservationNormalizer) or own is None:
        expected = "None without observation_normalization" if own is None else "an earlier copy"
        raise ValueError(f"normalizer: expected {expected}, got a {type(given).__name__}")
    if len(given.sum) != len(own.sum):
        raise ValueError(f"normalizer: expected one of {len(own.sum)} observations, got {len(given.sum)}")
    return given


@compiled(nogil=True)
def normalize_row(observation, mean, stdev, out):
    """Writes `clip((observation − mean) / stdev)` of one observation, computed in float64 and rounded once to float32.

    Args:
        observation: (obs_length,) float64.
        mean: (obs_length,) float64.
        stdev: (obs_length,) float64.
        out: (obs_length,) float32, overwritten with numbers in [−`CLIP`, `CLIP`].
    """
    for i in range(observation.size):
        value = (observation[i] - mean[i]) / stdev[i]
        if value > CLIP:
            value = CLIP
        elif value < -CLIP:
            value = -CLIP
        out[i] = np.float32(value)


@compiled(nogil=True)
def normalize_rows(observations, mean, stdev, out):
    """Does what `normalize_row` does for each row of (n, obs_length) observations."""
    for row in range(observations.shape[0]):
        normalize_row(observations[row], mean, stdev, out[row])


@compiled(nogil=True)
def add_visited(observation, sums, sums_of_squares):
    """Adds one observation, and its squares, to the sums of its slot or episode, (obs_length,) float64 each."""
    for i in range(observation.size):
        sums[i] += observation[i]
        sums_of_squares[i] += observation[i] * observation[i]


@compiled(nogil=True)
def rescale_row(action, middle, half_range, out):
    """Brings an action from [−1, 1] to the action space, `middle + half_range · action`, computed in float32.

    Args:
        action: (act_length,) float32.
        middle: (act_length,) float32, see `action_scale`.
        half_range: (act_length,) float32, see `action_scale`.
        out: (act_length,) floating point, overwritten.

    Returns:
        Whether all numbers of the action were finite; those that were not become the middle.
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
    """Returns middle and half range of a bounded action space, (act_length,) float32 each.

    Where float32 cannot hold both and the bounds, the range is narrower by a rounding, so that no action leaves the
    space: the middle of −0.7 and 0.1 plus half of the range is 0.10000002 in float32.

    Args:
        low: (act_length,) lower bounds.
        high: (act_length,) upper bounds.

    Raises:
        ValueError: If a bound is not finite.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError(f"action space: expected finite bounds, got low={low}, high={high}")
    lowest, highest = _round_up(low), -_round_up(-high)
    middle = np.clip(((high + low) / 2).astype(np.float32), lowest, highest)
    room = np.minimum(highest.astype(np.float64) - middle, middle - lowest.astype(np.float64))
    half_range = -_round_up(-np.minimum((high - low) / 2, room))
    return middle, np.maximum(half_range, np.float32(0.0))


def _round_up(numbers: np.ndarray) -> np.ndarray:
    """Returns the smallest float32 numbers that are not less than float64 ones."""
    rounded = numbers.astype(np.float32)
    return np.where(rounded < numbers, np.nextafter(rounded, np.float32(np.inf)), rounded)
