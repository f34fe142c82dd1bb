"""Environments that Gymnasium plays: in this process or in several, they are those of a plain loop."""

import logging
import os
import signal
from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from gymnasium.spaces import Box, Dict, Discrete, Tuple
from gymnasium.wrappers import FrameStackObservation, RescaleAction

from envs import make, make_plain, make_vec
from envs.fallback import AsyncFallbackVectorEnv, EnvProcessError, FallbackVectorEnv


class Parts(gymnasium.Env):
    """Observations of parts, `info` of all kinds, and an end after as many steps as the seed says."""

    observation_space = Dict({"a": Box(-9.0, 9.0, (2,)), "b": Tuple([Discrete(5), Box(0, 255, (1, 2), np.uint8)])})
    action_space = Discrete(3, start=2)

    def observe(self):
        numbers = self.np_random.integers(0, 5, size=4)
        parts = {"a": numbers[:2].astype(np.float32), "b": (int(numbers[2]), numbers[None, 2:].astype(np.uint8))}
        return parts, {"steps": self.steps, "deep": {"array": np.full(2, self.steps)}, "word": f"step {self.steps}"}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps, self.last = 0, int(self.np_random.integers(1, 6))
        return self.observe()

    def step(self, action):
        assert action in self.action_space
        self.steps += 1
        observation, info = self.observe()
        if self.steps == 1:
            del info["word"]
        return observation, float(action), self.steps == self.last, False, info


@pytest.fixture
def own(register):
    register("Parts-v0", entry_point=Parts)
    return "Parts-v0"


