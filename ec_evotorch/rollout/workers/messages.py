"""What the driver and its workers send each other."""

import struct
from dataclasses import dataclass

import numpy as np

RANGE = struct.Struct("<II")
"""A range of rows: the first row, and the one after the last."""


@dataclass
class Plan:
    """What a worker must know of a generation.

    Attributes:
        generation: Number of the generation of the problem, which the seeds of episodes follow from.
        rows: What can make any row of the population (see `ec_evotorch.generation.seeded_rows`). None where the
            solutions come with each range, or where the worker's copy of the search makes them.
        copied: Where the worker has a copy of the search: number of the generation of the search, and the digest of
            what it has learned so far. None elsewhere.
        mean: (obs_length,) means of observations, or None where they are not normalised.
        stdev: (obs_length,) standard deviations, or None where observations are not normalised.
    """

    generation: int
    rows: object | None
    copied: tuple[int, bytes] | None
    mean: np.ndarray | None
    stdev: np.ndarray | None


def pack_episodes(returns: np.ndarray, lengths: np.ndarray) -> bytes:
    """Packs the returns of episodes as float64, and then their lengths as int32."""
    return returns.astype(np.float64).tobytes() + lengths.astype(np.int32).tobytes()


def unpack_episodes(content: bytes, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Unpacks what `pack_episodes` has packed.

    Args:
        content: The bytes.
        shape: Number of rows, and of episodes of each.

    Returns:
        Returns, float64, and lengths, int32, of this shape.
    """
    count = shape[0] * shape[1]
    returns = np.frombuffer(content, dtype=np.float64, count=count).reshape(shape)
    return returns, np.frombuffer(content, dtype=np.int32, offset=returns.nbytes).reshape(shape)
