"""Seeds of episodes, as functions of what an episode is for."""

import numpy as np
import torch

from ec_evotorch.randomness import philox4x32

TRAINING, EVALUATION, COLLECTION, FRESH_EVALUATION, TRIAL = range(5)
"""Purposes of episode seeds: episodes of different purposes never share one, whatever their other numbers."""

_SEED_BITS = 63


def episode_seeds(
    key: tuple[int, int], generation: int, members: np.ndarray, episodes: np.ndarray, purpose: int
) -> list[int]:
    """Returns the seeds of episodes, which are functions of (key, generation, member, episode, purpose).

    Args:
        key: Of `split_key`.
        generation: Number of the generation, or another number that tells sets of episodes apart.
        members: (n,) rows of the population, or slots.
        episodes: (n,) number of the episode of that member.
        purpose: `TRAINING`, `EVALUATION`, `COLLECTION`, `FRESH_EVALUATION` or `TRIAL`.

    Returns:
        n integers in [0, 2^63).
    """
    counter = [np.broadcast_to(np.asarray(c), members.shape) for c in (generation, members, episodes, purpose)]
    words = philox4x32(tuple(torch.as_tensor(np.array(c, dtype=np.int64)) for c in counter), key)
    return [(int(high) << 32 | int(low)) & ((1 << _SEED_BITS) - 1) for low, high in zip(*words[:2], strict=True)]
