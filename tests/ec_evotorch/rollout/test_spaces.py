"""Observations and actions of any space as vectors: flattening is Gymnasium's, alone and in batches."""

import re
from collections import OrderedDict

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Graph, MultiBinary, MultiDiscrete, Sequence, Text, Tuple, flatten
from gymnasium.vector.utils import batch_space, iterate

from ec_evotorch.rollout.spaces import (
    ACTIONS,
    OBSERVATIONS,
    action_bounds,
    choice_groups,
    flatten_observations,
    observation_length,
    to_actions,
)

SPACES = [
    Box(-1.0, 1.0, (3,), np.float32),
    Box(-np.inf, np.inf, (2, 3), np.float64),
    Box(0, 255, (4, 5, 3), np.uint8),
    Box(0, 1, (), np.float32),
    Discrete(5),
    Discrete(3, start=-1),
    MultiDiscrete([2, 3]),
    MultiDiscrete([[2, 3], [4, 1]], start=[[1, 0], [-2, 5]]),
    MultiBinary(4),
    MultiBinary((2, 2)),
    Dict({"b": Discrete(3), "a": Box(-1.0, 1.0, (2,), np.float16), "c": Tuple([MultiBinary(2), Box(0, 9, (1,), int)])}),
    Dict(OrderedDict([("z", Box(0, 1, (1,))), ("a", Discrete(2))])),
    Tuple([Discrete(2), Dict({"x": Box(-1.0, 1.0, (1, 2))})]),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_observations_are_flattened_as_gymnasium_flattens_them(space):
    space.seed(0)
    samples = [space.sample() for _ in range(5)]
    expected = np.array([flatten(space, sample) for sample in samples], dtype=np.float64)
    alone = np.array([flatten_observations(space, sample) for sample in samples])
    np.testing.assert_array_equal(alone, expected)
    assert alone.dtype == np.float64
    assert alone.shape == (5, observation_length(space))


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_batch_is_flattened_as_each_observation_is(space):
    batches = batch_space(space, 4)
    batches.seed(1)
    batch = batches.sample()
    alone = [flatten_observations(space, observation) for observation in iterate(batches, batch)]
    np.testing.assert_array_equal(flatten_observations(space, batch, (4,)), alone)


def test_a_number_is_rounded_to_what_its_space_holds():
    assert flatten_observations(Box(-1, 1, (1,), np.float32), np.array([0.1]))[0] == np.float64(np.float32(0.1))


@pytest.mark.parametrize(
    ("space", "observation", "message"),
    [
        (Discrete(3), 3, "expected an observation of Discrete(3), got one outside it"),
        (Discrete(3), -1, "expected an observation of Discrete(3), got one outside it"),
        (Discrete(3), "x", "expected numbers of shape (), got 'x'"),
        (Box(0, 1, (2, 2)), np.zeros(4), "expected shape (2, 2), got (4,)"),
        (Box(0, 1, (2,)), [[1], [1, 2]], "expected numbers of shape (2,), got [[1], [1, 2]]"),
        (Dict({"a": Discrete(2)}), {"b": 1}, "expected an observation with the key 'a', got the keys b"),
        (Dict({"a": Discrete(2)}), 1, "expected an observation of Dict('a': Discrete(2)), got 1"),
        (Tuple([Discrete(2)]), (1, 1), "expected an observation of Tuple(Discrete(2)), got (1, 1)"),
    ],
)
def test_what_is_no_observation_of_the_space_is_refused(space, observation, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        flatten_observations(space, observation)


@pytest.mark.parametrize(
    "space",
    [Text(3), Graph(Box(0, 1, (1,)), None), Sequence(Discrete(2)), Dict({"a": Discrete(2), "b": Text(3)}), None, 3],
    ids=str,
)
def test_observations_that_are_no_vectors_are_refused_by_their_space(space):
    part = space["b"] if isinstance(space, Dict) else space
    message = f"expected an observation space that is a {OBSERVATIONS}, got {part}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        observation_length(space)


@pytest.mark.parametrize(
    "space", [Text(3), Dict({"a": Discrete(2)}), Tuple([Discrete(2)]), Sequence(Discrete(2))], ids=str
)
def test_actions_that_no_numbers_make_are_refused_by_their_space(space):
    message = f"expected an action space that is a {ACTIONS}, got {space}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        action_bounds(space)


@pytest.mark.parametrize(
    ("space", "numbers", "action"),
    [
        (Discrete(3), [0.1, 0.9, 0.2], 1),
        (Discrete(3), [1.0, 1.0, 1.0], 0),
        (Discrete(2, start=5), [-0.5, -0.4], 6),
        (MultiDiscrete([2, 3]), [0.0, 0.1, -1.0, -0.9, -0.95], [1, 1]),
        (MultiDiscrete([[2], [2]], start=[[1], [7]]), [1.0, 0.0, 0.0, 1.0], [[1], [8]]),
        (MultiBinary(3), [-0.1, 0.0, 0.1], [0, 0, 1]),
        (MultiBinary((2, 1)), [1.0, -1.0], [[1], [0]]),
        (Box(-1.0, 1.0, (2, 1)), [0.5, -0.5], [[0.5], [-0.5]]),
        (Box(0, 3, (4,), np.int64), [0.4, 0.6, 3.2, -7.0], [0, 1, 3, 0]),
        (Box(-np.inf, np.inf, (1,), np.float16), [0.5], [0.5]),
    ],
)
def test_actions_by_hand(space, numbers, action):
    made = to_actions(space, np.array(numbers, dtype=np.float32))
    np.testing.assert_array_equal(made, action)
    assert made in space
    batch = to_actions(space, np.array([numbers, numbers], dtype=np.float32))
    np.testing.assert_array_equal(batch, [action, action])


@pytest.mark.parametrize(
    ("space", "low", "high"),
    [
        (Box(-2.0, 3.0, (2,)), [-2, -2], [3, 3]),
        (Box(-np.inf, np.inf, (1, 2)), [-1, -1], [1, 1]),
        (Box(np.array([0, -np.inf, -np.inf]), np.array([np.inf, 5, 1e38])), [0, 3, 1e38 - 2], [2, 5, 1e38]),
        (Box(-3.5e38, 3.5e38, (1,), np.float64), [-1], [1]),
        (Box(0, 255, (2,), np.uint8), [0, 0], [255, 255]),
        (Box(np.array([-np.inf, 3]), np.inf, dtype=np.int64), [-1, 3], [1, 5]),
        (Discrete(3, start=4), [-1] * 3, [1] * 3),
        (MultiDiscrete([2, 2]), [-1] * 4, [1] * 4),
        (MultiBinary((2, 3)), [-1] * 6, [1] * 6),
    ],
    ids=str,
)
def test_bounds_by_hand(space, low, high):
    np.testing.assert_array_equal(action_bounds(space), [np.float32(low), np.float32(high)])


def test_choices_are_made_from_groups_of_numbers():
    assert choice_groups(Discrete(4)) == [4]
    assert choice_groups(MultiDiscrete([[2, 3], [4, 1]])) == [2, 3, 4, 1]
    assert choice_groups(MultiBinary((2, 1))) == [1, 1]
    assert choice_groups(Box(0, 1, (3,))) == []
