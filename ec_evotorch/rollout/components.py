"""Making the environment and the agent of a problem, with one clear message where what was given cannot make them."""

import inspect
import logging
from functools import cache
from numbers import Integral

import numpy as np
import torch
from gymnasium.vector import AutoresetMode

from ec_evotorch.rollout.flat_env import FlatEnv, is_flat
from ec_evotorch.rollout.normalizer import action_scale
from ec_evotorch.rollout.resting import RestingSlots, steps_finished_slots
from ec_evotorch.rollout.vector_calls import name_of, reset_env, spec_of, step_env

ENV_IS_MADE_BY = (
    "a function of num_envs and num_threads that makes a vector environment, such as partial(make_vec, 'Hopper-v5')"
)
AGENT_IS_MADE_BY = (
    "a function of obs_length and act_length that makes an agent, such as RSNN or partial(RSNN, num_neurons=256)"
)
ENV_ON_DEVICE = (
    "a function of num_envs, num_threads and device that makes a vector environment which can be stepped on a device, "
    "such as partial(make_vec, 'Hopper-v5', physics='warp')"
)
AGENT_ON_DEVICE = (
    "a function of obs_length, act_length and device that makes an agent whose networks can stay on a device, such as "
    "RSNN or partial(RSNN, num_neurons=256)"
)
_ENV_HAS = ("num_envs", "single_observation_space", "single_action_space", "reset", "step", "close")
_ON_DEVICE, _LIMITED_ON_DEVICE = ("on_device",), ("on_device", "limit_episodes")
_AGENT_HAS = ("obs_length", "act_length", "solution_length", "dtype", "initial_state", "reset", "step")


_LOGGER = logging.getLogger(__name__)


class EnvError(ValueError):
    """An environment that cannot be made or cannot be played; the message begins with "env: "."""


def make_env(env, num_envs: int, num_threads: int, max_episode_steps: int | None = None, **keywords: str):
    """Makes a vector environment and checks that a `RolloutProblem` can play in it.

    Args:
        env: What the user has given for `env`.
        num_envs: Number of sub-environments.
        num_threads: Threads of the physics; 0 for all cores.
        max_episode_steps: Steps after which an episode is truncated; None for no limit besides the environment's own.
        **keywords: Further keywords for `env`: `physics`, or `device`, on which it must be able to play then.

    Raises:
        EnvError: If `env` is not a function of these, raises an exception, or makes something else than a vector
            environment that does not reset itself and whose spaces are those of `ec_evotorch.rollout.spaces`; or, with
            a device, one that cannot be stepped there.

    Returns:
        The environment; as a `FlatEnv` where its observations or actions are no vectors.
    """
    try:
        expected = ENV_ON_DEVICE if "device" in keywords else ENV_IS_MADE_BY
        _check_function("env", env, expected, num_envs=num_envs, num_threads=num_threads, **keywords)
        made = _call(env, num_envs=num_envs, num_threads=num_threads, **keywords)
        _check_attributes("env", made, _ENV_HAS, ENV_IS_MADE_BY)
        if "device" in keywords:
            _check_attributes("env", made, _ON_DEVICE if max_episode_steps is None else _LIMITED_ON_DEVICE, expected)
    except ValueError as error:
        raise EnvError(str(error)) from error.__cause__
    mode = getattr(made, "metadata", {}).get("autoreset_mode", AutoresetMode.DISABLED)
    if mode != AutoresetMode.DISABLED:
        raise EnvError(f"env: expected a vector environment with autoreset_mode {AutoresetMode.DISABLED}, got {mode}")
    made = _as_flat(made)
    if max_episode_steps is not None and hasattr(made, "limit_episodes"):
        made.limit_episodes(max_episode_steps)
    elif max_episode_steps is not None or steps_finished_slots(made):
        made = RestingSlots(made, max_episode_steps)
    return made


def try_env(env) -> None:
    """Begins an episode in every slot and takes one step, with the middle of the action space.

    Args:
        env: What `make_env` has made.

    Raises:
        EnvError: If that raises an exception, or what is returned is not what the contract asks for.
    """
    middle, _ = action_scale(env.single_action_space.low, env.single_action_space.high)
    try:
        reset_env(env, seed=list(range(env.num_envs)), options={"reset_mask": np.ones(env.num_envs, dtype=bool)})
        step_env(env, np.tile(middle, (env.num_envs, 1)))
    except Exception as error:  # whatever the environment's author did not think of
        raise EnvError(_said(error)) from error


