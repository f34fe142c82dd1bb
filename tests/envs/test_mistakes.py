"""Mistakes in an environment and its keywords: one line that names what was refused, before anything is played."""

import re
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

from envs import make_plain, make_vec

MAKERS = [lambda id, **kwargs: make_vec(id, 2, **kwargs), make_plain]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("env_id", "keyword", "value"),
    [
        ("Hopper-v5", "frame_skip", 2.5),
        ("Hopper-v5", "frame_skip", 0),
        ("Hopper-v5", "healthy_z_range", 3),
        ("Hopper-v5", "healthy_z_range", [1]),
        ("Hopper-v5", "healthy_reward", [1.0, 2.0]),
        ("Hopper-v5", "ctrl_cost_weight", None),
        ("Hopper-v5", "reset_noise_scale", "a"),
        ("Hopper-v5", "exclude_current_positions_from_observation", 2),
        ("Hopper-v5", "max_episode_steps", 2.5),
        ("Hopper-v5", "xml_file", "./missing.xml"),
        ("Hopper-v5", "xml_file", "/etc/passwd"),
        ("Hopper-v5", "xml_file", 3),
        ("Ant-v5", "main_body", "nobody"),
        ("Pusher-v5", "frame_skip", 2.5),
        ("Pusher-v5", "no_such_keyword", 1),
    ],
)
def test_the_keyword_that_gymnasium_refuses_is_named(make, env_id, keyword, value):
    with pytest.raises((ValueError, TypeError)) as caught:
        make(env_id, **{"max_episode_steps": 7, keyword: value})
    said = str(caught.value)
    assert said.startswith(f"{keyword}: {env_id} cannot be made and played with {keyword}={value!r}: ")
    assert "\n" not in said
    assert len(said) < 500


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("frame_skip", -1, "a positive whole number"),
        ("terminate_when_unhealthy", 0.5, "True or False"),
        ("terminate_when_unhealthy", "false", "True or False"),
    ],
)
def test_what_only_the_native_environment_would_read_otherwise_is_refused(keyword, value, expected):
    with pytest.raises(ValueError, match=f"^{keyword}: expected {expected}, got {value!r}$"):
        make_vec("Hopper-v5", 1, **{keyword: value})


def test_keywords_that_are_wrong_only_together_are_all_named(tmp_path):
    with pytest.raises(TypeError, match=r"^Hopper-v5 cannot be made and played: TypeError: "):
        make_vec("Hopper-v5", 1, frame_skip=2.5, healthy_z_range=3)


@pytest.mark.parametrize("env_id", [None, 3, ["Hopper-v5"]])
def test_what_is_no_id_is_refused_by_name(env_id):
    with pytest.raises(TypeError, match=r"^id: expected the name of a Gymnasium environment, got"):
        make_vec(env_id, 1)


@pytest.mark.parametrize("env_id", ["no_such_module_at_all:Thing-v0", "Lazy-v0"])
def test_a_module_that_is_not_there_is_named(register, env_id):
    register("Lazy-v0", "no_such_module_at_all:Thing")
    with pytest.raises(ValueError, match=f"^{env_id} cannot be made and played: .*No module named 'no_such_module_at"):
        make_vec(env_id, 1)


class Own(gymnasium.Env):
    """An environment of two numbers whose first returns can be changed."""

    observation_space = Box(-1.0, 1.0, (2,))
    action_space = Box(-1.0, 1.0, (1,))
    change = staticmethod(lambda returned: returned)
    begin = staticmethod(lambda returned: returned)
    windows = 0
    metadata: ClassVar = {"render_modes": ["human"], "render_fps": 1}

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        Own.windows += render_mode == "human"

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.begin((np.zeros(2, np.float32), {}))

    def step(self, action):
        self.steps += 1
        returned = (np.zeros(2, np.float32), 1.0, False, False, {})
        return self.change(returned) if self.steps >= self.good_steps else returned

    good_steps = 1


@pytest.fixture(autouse=True)
def own(register, monkeypatch):
    """`Own` is registered as Own-v0, and may be patched, until the end of the test."""
    register("Own-v0", Own, max_episode_steps=5)
    return monkeypatch


