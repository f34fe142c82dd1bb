"""When GO and NOGO take turns in an episode."""

import numpy as np

from native.compiled import compiled

NUM_INTERVALS = 64  # even, so that the signals go on taking turns where the sequence begins again


def draw_schedule(generator: np.random.Generator, shortest: int, longest: int) -> tuple[bool, np.ndarray]:
    """Draws the signals of an episode: which one comes first, and after how many steps each of 64 intervals ends.

    An episode that outlasts the last interval begins again with the first.

    Args:
        generator: Source of the numbers; an environment's own, after it has drawn the first state.
        shortest: Fewest steps of an interval.
        longest: Most steps of an interval. Lengths are uniform.

    Returns:
        Whether GO comes first, and the (64,) int64 numbers of steps since the start of the episode after which
        intervals end.
    """
    go_first = bool(generator.integers(2))
    return go_first, np.cumsum(generator.integers(shortest, longest + 1, size=NUM_INTERVALS))


@compiled
def is_go(step, go_first, ends):
    """Returns whether the signal is GO at a step of the episode, counted from 0; see `draw_schedule`."""
    interval = np.searchsorted(ends, step % ends[-1], side="right")
    return go_first != (interval % 2 == 1)
