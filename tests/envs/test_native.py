"""Which environments run natively: those of Gymnasium's own classes, whatever they are called, and no others."""

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from gymnasium.wrappers import TimeLimit, TransformReward

from envs import make_vec
from envs.fallback import FallbackVectorEnv
from envs.mujoco_vector_env import MujocoVectorEnv


class Stingy(HopperEnv):
    """A hopper that pays 5 for everything."""

    def step(self, action):
        observation, _, terminated, truncated, info = super().step(action)
        return observation, 5.0, terminated, truncated, info


def halved(**kwargs):
    return TransformReward(HopperEnv(**kwargs), lambda reward: reward / 2)


def patched(**kwargs):
    env = HopperEnv(**kwargs)
    env._get_rew = lambda x_velocity, action: (5.0, {})
    return env


@pytest.mark.filterwarnings("ignore:.*Overriding environment.*")
@pytest.mark.parametrize("entry_point", [Stingy, halved, patched])
def test_what_a_user_has_registered_under_a_native_id_is_what_plays(register, entry_point):
    register("Hopper-v5", entry_point, max_episode_steps=50)
    env, plain = make_vec("Hopper-v5", 1), gymnasium.make("Hopper-v5")
    env.reset(seed=3)
    plain.reset(seed=3)
    action = np.full((1, 3), 0.5, np.float32)
    for _ in range(3):
        assert env.step(action)[1][0] == plain.step(action[0])[1]
    assert isinstance(env, FallbackVectorEnv)


@pytest.mark.filterwarnings("ignore:.*Overriding environment.*")
def test_wrappers_of_a_registration_play_along(register):
    wrapper = TransformReward.wrapper_spec(func=lambda reward: 7.0)
    register("Hopper-v5", HopperEnv, max_episode_steps=1000, additional_wrappers=(wrapper,))
    env = make_vec("Hopper-v5", 1)
    env.reset(seed=0)
    assert env.step(np.zeros((1, 3), np.float32))[1].tolist() == [7.0]


def test_a_second_limit_of_steps_counts(register):
    register(
        "Short-v0", HopperEnv, max_episode_steps=9, additional_wrappers=(TimeLimit.wrapper_spec(max_episode_steps=2),)
    )
    env = make_vec("Short-v0", 1)
    env.reset(seed=0)
    truncated = [bool(env.step(np.zeros((1, 3), np.float32))[3][0]) for _ in range(2)]
    assert truncated == [False, True]


@pytest.mark.filterwarnings("ignore:.*latest versioned environment.*")
@pytest.mark.parametrize(
    "env_id", ["gymnasium.envs.mujoco:Hopper-v5", "Hopper", "Bare-v0", gymnasium.spec("Hopper-v5")]
)
def test_gymnasiums_own_classes_are_native_whatever_they_are_called(register, env_id):
    register("Bare-v0", HopperEnv, kwargs={"healthy_reward": 0.5})
    assert isinstance(make_vec(env_id, 1), MujocoVectorEnv)


def test_keywords_of_a_registration_are_those_of_the_native_environment(register):
    register("Bare-v0", HopperEnv, max_episode_steps=3, kwargs={"healthy_reward": 0.5, "ctrl_cost_weight": 0.0})
    env, plain = make_vec("Bare-v0", 1), gymnasium.make("Bare-v0")
    env.reset(seed=1)
    plain.reset(seed=1)
    for _ in range(3):
        native, expected = env.step(np.ones((1, 3), np.float32)), plain.step(np.ones(3, np.float32))
        assert native[1][0] == expected[1]
    assert native[3].tolist() == [expected[3]] == [True]
