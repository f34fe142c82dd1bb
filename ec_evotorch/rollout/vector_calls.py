"""Calls of a vector environment, with one clear message where what it returns is not what the contract asks for."""

import numpy as np


def name_of(env) -> str:
    """Returns the id of a vector environment, or the name of its class if it has none."""
    return getattr(spec_of(env), "id", None) or type(env).__name__


def spec_of(env):
    """Returns Gymnasium's specification of a vector environment or its first sub-environment; None if it has none."""
    inner = getattr(env, "unwrapped", env)
    for one in (env, inner, *getattr(inner, "envs", ())[:1]):
        if getattr(one, "spec", None) is not None:
            return one.spec
    return None


def reset_env(env, *, seed: list[int | None], options: dict | None = None) -> np.ndarray:
    """Calls `reset` and returns the observations (B, obs_length).

    Args:
        env: A vector environment.
        seed: List of B seeds.
        options: `{"reset_mask": (B,) bool}` where only some slots are reset.

    Raises:
        ValueError: If it returns something else than observations and `info`.
    """
    returned = env.reset(seed=seed, options=options)
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise ValueError(f"env: expected reset of {name_of(env)} to return (observations, info), got {_kind(returned)}")
    return _checked(env, "reset", "observations", returned[0], "biuf", env.single_observation_space.shape)


def step_env(env, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Calls `step` and returns observations (B, obs_length), rewards (B,), and the flags terminated and truncated (B,).

    Args:
        env: A vector environment.
        actions: (B, act_length) actions.

    Raises:
        ValueError: If it returns something else than these and `info`.
    """
    returned = env.step(actions)
    if not isinstance(returned, tuple) or len(returned) != 5:
        expected = "(observations, rewards, terminated, truncated, info)"
        raise ValueError(f"env: expected step of {name_of(env)} to return {expected}, got {_kind(returned)}")
    observations, rewards, terminated, truncated, _ = returned
    return (
        _checked(env, "step", "observations", observations, "biuf", env.single_observation_space.shape),
        _checked(env, "step", "rewards", rewards, "biuf"),
        _checked(env, "step", "terminated", terminated, "b"),
        _checked(env, "step", "truncated", truncated, "b"),
    )


def _checked(env, method: str, what: str, value, kinds: str, shape: tuple[int, ...] = ()) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    shape = (env.num_envs, *shape)
    if array.dtype.kind not in kinds or array.shape != shape:
        expected = f"{what} of shape {shape}, {'truth values' if kinds == 'b' else 'numbers'}"
        got = f"shape {array.shape} of {array.dtype}"
        raise ValueError(f"env: expected {method} of {name_of(env)} to return {expected}; got {got}")
    return array


def _kind(returned) -> str:
    return f"{len(returned)} values" if isinstance(returned, tuple) else f"a {type(returned).__name__}"
