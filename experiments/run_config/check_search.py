"""Checks of an agent and a searcher of the user's own, by what they do, before a run writes anything."""

from collections.abc import Collection

import numpy as np
import torch
from evotorch import Problem
from evotorch.algorithms import SearchAlgorithm

from ec_evotorch.protocols import Stateful
from ec_evotorch.searchers.incumbent import latest_center
from experiments.errors import UserError
from experiments.run_config.own_code import told_of


def check_agent(problem: Problem, packages: Collection[str]) -> None:
    """Checks that an agent of the user's own begins an episode and takes a step as the problem will ask it to.

    It acts in a state that is thrown away, so that nothing later depends on it.

    Args:
        problem: A problem; without an agent from `packages` there is nothing to check.
        packages: Packages of the user's own.

    Raises:
        UserError: If it does not, naming the method and what was expected of it.
    """
    agent = getattr(problem, "agent", None)
    if type(agent).__module__.partition(".")[0] not in packages:
        return
    num_envs, length = problem.env.num_envs, agent.solution_length
    solution = torch.zeros((1, length), dtype=problem.dtype)
    observations = np.zeros((num_envs, agent.obs_length), dtype=np.float32)
    members, slots = np.zeros(num_envs, dtype=np.int64), np.arange(num_envs)
    try:
        method = "initial_state"
        state = agent.initial_state(num_envs, generator=torch.Generator().manual_seed(0))
        method = "reset"
        agent.reset(state, slots, slots.tolist())
        method = "step"
        action = agent.step(solution, members, observations, state)
    except Exception as error:
        raise UserError(f"agent: {method} failed before training: {told_of(error, packages)}") from error
    expected = (num_envs, problem.env.single_action_space.shape[0])
    if not isinstance(action, torch.Tensor) or action.shape != expected:
        raise UserError(f"agent: expected step to return a tensor of shape {expected}; got {_in_words(action)}")


def check_searcher(searcher: SearchAlgorithm, packages: Collection[str]) -> None:
    """Checks the centre of a searcher, if it has one before its first step, and that its state can be saved.

    Args:
        searcher: A searcher before its first step; one that is not from `packages` needs no check.
        packages: Packages of the user's own.

    Raises:
        UserError: If the centre is no solution, or a state cannot be taken or holds what a checkpoint cannot.
    """
    if type(searcher).__module__.partition(".")[0] not in packages:
        return
    try:
        center = searcher.status.get("center")
    except Exception:  # it has none before its first step
        center = None
    try:
        if center is not None:
            latest_center(searcher)
    except ValueError as error:
        raise UserError(error) from error
    finally:
        searcher.clear_status()  # which keeps what was asked for
    if not isinstance(searcher, Stateful):
        return
    try:
        state = searcher.state_dict()
    except Exception as error:
        raise UserError(f"searcher: state_dict failed before training: {told_of(error, packages)}") from error
    try:
        check_state(state)
    except ValueError as error:
        raise UserError(error) from error


def check_state(state: object, path: str = "") -> None:
    """Checks that a checkpoint can hold a state: dictionaries of tensors, arrays and plain values.

    Args:
        state: The state, or what is in it under `path`.
        path: Keys that lead to it, joined by "/".

    Raises:
        ValueError: For the first value that it cannot hold, by its path.
    """
    if isinstance(state, dict):
        for key, child in state.items():
            if not isinstance(key, str) or "/" in key:
                raise ValueError(f"searcher: state_dict: expected keys that are texts without '/'; got {key!r}")
            check_state(child, f"{path}/{key}" if path else key)
    elif not path or not (state is None or isinstance(state, bool | int | float | str | torch.Tensor | np.ndarray)):
        expected = "a tensor, an array, a number, a text, true, false or None" if path else "a dictionary"
        raise ValueError(f"searcher: state_dict: {path or 'it'}: expected {expected}; got {_in_words(state)}")


def _in_words(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"one of shape {tuple(value.shape)} and {value.dtype}"
    return "None" if value is None else f"a {type(value).__name__}"