def same(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one.dtype == other.dtype and np.array_equal(one, other)


def test_several_processes_play_what_one_plays(own):
    one, several = (make_vec(own, 5, 2, vectorization_mode=mode) for mode in ("sync", "async"))
    assert (type(one), type(several), len(several.process_ids)) == (FallbackVectorEnv, AsyncFallbackVectorEnv, 2)
    assert same(one.reset(seed=3), several.reset(seed=3))
    one.action_space.seed(0)
    for t in range(12):
        actions = one.action_space.sample()
        stepped = one.step(actions)
        assert same(stepped, several.step(actions))
        finished = stepped[2] | stepped[3]
        if finished.any() and t % 3:
            reset = {"seed": [t] * 5, "options": {"reset_mask": finished}}
            assert same(one.reset(**reset), several.reset(**reset))
    for env in (one, several):
        env.rest()
        env.limit_episodes(1)
    assert same(one.step(actions), several.step(actions))
    _, (made_by, limit) = several.__reduce__()
    assert (made_by.keywords["vectorization_mode"], limit) == ("async", 1)
    several.close()
    with pytest.raises(gymnasium.error.ClosedEnvironmentError):
        several.step(actions)


def test_what_goes_wrong_in_a_process_is_told_as_it_is_in_one(register):
    class Fails(Parts):
        def reset(self, *, seed=None, options=None):
            if seed == 13:
                raise KeyError("thirteen")
            self.is_deadly = seed == 99  # which the trial before is not
            return super().reset(seed=seed)

        def step(self, action):
            if self.is_deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().step(action)

    register("Fails-v0", entry_point=Fails)
    env = make_vec("Fails-v0", 2, 2, vectorization_mode="async")
    with pytest.raises(ValueError, match=r"^actions: expected whole numbers of shape \(2,\), got float64"):
        env.step(np.zeros(2))
    with pytest.raises(KeyError, match="thirteen"):
        env.reset(seed=[13, 1])
    first, _ = env.reset(seed=[1, 99])
    assert same(first, env.reset(seed=[1, 99])[0])
    for _ in range(2):
        with pytest.raises(EnvProcessError, match=r"^Fails-v0: a process that .* has ended by SIGKILL$"):
            env.step(np.array([2, 2]))
    processes = env.process_ids
    env.close()
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_wrappers_are_applied_in_their_order_to_each_environment():
    wrappers = [partial(RescaleAction, min_action=0.0, max_action=1.0), partial(FrameStackObservation, stack_size=2)]
    env = make_vec("Hopper-v5", 2, wrappers=wrappers)
    plain = FrameStackObservation(RescaleAction(gymnasium.make("Hopper-v5"), 0.0, 1.0), 2)
    assert (env.single_observation_space, env.single_action_space) == (plain.observation_space, plain.action_space)
    np.testing.assert_array_equal(env.reset(seed=[1, 2])[0][1], plain.reset(seed=2)[0])
    action = np.full((2, 3), 0.25, np.float32)
    np.testing.assert_array_equal(env.step(action)[0][1], plain.step(action[1])[0])
    made = make_plain("Hopper-v5", wrappers)
    np.testing.assert_array_equal(made.reset(seed=2)[0], plain.reset(seed=2)[0])


@pytest.mark.parametrize(
    ("wrappers", "message"),
    [
        ([3], r"^wrappers: expected a list of functions that wrap an environment, got \[3\]$"),
        ("abc", "^wrappers: expected a list of functions that wrap an environment, got 'abc'$"),
        (
            [lambda env: None],
            "^wrappers: CartPole-v1 cannot be made .*: expected .* to return an environment",
        ),
        ([partial(RescaleAction, min=3)], "^wrappers: CartPole-v1 cannot be made .* unexpected keyword argument 'min'"),
    ],
)
def test_what_is_no_wrapper_is_refused(wrappers, message):
    with pytest.raises(TypeError, match=message):
        make_vec("CartPole-v1", 2, wrappers=wrappers)


@pytest.mark.parametrize("mode", ["fast", True, 3])
def test_another_mode_is_refused(mode):
    with pytest.raises(ValueError, match=rf"^vectorization_mode: expected sync or async or None, got {mode!r}$"):
        make_vec("CartPole-v1", 2, vectorization_mode=mode)


def test_actions_that_are_no_array_are_refused_by_their_space(register):
    class Two(Parts):
        action_space = Tuple([Discrete(2), Discrete(2)])

        def step(self, action):
            return self.observe()[0], 0.0, False, False, {}

    register("Two-v0", entry_point=Two)
    with pytest.raises(ValueError, match=r"^Two-v0: expected an action space .*, got Tuple\(Discrete\(2\), Discrete"):
        make_vec("Two-v0", 2)


@pytest.mark.parametrize(
    ("observation", "said"),
    [
        ({"a": np.zeros(2)}, r"an observation of Dict\("),
        ({"a": np.zeros(3), "b": (1, np.zeros((1, 2)))}, r"an observation of shape \(2,\), got \(3,\)"),
        ({"a": np.zeros(2), "b": ("x", np.zeros((1, 2)))}, "an observation of numbers, got 'x'"),
        ({"a": np.zeros(2), "b": (1,)}, r"an observation of Tuple\("),
        (None, r"an observation of Dict\("),
    ],
)
def test_an_observation_that_lacks_a_part_of_its_space_is_refused(register, observation, said):
    class Wrong(Parts):
        def observe(self):
            return observation, {}

    register("Wrong-v0", entry_point=Wrong, disable_env_checker=True)
    with pytest.raises(ValueError, match=f"Wrong-v0: expected reset to return {said}"):
        make_vec("Wrong-v0", 2)


def test_a_mujoco_environment_that_is_not_native_says_so_once(register, caplog):
    class Derived(HopperEnv):
        """A hopper of one's own."""

    register("Derived-v0", entry_point=Derived)
    make._warn_of_fallback.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            make_vec("Derived-v0", 1)
            make_vec("Hopper-v5", 1, wrappers=[partial(RescaleAction, min_action=0.0, max_action=1.0)])
            for quiet in (make_vec("Hopper-v5", 1), make_vec("Hopper-v5", 1, vectorization_mode="sync")):
                quiet.close()
    said = [record.getMessage() for record in caplog.records if record.name == make.__name__]
    assert len(said) == 2
    assert said[0].startswith("Derived-v0 is played by Gymnasium, one step at a time, as its class ")
    assert said[0].endswith(".Derived is none of the nine that run natively")
    assert said[1] == "Hopper-v5 is played by Gymnasium, one step at a time, as it has wrappers"
