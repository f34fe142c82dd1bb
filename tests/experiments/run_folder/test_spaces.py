"""A space is read back from policy.json as what flattens and acts in the same way, or is refused in one line."""

import json

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from agents import RSNN
from ec_evotorch import Policy
from ec_evotorch.rollout.spaces import action_bounds, flatten_observations, observation_length, to_actions
from experiments.run_config.compose import compose_config
from experiments.run_folder.policy import checksum, load_policy, save_policy
from experiments.run_folder.spaces import describe_space, read_space

LEAVES = [
    Box(-1.0, 2.0, (3,), np.float32),
    Box(0, 255, (2, 1, 3), np.uint8),
    Box(-(2**40), 2**40, (2,), np.int64),
    Box(-np.inf, np.inf, (), np.float16),
    Box(0, 1, (2,), np.bool_),
    Discrete(5, start=-2),
    MultiDiscrete([[2, 3], [4, 1]], start=[[1, 0], [-2, 5]]),
    MultiBinary((2, 2)),
]
NESTED = [
    Dict([("z", Discrete(2)), ("a", Tuple([MultiBinary(2), Box(0, 9, (1,), np.int32)]))]),
    Tuple([Dict({"x": Discrete(3)}), Discrete(2)]),
]


def through_json(space, **kwargs):
    return read_space(json.loads(json.dumps(describe_space(space, **kwargs))))


@pytest.mark.parametrize("space", [*LEAVES, *NESTED], ids=str)
def test_observations_are_flattened_as_before(space):
    read = through_json(space)
    space.seed(0)
    for observation in (space.sample() for _ in range(5)):
        expected = flatten_observations(space, observation)
        np.testing.assert_array_equal(flatten_observations(read, observation), expected)
    assert describe_space(read) == describe_space(space)


@pytest.mark.parametrize("space", LEAVES, ids=str)
def test_actions_are_made_as_before(space):
    read = through_json(space, is_action=True)
    low, high = action_bounds(space)
    numbers = np.random.default_rng(0).uniform(low - 1.0, high + 1.0, size=(20, low.size)).astype(np.float32)
    made = to_actions(read, numbers)
    np.testing.assert_array_equal(made, to_actions(space, numbers))
    assert made.dtype == to_actions(space, numbers).dtype


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        (None, "got None (TypeError"),
        ({}, "KeyError: 'kind'"),
        ({"kind": "Text"}, "unknown kind 'Text'"),
        ({"kind": "Box", "shape": [-1], "dtype": "float32"}, "expected a shape, got [-1]"),
        ({"kind": "Box", "shape": [1 << 40], "dtype": "float32"}, "expected at most 67108864 numbers"),
        ({"kind": "Box", "shape": [2], "dtype": "no such"}, "TypeError"),
        ({"kind": "Box", "shape": [2], "dtype": "O"}, "of kind 'Box'"),
        ({"kind": "Box", "shape": [2], "dtype": "int8", "low": [0], "high": [1]}, "ValueError"),
        ({"kind": "Discrete", "n": 0, "start": 0, "dtype": "int64"}, "of kind 'Discrete'"),
        ({"kind": "Discrete", "n": 3, "start": 0, "dtype": "float32"}, "expected a type of whole numbers"),
        ({"kind": "MultiDiscrete", "nvec": ["x"], "start": [0], "dtype": "int64"}, "ValueError"),
        ({"kind": "MultiBinary", "shape": "x"}, "expected a shape, got 'x'"),
        ({"kind": "Dict", "parts": 3}, "TypeError"),
        ({"kind": "Tuple", "parts": [{"kind": "Nope"}]}, "unknown kind 'Nope'"),
    ],
)
def test_what_describes_no_space_is_refused(description, reason):
    with pytest.raises(ValueError, match=r"^expected the description of a space; got ") as error:
        read_space(description)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def deep(levels):
    description = {"kind": "Discrete", "n": 2, "start": 0, "dtype": "int64"}
    for _ in range(levels):
        description = {"kind": "Tuple", "parts": [description]}
    return description


def test_a_description_that_is_too_deep_is_refused():
    with pytest.raises(ValueError, match=r"^expected the description of a space; got one of kind 'Tuple' \(Recursion"):
        read_space(deep(5000))


OBSERVATIONS, ACTIONS = NESTED[0], MultiDiscrete([2, 3])


def save(folder):
    agent = RSNN(observation_length(OBSERVATIONS), 5, num_neurons=8)
    solution = np.random.default_rng(0).random(agent.solution_length) < 0.5
    spaces = {"observation_space": OBSERVATIONS, "action_space": ACTIONS}
    policy = Policy(agent, solution, *action_bounds(ACTIONS), **spaces)
    config = compose_config(["env=gymnasium", "agent.num_neurons=8"])
    save_policy(folder, policy, config.agent, config.env)
    return policy


def test_a_policy_of_any_spaces_acts_as_before(tmp_path):
    policy, loaded = save(tmp_path), load_policy(tmp_path).policy
    OBSERVATIONS.seed(0)
    for observation in (OBSERVATIONS.sample() for _ in range(10)):
        action = policy(observation)
        assert action in ACTIONS
        np.testing.assert_array_equal(loaded(observation), action)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.update(action_space=describe_space(Discrete(4))),
            "action_space: expected one of 5 numbers, got",
        ),
        (
            lambda d: d.update(observation_space=describe_space(Discrete(4))),
            "observation_space: expected one of ",
        ),
        (lambda d: d.update(observation_space=3), "observation_space: expected the description of a space; got 3"),
        (
            lambda d: d.update(action_space=describe_space(NESTED[1])),
            "expected an action space that is a Box, ",
        ),
        (lambda d: d["env"].update(wrappers=[3]), "env.wrappers[0]: expected the key _target_"),
    ],
)
def test_spaces_that_do_not_fit_are_refused_with_the_file(tmp_path, change, message):
    save(tmp_path)
    description = json.loads((tmp_path / "policy.json").read_text())
    change(description)
    description["sha256"] = checksum(description, (tmp_path / "policy.safetensors").read_bytes())
    (tmp_path / "policy.json").write_text(json.dumps(description))
    with pytest.raises(ValueError, match=r"policy\.json': ") as error:
        load_policy(tmp_path)
    assert message in str(error.value)
