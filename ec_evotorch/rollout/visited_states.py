"""Sums over visited states that do not depend on who counted which episodes, and in what order."""

import struct
from math import fsum

import numpy as np

from ec_evotorch.rollout.finite_observations import FINITE, first_sensor
from native.compiled import compiled

_MAX_SUM_OF_SQUARES = 1e250  # of an episode: the total over any number of episodes stays finite
_HEADER = struct.Struct("<QqQQQ")  # count of states, sensor, length of an observation, terms of both sums
_MAX_TERMS = 64  # 40 terms of 53 bits span all of float64's exponents


class VisitedStates:
    """How many states were visited, and the exact sums of their observations and of the squares of these.

    Each column of a sum is kept as an expansion: a few float64 numbers whose exact total is the sum.

    Attributes:
        count: Number of states.
        nonfinite: Lowest index of a sensor that was not finite (see `finite_observations`), or `FINITE`.
        sums: (terms, obs_length) float64 expansions of the sums of observations.
        sums_of_squares: (terms, obs_length) float64 expansions of the sums of squared observations.

    Args:
        obs_length: Length of an observation.
    """

    def __init__(self, obs_length: int):
        self.count, self.nonfinite = 0, FINITE
        self.sums = np.zeros((0, obs_length))
        self.sums_of_squares = np.zeros((0, obs_length))

    def add(self, lengths: np.ndarray, sums: np.ndarray, sums_of_squares: np.ndarray) -> None:
        """Adds episodes, without those whose observations were not finite or too large to be summed.

        Args:
            lengths: (episodes,) number of states of each.
            sums: (episodes, obs_length) float64 sums over the observations of each.
            sums_of_squares: (episodes, obs_length) float64 sums over the squared observations of each.
        """
        sound = (sums_of_squares < _MAX_SUM_OF_SQUARES).all(axis=1)  # NaN is not below
        self._add(int(lengths[sound].sum()), sums[sound], sums_of_squares[sound])

    def note(self, nonfinite: np.ndarray) -> None:
        """Takes notice of sensors that were not finite: (episodes,) int64, one for each episode, or `FINITE`."""
        self.nonfinite = first_sensor(self.nonfinite, nonfinite)

    def merge(self, other: "VisitedStates") -> None:
        """Adds the states that another object has counted."""
        self.nonfinite = first_sensor(self.nonfinite, other.nonfinite)
        self._add(other.count, other.sums, other.sums_of_squares)

    def to_bytes(self) -> bytes:
        """Returns all counts as bytes, for `from_bytes`."""
        shape = (self.sums.shape[1], len(self.sums), len(self.sums_of_squares))
        header = _HEADER.pack(self.count, self.nonfinite, *shape)
        return header + self.sums.tobytes() + self.sums_of_squares.tobytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> "VisitedStates":
        """Reads what `to_bytes` has written."""
        count, nonfinite, obs_length, num_sums, num_squares = _HEADER.unpack_from(content)
        terms = np.frombuffer(content, np.float64, offset=_HEADER.size).reshape(num_sums + num_squares, obs_length)
        visited = cls(obs_length)
        visited.count, visited.nonfinite = count, nonfinite
        visited.sums, visited.sums_of_squares = terms[:num_sums], terms[num_sums:]
        return visited

    def _add(self, count: int, sums: np.ndarray, sums_of_squares: np.ndarray) -> None:
        self.count += count
        self.sums = expand(np.concatenate([self.sums, sums]))
        self.sums_of_squares = expand(np.concatenate([self.sums_of_squares, sums_of_squares]))


def expand(rows: np.ndarray) -> np.ndarray:
    """Returns expansions of the sums of columns, with few terms whose exact totals are those of the columns.

    The first term is the rounded total, the next is what the first lacks, rounded, and so on.

    Args:
        rows: (n, columns) finite float64.

    Returns:
        (terms, columns) float64.

    Source: Shewchuk (1997), "Adaptive precision floating-point arithmetic and fast robust geometric predicates",
    https://doi.org/10.1007/PL00009321, Grow-Expansion with zero elimination, as in Python's `math.fsum`.
    """
    grown = np.zeros((_MAX_TERMS, rows.shape[1]))
    length = _grow_expansions(np.ascontiguousarray(rows.T), grown)
    columns, terms = grown[:length].T.tolist(), []
    while any(rounded := [fsum(column) for column in columns]):
        terms.append(rounded)
        for column, total in zip(columns, rounded, strict=True):
            column.append(-total)
    return np.array(terms).reshape(len(terms), rows.shape[1])


@compiled(nogil=True)
def _grow_expansions(columns, terms):
    """Writes one expansion for each column, small terms first, and returns the length of the longest."""
    longest = 0
    for c in range(columns.shape[0]):
        length = 0
        for total in columns[c]:
            kept = 0
            for i in range(length):
                larger, smaller = total, terms[i, c]
                if abs(larger) < abs(smaller):
                    larger, smaller = smaller, larger
                total = larger + smaller
                error = smaller - (total - larger)
                if error != 0.0:
                    terms[kept, c] = error
                    kept += 1
            terms[kept, c] = total
            terms[kept + 1 : length, c] = 0.0
            length = kept + 1
        longest = max(longest, length)
    return longest
