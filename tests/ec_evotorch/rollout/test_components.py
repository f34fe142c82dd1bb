"""Environments that a problem cannot play in: one line that says so of the environment, and nothing else."""

import re
from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Sequence, Text

from agents import RSNN
from ec_evotorch import RolloutProblem
from ec_evotorch.rollout.components import EnvError, try_env
from ec_evotorch.rollout.spaces import ACTIONS, OBSERVATIONS
from envs import make_vec


class Vector(gymnasium.vector.VectorEnv):
    """A vector environment of one's own, of which anything can be changed."""

    def __init__(self, num_envs, num_threads, **changed):
        self.num_envs = num_envs
        self.single_observation_space = changed.pop("observations", Box(-1.0, 1.0, (2,)))
        self.single_action_space = changed.pop("actions", Box(-1.0, 1.0, (1,)))
        self._changed = changed

    def reset(self, *, seed=None, options=None):
        returned = np.zeros((self.num_envs, 2)), {}
        return self._changed.get("reset", lambda r: r)(returned)

    def step(self, actions):
        b = self.num_envs
        returned = np.zeros((b, 2)), np.ones(b), np.ones(b, bool), np.zeros(b, bool), {}
        return self._changed.get("step", lambda r: r)(returned)


def make_problem(env):
    return RolloutProblem(env, partial(RSNN, num_neurons=4), num_envs=3)


def fail(*_, error=None, **__):
    raise error


def assert_says(message):
    return pytest.raises(EnvError, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"actions": Dict()}, f"expected an action space that is a {ACTIONS}, got Dict()"),
        ({"actions": Text(3)}, f"expected an action space that is a {ACTIONS}, got {Text(3)}"),
        ({"actions": Box(0, 1, (0, 2))}, "expected at least one number, got the action space Box([], [], (0, 2)"),
        ({"observations": Text(3)}, f"expected an observation space that is a {OBSERVATIONS}, got {Text(3)}"),
        (
            {"observations": Sequence(Box(0, 1))},
            f"expected an observation space that is a {OBSERVATIONS}, got Sequence(",
        ),
        ({"observations": Dict()}, "expected at least one number, got the observation space Dict()"),
        (
            {"observations": Dict({1: Box(0, 1)})},
            "expected an observation space whose parts are named by texts, got ",
        ),
    ],
)
def test_spaces_that_no_agent_can_have_are_the_environments_fault(changed, message):
    with pytest.raises(EnvError, match=rf"^env: {re.escape(message)}.* of Vector$"):
        make_problem(partial(Vector, **changed))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("id: cannot make 'X-v0'"), "env: id: cannot make 'X-v0'"),
        (TypeError("no such keyword"), "env: no such keyword"),
        (FileNotFoundError("there is no 'model.xml'"), "env: FileNotFoundError: there is no 'model.xml'"),
        (ZeroDivisionError("division by zero"), "env: ZeroDivisionError: division by zero"),
        (ModuleNotFoundError("No module named 'box'"), "env: ModuleNotFoundError: No module named 'box'"),
    ],
)
def test_whatever_is_raised_in_making_an_environment_is_said_of_env(error, message):
    with assert_says(message):
        make_problem(partial(fail, error=error))


def test_the_ids_and_keywords_of_make_vec_are_said_of_env():
    with pytest.raises(EnvError, match=r"^env: id: cannot make 'Hoper-v5'; did you mean 'Hopper-v5'"):
        make_problem(partial(make_vec, "Hoper-v5"))
    with pytest.raises(EnvError, match=r"^env: frame_skip: Hopper-v5 cannot be made and played with frame_skip=2.5: "):
        make_problem(partial(make_vec, "Hopper-v5", frame_skip=2.5))


WRONG_RETURNS = [
    ({"reset": lambda r: r[0]}, "reset of Vector to return (observations, info), got a ndarray"),
    (
        {"reset": lambda r: (r[0][:, :1], {})},
        "reset of Vector to return observations of shape (3, 2), numbers; got shape (3, 1) of float64",
    ),
    (
        {"step": lambda r: r[:4]},
        "step of Vector to return (observations, rewards, terminated, truncated, info), got 4 values",
    ),
    (
        {"step": lambda r: (r[0][:2], *r[1:])},
        "step of Vector to return observations of shape (3, 2), numbers; got shape (2, 2) of float64",
    ),
    (
        {"step": lambda r: (r[0], r[1][:, None], *r[2:])},
        "step of Vector to return rewards of shape (3,), numbers; got shape (3, 1) of float64",
    ),
    (
        {"step": lambda r: (r[0], r[1].astype(str), *r[2:])},
        "step of Vector to return rewards of shape (3,), numbers; got shape (3,) of <U32",
    ),
    (
        {"step": lambda r: (*r[:2], False, *r[3:])},
        "step of Vector to return terminated of shape (3,), truth values; got shape () of bool",
    ),
    (
        {"step": lambda r: (*r[:3], r[1], {})},
        "step of Vector to return truncated of shape (3,), truth values; got shape (3,) of float64",
    ),
]


@pytest.mark.parametrize(("changed", "message"), WRONG_RETURNS)
@pytest.mark.parametrize("limit", [None, 5])
def test_what_breaks_the_contract_is_said_when_it_is_played(changed, message, limit):
    problem = RolloutProblem(
        partial(Vector, **changed), partial(RSNN, num_neurons=4), num_envs=3, max_episode_steps=limit
    )
    with assert_says(f"env: expected {message}"):
        try_env(problem.env)
    with pytest.raises(ValueError, match=f"^{re.escape(f'env: expected {message}')}$"):
        problem.evaluate(problem.generate_batch(3))


def test_an_exception_in_a_trial_is_said_of_env():
    problem = make_problem(partial(Vector, step=partial(fail, error=KeyError("inner"))))
    with assert_says("env: KeyError: 'inner'"):
        try_env(problem.env)


def test_an_environment_that_keeps_the_contract_passes_the_trial():
    problem = make_problem(Vector)
    assert try_env(problem.env) is None
    problem.evaluate(problem.generate_batch(3))
    assert problem.status["mean_return"] == 1.0
