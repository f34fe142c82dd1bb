"""Making the environment and the agent of a problem, with one clear message where what was given cannot make them."""

import inspect

import torch
from gymnasium.vector import AutoresetMode

ENV_IS_MADE_BY = (
    "a function of num_envs and num_threads that makes a vector environment, such as partial(make_vec, 'Hopper-v5')"
)
AGENT_IS_MADE_BY = (
    "a function of obs_length and act_length that makes an agent, such as RSNN or partial(RSNN, num_neurons=256)"
)
_ENV_HAS = ("num_envs", "single_observation_space", "single_action_space", "reset", "step", "close")
_AGENT_HAS = ("obs_length", "act_length", "solution_length", "dtype", "initial_state", "reset", "step")


def make_env(env, num_envs: int, num_threads: int):
    """Makes a vector environment and checks that a `RolloutProblem` can play in it.

    Args:
        env: What the user has given for `env`.
        num_envs: Number of sub-environments.
        num_threads: Threads of the physics; 0 for all cores.

    Raises:
        ValueError: If `env` is not a function of these two, or makes something else than a vector environment with
            one-dimensional boxes for its spaces that does not reset itself.
    """
    _check_function("env", env, ENV_IS_MADE_BY, num_envs=num_envs, num_threads=num_threads)
    made = env(num_envs=num_envs, num_threads=num_threads)
    _check_attributes("env", made, _ENV_HAS, ENV_IS_MADE_BY)
    for name, space in (("observation", made.single_observation_space), ("action", made.single_action_space)):
        if space.shape is None or len(space.shape) != 1 or not hasattr(space, "low"):
            raise ValueError(f"env: expected a one-dimensional {name} space (Box), got {space}")
    mode = getattr(made, "metadata", {}).get("autoreset_mode", AutoresetMode.DISABLED)
    if mode != AutoresetMode.DISABLED:
        raise ValueError(f"env: expected a vector environment with autoreset_mode {AutoresetMode.DISABLED}, got {mode}")
    return made


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


def _check_attributes(name: str, made, names: tuple[str, ...], expected: str) -> None:
    missing = [attribute for attribute in names if not hasattr(made, attribute)]
    if missing:
        raise ValueError(
            f"{name}: expected {expected}; it has made a {type(made).__name__}, which has no {', '.join(missing)}"
        )
