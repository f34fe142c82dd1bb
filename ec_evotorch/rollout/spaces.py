"""Observations and actions of any Gymnasium space as the vectors that an agent sees and gives.

An observation becomes a vector as by `gymnasium.spaces.flatten`: arrays are flattened, `Discrete` and `MultiDiscrete`
are one-hot, and the parts of `Dict` and `Tuple` follow one another. An action is made from a vector of numbers:

    space          numbers                   bounds of the numbers     action
    Box            one for each entry        those of the entry        the numbers in the shape of the space
    Discrete       one for each choice       −1, 1                     the choice with the largest number
    MultiDiscrete  one for each choice of    −1, 1                     of each group, the choice with the largest
                   each group
    MultiBinary    one for each entry        −1, 1                     whether the number is above 0

An entry of a `Box` that is not bounded on either side has the bounds −1 and 1, so that the agent's output acts as it
is; one that is bounded on one side has that bound and the number two away from it. A bound beyond what float32 holds is
none. Entries of whole numbers are rounded to the nearest. Of equal numbers the first counts.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple

OBSERVATIONS = "Box, Discrete, MultiDiscrete, MultiBinary, or a Dict or Tuple of these"
ACTIONS = "Box, Discrete, MultiDiscrete or MultiBinary"
_LARGEST = float(np.finfo(np.float32).max)
_WIDTH = 2.0  # between the bounds of an entry that has one of its own, or none


def observation_length(space: Space) -> int:
    """Returns how many numbers an observation of a space becomes.

    Raises:
        ValueError: If an observation of the space is no vector, naming the part that is none.
    """
    if isinstance(space, Box | MultiBinary):
        return int(np.prod(space.shape))
    if isinstance(space, Discrete):
        return int(space.n)
    if isinstance(space, MultiDiscrete):
        return int(space.nvec.sum())
    if isinstance(space, Dict | Tuple):
        return sum(map(observation_length, _parts(space).values()))
    raise ValueError(f"expected an observation space that is a {OBSERVATIONS}, got {space}")


def flatten_observations(space: Space, observations: object, lead: tuple[int, ...] = ()) -> np.ndarray:
    """Returns observations as vectors, those of `gymnasium.spaces.flatten` in float64.

    Args:
        space: Space of one observation.
        observations: One observation; or a batch of them as Gymnasium's vector environments return it, where the arrays
            in it have further dimensions at the front.
        lead: These dimensions, such as (B,).

    Returns:
        (*lead, observation_length) float64.

    Raises:
        ValueError: If it is no observation of the space: its parts, their shapes, or the number of a choice.
    """
    vectors = [_leaf_vectors(leaf, value, lead) for leaf, value in _leaves(space, observations)]
    return np.concatenate(vectors, axis=-1) if vectors else np.zeros((*lead, 0))


def action_bounds(space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lower and the upper bounds of the numbers that an action is made from, (act_length,) each.

    Raises:
        ValueError: If no action of the space can be made from numbers.
    """
    if isinstance(space, Box):
        return _box_bounds(space)
    length = sum(choice_groups(space))
    return np.full(length, -1.0, dtype=np.float32), np.full(length, 1.0, dtype=np.float32)


def choice_groups(space: Space) -> list[int]:
    """Returns how many numbers each choice of an action is made from: 1 for a yes or no; [] where nothing is chosen.

    Raises:
        ValueError: If no action of the space can be made from numbers.
    """
    if isinstance(space, Box):
        return []
    if isinstance(space, Discrete):
        return [int(space.n)]
    if isinstance(space, MultiDiscrete):
        return space.nvec.ravel().tolist()
    if isinstance(space, MultiBinary):
        return [1] * int(np.prod(space.shape))
    raise ValueError(f"expected an action space that is a {ACTIONS}, got {space}")


