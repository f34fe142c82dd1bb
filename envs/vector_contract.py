"""What every vector environment of :mod:`envs` checks of its callers, so that all raise the same errors."""

from collections.abc import Sequence

import numpy as np
from gymnasium.error import ClosedEnvironmentError
from gymnasium.vector import VectorEnv


def expand_seeds(seed: int | Sequence[int | None] | None, num_envs: int) -> list[int | None]:
    """One seed for each sub-environment: an int s means s, s + 1, …, as in Gymnasium.

    Raises:
        ValueError: a sequence of another length.
    """
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, int | np.integer):
        return [int(seed) + i for i in range(num_envs)]
    seeds = [None if s is None else int(s) for s in seed]
    if len(seeds) != num_envs:
        raise ValueError(f"seed: expected {num_envs} seeds, one for each sub-environment, got {len(seeds)}")
    return seeds


def reset_mask(options: dict | None, num_envs: int) -> np.ndarray:
    """The sub-environments to reset: ``options["reset_mask"]``, or all.

    Raises:
        TypeError: not a boolean array.
        ValueError: another shape, or nothing to reset.
    """
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


def check_actions(actions: np.ndarray, shape: tuple[int, ...], active: np.ndarray) -> None:
    """Refuse actions of a wrong shape, or not finite in a running sub-environment.

    Raises:
        ValueError: naming the shapes, or the sub-environments with NaN or infinite actions.
    """
    if actions.shape != shape:
        raise ValueError(f"actions: expected shape {shape}, got {actions.shape}")
    if not np.isfinite(actions).all():
        bad = np.flatnonzero(active & ~np.isfinite(actions).all(axis=tuple(range(1, actions.ndim))))
        if bad.size:
            raise ValueError(f"actions: expected finite ones, got NaN or infinity in sub-environments {bad.tolist()}")


def check_open(env: VectorEnv) -> None:
    """Refuse to use what is closed.

    Raises:
        ClosedEnvironmentError: it is.
    """
    if env.closed:
        raise ClosedEnvironmentError("the environment is closed")