def warn_of_endless_episodes(env) -> None:
    """Warns, once for each environment, if it says that it has no limit of steps."""
    spec = spec_of(env)
    if spec is not None and spec.max_episode_steps is None:
        _warn_once(name_of(env))


@cache
def _warn_once(name: str) -> None:
    _LOGGER.warning(
        "env: %s has no max_episode_steps: if an episode does not end by itself, training never does; "
        "RolloutProblem(max_episode_steps=…), or problem.max_episode_steps= on the command line, ends it",
        name,
    )


def make_agent(agent, obs_length: int, act_length: int):
    """Makes an agent and checks that it has what a `RolloutProblem` needs.

    Args:
        agent: What the user has given for `agent`.
        obs_length: Length of an observation.
        act_length: Length of an action.

    Raises:
        ValueError: If `agent` is not a function of these two, or makes something else than an agent.
    """
    if isinstance(agent, torch.nn.Module):  # which can be called, with an observation
        raise ValueError(f"agent: expected {AGENT_IS_MADE_BY}, got a {type(agent).__name__}")
    _check_function("agent", agent, AGENT_IS_MADE_BY, obs_length, act_length)
    made = agent(obs_length, act_length)
    _check_attributes("agent", made, _AGENT_HAS, AGENT_IS_MADE_BY)
    _check_solutions(made)
    return made


def make_device_agent(agent, obs_length: int, act_length: int, device: str):
    """Makes an agent whose networks can stay on a device.

    Args:
        agent: As for `make_agent`.
        obs_length: Length of an observation.
        act_length: Length of an action.
        device: Name of the device.

    Raises:
        ValueError: If it cannot be made so.
    """
    _check_function("agent", agent, AGENT_ON_DEVICE, obs_length, act_length, device=device)
    try:
        made = agent(obs_length, act_length, device=device)
    except ValueError as error:
        raise ValueError(f"agent: {error}") from error
    _check_attributes("agent", made, (*_ON_DEVICE, "draw_starts"), AGENT_ON_DEVICE)
    return made


def _check_function(name: str, function, expected: str, *arguments, **keywords) -> None:
    if not callable(function):
        got = repr(function) if isinstance(function, str) else f"a {type(function).__name__}"
        raise ValueError(f"{name}: expected {expected}, got {got}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # of a function that is written in C and does not say
        return
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as error:
        raise ValueError(f"{name}: expected {expected}, got a function that cannot be called so: {error}") from None


def _call(env, **keywords):
    try:
        return env(**keywords)
    except MemoryError:
        raise  # of this process, and no fault of the environment
    except Exception as error:  # whatever the environment's author did not think of
        raise ValueError(_said(error)) from error


def _said(error: Exception) -> str:
    """Returns what an environment has raised as a message about `env`."""
    text = str(error) if isinstance(error, ValueError | TypeError) else f"{type(error).__name__}: {error}"
    return text if text.startswith("env: ") else f"env: {text}"


def _as_flat(env):
    try:
        return env if is_flat(env) else FlatEnv(env)
    except ValueError as error:
        raise EnvError(f"env: {error} of {name_of(env)}") from error


def _check_attributes(name: str, made, names: tuple[str, ...], expected: str) -> None:
    missing = [attribute for attribute in names if not hasattr(made, attribute)]
    if missing:
        raise ValueError(
            f"{name}: expected {expected}; it has made a {type(made).__name__}, which has no {', '.join(missing)}"
        )


def _check_solutions(agent) -> None:
    """Checks that the solutions of an agent are vectors of bits or of real numbers."""
    length, dtype = agent.solution_length, agent.dtype
    if isinstance(length, bool) or not isinstance(length, Integral) or length < 1:
        raise ValueError(f"agent: expected solution_length to be a positive whole number, got {length!r}")
    if dtype not in (torch.bool, torch.float32):
        raise ValueError(f"agent: expected dtype to be torch.bool or torch.float32, got {dtype!r}")