def to_actions(space: Space, numbers: np.ndarray) -> np.ndarray:
    """Returns actions of a space, see above.

    Args:
        space: Space of one action.
        numbers: (*lead, act_length) float32 within `action_bounds`.

    Returns:
        (*lead, *space.shape) in the dtype of the space; float32 where that of the space holds float32.
    """
    lead = numbers.shape[:-1]
    if isinstance(space, Box):
        if np.can_cast(numbers.dtype, space.dtype):
            return numbers.reshape((*lead, *space.shape))
        low, high = action_bounds(space)
        if space.dtype.kind in "iub":
            numbers = np.rint(np.clip(numbers.astype(np.float64), low, high))
        return numbers.astype(space.dtype).reshape((*lead, *space.shape))
    if isinstance(space, MultiBinary):
        return (numbers > 0).astype(space.dtype).reshape((*lead, *space.shape))
    ends = np.cumsum(choice_groups(space))
    groups = np.split(numbers, ends[:-1], axis=-1)
    chosen = np.stack([group.argmax(axis=-1) for group in groups], axis=-1).reshape((*lead, *space.shape))
    return (chosen + space.start).astype(space.dtype)


def is_vector(space: Space | None, dtype: type = np.number) -> bool:
    """Returns whether an observation of a space is a vector as it is, of a kind of numbers."""
    return isinstance(space, Box) and len(space.shape) == 1 and np.issubdtype(space.dtype, dtype)


def takes_numbers(space: Space | None) -> bool:
    """Returns whether an action of a space is the vector of numbers that it is made from."""
    return is_vector(space, np.floating)


def _box_bounds(space: Box) -> tuple[np.ndarray, np.ndarray]:
    low, high = space.low.ravel(), space.high.ravel()
    # Where a space of whole numbers has no bound, Gymnasium writes the least or the largest one of its type.
    has_low, has_high = (
        is_bounded.ravel() & (np.abs(bound.astype(np.float64)) < _LARGEST)
        for is_bounded, bound in ((space.bounded_below, low), (space.bounded_above, high))
    )
    if has_low.all() and has_high.all():
        return low, high
    low, high = low.astype(np.float64), high.astype(np.float64)
    lowest = np.where(has_low, low, np.where(has_high, high - _WIDTH, -_WIDTH / 2))
    highest = np.where(has_high, high, np.where(has_low, low + _WIDTH, _WIDTH / 2))
    return lowest, highest


def _parts(space: Dict | Tuple) -> dict:
    if isinstance(space, Tuple):
        return dict(enumerate(space.spaces))
    if not all(isinstance(key, str) for key in space.spaces):
        raise ValueError(f"expected an observation space whose parts are named by texts, got {space}")
    return dict(space.spaces)


def _leaves(space: Space, value: object) -> Iterator[tuple[Space, object]]:
    """Yields the spaces without parts that a space consists of, each with its part of an observation."""
    if not isinstance(space, Dict | Tuple):
        yield space, value
        return
    kind, parts = (Mapping if isinstance(space, Dict) else tuple | list), _parts(space)
    if not isinstance(value, kind) or len(value) != len(parts):
        raise ValueError(f"expected an observation of {space}, got {value!r}")
    for key, part in parts.items():
        if isinstance(space, Dict) and key not in value:
            raise ValueError(f"expected an observation with the key {key!r}, got the keys {', '.join(map(str, value))}")
        yield from _leaves(part, value[key])


def _leaf_vectors(space: Space, value: object, lead: tuple[int, ...]) -> np.ndarray:
    try:
        given = np.asarray(value)
    except ValueError:  # rows of different lengths
        given = np.asarray(None)
    shape = (*lead, *space.shape)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"expected numbers of shape {shape}, got {value!r}")
    if given.shape != shape:
        raise ValueError(f"expected shape {shape}, got {given.shape}")
    with np.errstate(over="ignore", invalid="ignore"):  # the episode has failed then
        array = given.astype(space.dtype, copy=False)
    if isinstance(space, Discrete):
        return _one_hot(space, array[..., None] - space.start, [int(space.n)])
    if isinstance(space, MultiDiscrete):
        return _one_hot(space, (array - space.start).reshape((*lead, -1)), space.nvec.ravel().tolist())
    return array.reshape((*lead, -1)).astype(np.float64)


def _one_hot(space: Space, choices: np.ndarray, groups: list[int]) -> np.ndarray:
    """Returns (*lead, sum of groups) float64 from choices (*lead, number of groups), each counted from 0."""
    if ((choices < 0) | (choices >= np.array(groups))).any():
        raise ValueError(f"expected an observation of {space}, got one outside it")
    one_hot = np.zeros((*choices.shape[:-1], sum(groups)))
    offsets = np.cumsum([0, *groups[:-1]])
    np.put_along_axis(one_hot, (choices + offsets).astype(np.int64), 1.0, axis=-1)
    return one_hot
