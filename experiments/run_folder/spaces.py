"""Gymnasium's spaces as JSON in policy.json: what flattening an observation or making an action needs, and no more.

They are

    {"kind": "Box", "shape": [84, 84, 3], "dtype": "uint8"}, for an action of whole numbers also "low" and "high", flat
    {"kind": "Discrete", "n": 4, "start": 0, "dtype": "int64"}
    {"kind": "MultiDiscrete", "nvec": [3, 2], "start": [0, 0], "dtype": "int64"}
    {"kind": "MultiBinary", "shape": [5]}
    {"kind": "Dict", "parts": [["name", {…}], …]}, in the order in which they are flattened
    {"kind": "Tuple", "parts": [{…}, …]}

What is read back has the widest bounds where the description has none.
"""

import math

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple

_MOST_NUMBERS = 1 << 26  # in an observation: one of 64 million bytes, of any shape


def describe_space(space: Space, *, is_action: bool = False) -> dict:
    """Returns a space of `ec_evotorch.rollout.spaces` as plain containers.

    Args:
        space: The space.
        is_action: Whether the bounds of whole numbers matter.

    Raises:
        ValueError: If it is none of these.
    """
    kinds = (Box, Discrete, MultiDiscrete, MultiBinary, Dict, Tuple)
    kind = next((known for known in kinds if isinstance(space, known)), None)
    if kind is None:
        raise ValueError(f"expected a space that is one of {', '.join(known.__name__ for known in kinds)}, got {space}")
    description: dict = {"kind": kind.__name__}
    if kind is Box:
        description |= {"shape": list(space.shape), "dtype": str(space.dtype)}
        if is_action and space.dtype.kind != "f":
            description |= {"low": space.low.ravel().tolist(), "high": space.high.ravel().tolist()}
    elif kind is Discrete:
        description |= {"n": int(space.n), "start": int(space.start), "dtype": str(space.dtype)}
    elif kind is MultiDiscrete:
        description |= {"nvec": space.nvec.tolist(), "start": space.start.tolist(), "dtype": str(space.dtype)}
    elif kind is MultiBinary:
        description |= {"shape": list(space.shape)}
    elif kind is Dict:
        description |= {"parts": [[key, describe_space(part)] for key, part in space.spaces.items()]}
    else:
        description |= {"parts": [describe_space(part) for part in space.spaces]}
    return description


def read_space(description: object) -> Space:
    """Returns the space of a description, with the widest bounds where it has none.

    Raises:
        ValueError: If it is no description of a space.
    """
    try:
        return _read(description)
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError, OverflowError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"expected the description of a space; got {_short(description)} ({reason})") from error


def _read(description: dict) -> Space:
    kind = description["kind"]
    if kind == "Box":
        return _read_box(description)
    if kind == "Discrete":
        return Discrete(description["n"], start=description["start"], dtype=_integer(description["dtype"]))
    if kind == "MultiDiscrete":
        return MultiDiscrete(description["nvec"], _integer(description["dtype"]), start=description["start"])
    if kind == "MultiBinary":
        return MultiBinary(_shape(description))
    if kind == "Dict":
        return Dict([(str(key), _read(part)) for key, part in description["parts"]])
    if kind == "Tuple":
        return Tuple([_read(part) for part in description["parts"]])
    raise ValueError(f"unknown kind {kind!r}")


def _read_box(description: dict) -> Box:
    dtype, shape = np.dtype(description["dtype"]), tuple(_shape(description))
    if dtype.kind == "f":
        return Box(-np.inf, np.inf, shape, dtype)
    if "low" in description:
        low, high = (np.array(description[side], dtype=dtype).reshape(shape) for side in ("low", "high"))
        return Box(low, high, dtype=dtype)
    if dtype.kind == "b":
        return Box(0, 1, shape, dtype)
    info = np.iinfo(dtype)
    return Box(info.min, info.max, shape, dtype)


def _integer(name: str) -> np.dtype:
    if np.dtype(name).kind not in "iu":
        raise ValueError(f"expected a type of whole numbers, got {name}")
    return np.dtype(name)


def _shape(description: dict) -> list[int]:
    shape = description["shape"]
    if not isinstance(shape, list) or not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"expected a shape, got {shape!r}")
    if math.prod(shape) > _MOST_NUMBERS:
        raise ValueError(f"expected at most {_MOST_NUMBERS} numbers, got the shape {shape}")
    return shape


def _short(description: object) -> str:
    text = repr(description) if not isinstance(description, dict) else f"one of kind {description.get('kind')!r}"
    return text if len(text) < 100 else f"{text[:100]}…"