WRONG_STEPS = [
    (lambda r: r[:4], "(observation, reward, terminated, truncated, info), got 4 values"),
    (lambda r: list(r), "(observation, reward, terminated, truncated, info), got a list"),
    (lambda r: (r[0], np.array([1.0]), *r[2:]), "a number as the reward, got array([1.])"),
    (lambda r: (r[0], "1.0", *r[2:]), "a number as the reward, got '1.0'"),
    (lambda r: (r[0], None, *r[2:]), "a number as the reward, got None"),
    (lambda r: (np.zeros(3), *r[1:]), "an observation of shape (2,), got (3,)"),
    (lambda r: (np.zeros((1, 2)), *r[1:]), "an observation of shape (2,), got (1, 2)"),
    (lambda r: (["a", "b"], *r[1:]), "an observation of numbers, got ['a', 'b']"),
    (lambda r: (r[0], 1.0, 0.5, *r[3:]), "True or False as terminated, got 0.5"),
    (lambda r: (r[0], 1.0, False, None, {}), "True or False as truncated, got None"),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(("change", "expected"), WRONG_STEPS)
def test_a_first_step_that_returns_something_else_is_refused(own, make, change, expected):
    own.setattr(Own, "change", staticmethod(change))
    message = f"Own-v0 cannot be made and played: Own-v0: expected step to return {expected}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make("Own-v0")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("change", "expected"), [case for case in WRONG_STEPS if "values" not in case[1]])
def test_a_later_step_that_returns_something_else_is_refused(own, change, expected):
    own.setattr(Own, "change", staticmethod(change))
    own.setattr(Own, "good_steps", 3)
    gymnasium.registry["Own-v0"].max_episode_steps = None  # the limit makes a tuple of what it gets
    env = make_vec("Own-v0", 1, disable_env_checker=True)
    env.reset(seed=0)
    actions = np.zeros((1, 1), np.float32)
    env.step(actions)
    env.step(actions)
    with pytest.raises(ValueError, match=f"^{re.escape(f'Own-v0: expected step to return {expected}')}$"):
        env.step(actions)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        (lambda r: (np.zeros(3), {}), "reset to return an observation of shape (2,), got (3,)"),
        (lambda r: (["a", "b"], {}), "reset to return an observation of numbers, got ['a', 'b']"),
        (lambda r: (*r, 1), "reset to return (observation, info), got (array("),
        (lambda r: r[0], "reset to return (observation, info), got array("),
    ],
)
def test_a_reset_that_returns_something_else_is_refused(own, make, begin, expected):
    own.setattr(Own, "begin", staticmethod(begin))
    with pytest.raises(ValueError, match=rf"^Own-v0 cannot be made and played: .*expected {re.escape(expected)}"):
        make("Own-v0", disable_env_checker=True)


@pytest.mark.filterwarnings("ignore:.*reward returned by.*")
@pytest.mark.parametrize("reward", [1, np.float32(1), np.int64(1), np.array(1.0), True])
def test_whatever_is_a_number_is_a_reward(own, reward):
    own.setattr(Own, "change", staticmethod(lambda r: (r[0], reward, *r[2:])))
    env = make_vec("Own-v0", 2)
    env.reset(seed=0)
    assert env.step(np.zeros((2, 1), np.float32))[1].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("error", [KeyError("inner"), AssertionError(), RuntimeError("two\nlines")])
def test_an_exception_of_ones_own_environment_is_told_with_its_kind(own, error):
    def fail(returned):
        raise error

    own.setattr(Own, "change", staticmethod(fail))
    with pytest.raises(ValueError, match=rf"^Own-v0 cannot be made and played: {type(error).__name__}: .* \(test_mist"):
        make_vec("Own-v0", 1)


def test_no_window_opens_for_a_trial():
    before = Own.windows
    make_plain("Own-v0", render_mode="human")
    assert Own.windows == before + 1  # that of the environment itself


def test_what_is_returned_has_not_been_played():
    with pytest.raises(gymnasium.error.ResetNeeded):
        make_plain("Own-v0").step(np.zeros(1, np.float32))
