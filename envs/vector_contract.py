"""Checks of what goes into vector environments and what comes out of plain ones, with the same errors everywhere."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from gymnasium.error import ClosedEnvironmentError
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple
from gymnasium.vector import VectorEnv

from native.arguments import check_whole


def expand_seeds(seed: int | Sequence[int | None] | None, num_envs: int) -> list[int | None]:
    """Returns a seed for each sub-environment; an integer s means s, s + 1, … as in Gymnasium.

    Raises:
        ValueError: If there is not one seed for each sub-environment, or one is not a whole number of at least 0.
    """
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, str | Mapping) or not isinstance(seed, Iterable):
        first = check_whole("seed", seed, minimum=0)
        return [first + i for i in range(num_envs)]
    seeds = [None if s is None else check_whole(f"seed[{i}]", s, minimum=0) for i, s in enumerate(seed)]
    if len(seeds) != num_envs:
        raise ValueError(f"seed: expected {num_envs} seeds, one for each sub-environment, got {len(seeds)}")
    return seeds


def reset_mask(options: dict | None, num_envs: int) -> np.ndarray:
    """Returns which sub-environments to reset: `options["reset_mask"]`, or all of them.

    Raises:
        TypeError: If `options` is no dictionary, or the mask is not a boolean array.
        ValueError: If it has another shape, or there is nothing to reset.
    """
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options: expected a dictionary or None, got a {type(options).__name__}")
    if options is None or "reset_mask" not in options:
        return np.ones(num_envs, dtype=bool)
    mask = options["reset_mask"]
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        got = f"an array of {mask.dtype}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise TypeError(f"options['reset_mask']: expected a NumPy array of bool, got {got}")
    if mask.shape != (num_envs,):
        raise ValueError(f"options['reset_mask']: expected shape ({num_envs},), got {mask.shape}")
    if not mask.any():
        raise ValueError("options['reset_mask']: expected at least one True")
    return mask


def check_actions(actions: object, space: Space, active: np.ndarray) -> np.ndarray:
    """Returns actions as an array; refuses a wrong shape, and what is not finite in a running sub-environment.

    Args:
        actions: The actions, numbers in an array or whatever NumPy makes one of; whole numbers where the
            space has only these.
        space: Space of the actions of all sub-environments.
        active: (B,) bool, which sub-environments are running.

    Raises:
        ValueError: If so; it names the shapes, or the sub-environments with NaN or infinite actions.
    """
    shape = space.shape
    try:
        given = np.asarray(actions)
    except (ValueError, RuntimeError, TypeError):  # lists of different lengths, tensors with a gradient or on a device
        raise ValueError(f"actions: expected an array of shape {shape}, got a {type(actions).__name__}") from None
    actions = given
    kinds, numbers = ("iub", "whole numbers") if np.issubdtype(space.dtype, np.integer) else ("fiub", "numbers")
    if actions.dtype.kind not in kinds:
        raise ValueError(f"actions: expected {numbers} of shape {shape}, got {actions.dtype} of shape {actions.shape}")
    if actions.shape != shape:
        raise ValueError(f"actions: expected shape {shape}, got {actions.shape}")
    if not np.isfinite(actions).all():
        bad = np.flatnonzero(active & ~np.isfinite(actions).all(axis=tuple(range(1, actions.ndim))))
        if bad.size:
            raise ValueError(f"actions: expected finite ones, got NaN or infinity in sub-environments {bad.tolist()}")
    return actions


def check_open(env: VectorEnv) -> None:
    """Refuses to use an environment that is closed.

    Raises:
        ClosedEnvironmentError: If it is.
    """
    if env.closed:
        raise ClosedEnvironmentError("the environment is closed")


def check_step(name: str, space: Space, returned: object) -> None:
    """Refuses what the `step` of a plain environment has returned, unless it is what Gymnasium's interface asks for.

    Args:
        name: Id of the environment, for the message.
        space: Its observation space.
        returned: What `step` has returned.

    Raises:
        ValueError: If it is not (observation, reward, terminated, truncated, info), with an observation of the space's
            shape, a number and two truth values.
    """
    expected = "(observation, reward, terminated, truncated, info)"
    if not isinstance(returned, tuple) or len(returned) != 5:
        got = f"{len(returned)} values" if isinstance(returned, tuple) else f"a {type(returned).__name__}"
        raise ValueError(f"{name}: expected step to return {expected}, got {got}")
    observation, reward, terminated, truncated, _ = returned
    check_observation(name, "step", space, observation)
    if not isinstance(reward, float) and not _is_scalar(reward, "biuf"):
        raise ValueError(f"{name}: expected step to return a number as the reward, got {reward!r}")
    for flag, value in (("terminated", terminated), ("truncated", truncated)):
        if not isinstance(value, bool) and not _is_scalar(value, "b"):
            raise ValueError(f"{name}: expected step to return True or False as {flag}, got {value!r}")


def check_observation(name: str, method: str, space: Space, observation: object) -> None:
    """Refuses an observation that does not consist of what its space consists of: arrays of numbers of these shapes.

    Spaces other than `Box`, `Discrete`, `MultiDiscrete`, `MultiBinary`, `Dict` and `Tuple` are let through.

    Args:
        name: Id of the environment, for the message.
        method: Which method returned it.
        space: The observation space.
        observation: What was returned.

    Raises:
        ValueError: If so.
    """
    if isinstance(space, Dict | Tuple):
        parts = _parts(space, observation)
        if parts is None:
            raise ValueError(f"{name}: expected {method} to return an observation of {space}, got {observation!r}")
        for part_of_space, part in parts:
            check_observation(name, method, part_of_space, part)
    if not isinstance(space, Box | Discrete | MultiDiscrete | MultiBinary):
        return
    try:
        array = np.asarray(observation)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected {method} to return an observation of numbers, got {observation!r}")
    if array.shape != space.shape:
        expected = f"an observation of shape {space.shape}"
        raise ValueError(f"{name}: expected {method} to return {expected}, got {array.shape}")


def _parts(space: Dict | Tuple, observation: object) -> list[tuple[Space, object]] | None:
    """Returns the parts of a space with those of an observation, or None if the observation has not these parts."""
    if isinstance(space, Dict):
        fits = isinstance(observation, Mapping) and observation.keys() == space.spaces.keys()
        return [(part, observation[key]) for key, part in space.spaces.items()] if fits else None
    fits = isinstance(observation, tuple | list) and len(observation) == len(space.spaces)
    return list(zip(space.spaces, observation, strict=True)) if fits else None


def _is_scalar(value: object, kinds: str) -> bool:
    array = np.asarray(value)
    return array.ndim == 0 and array.dtype.kind in kinds
