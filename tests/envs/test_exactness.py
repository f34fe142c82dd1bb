"""Native environments equal ``gymnasium.make`` to the last bit."""

import gymnasium
import numpy as np
import pytest

from envs import make_vec
from envs.tasks import TASKS

REWARD_PARTS = ("reward", "penalty", "velocity", "tendon", "position", "distance")


def assert_equals_plain(env_id, num_threads, steps, seeds, scale=1.0, dtype=np.float32, **kwargs):
    """Play several slots against single environments; slots are reset alone, some only after resting a while."""
    num_envs = len(seeds)
    vector = make_vec(env_id, num_envs, num_threads, **kwargs)
    singles = [gymnasium.make(env_id, **kwargs) for _ in seeds]
    space = vector.single_action_space
    rng = np.random.default_rng(1)
    observations, info = vector.reset(seed=list(seeds))
    expected = [env.reset(seed=seed) for env, seed in zip(singles, seeds, strict=True)]
    for i, (observation, single_info) in enumerate(expected):
        np.testing.assert_array_equal(observations[i], observation)
        for name, value in single_info.items():
            np.testing.assert_array_equal(info[name][i], value)
    resting = np.zeros(num_envs, dtype=int)
    done = np.zeros(num_envs, dtype=bool)
    last = [None] * num_envs
    resets = 0
    for _ in range(steps):
        actions = (scale * rng.uniform(space.low, space.high, (num_envs, *space.shape))).astype(dtype)
        observations, rewards, terminated, truncated, info = vector.step(actions)
        for i, env in enumerate(singles):
            if done[i]:
                np.testing.assert_array_equal(observations[i], last[i][0])
                assert rewards[i] == 0
                assert (terminated[i], truncated[i]) == last[i][1:]
                assert not any(info[name][i] for name in info if name.startswith("_"))
                resting[i] += 1
                continue
            observation, reward, term, trunc, single_info = env.step(actions[i])
            np.testing.assert_array_equal(observations[i], observation)
            assert rewards[i] == reward
            assert (terminated[i], truncated[i]) == (term, trunc)
            for name, value in single_info.items():
                np.testing.assert_array_equal(info[name][i], value, err_msg=name)
            done[i] = term or trunc
            last[i] = (observation, term, trunc)
        ready = done & (resting >= np.arange(num_envs) * 3)
        if ready.any():
            resets += int(ready.sum())
            new_seeds = [int(s) for s in rng.integers(1 << 40, size=num_envs)]
            observations, info = vector.reset(seed=new_seeds, options={"reset_mask": ready})
            for i in np.flatnonzero(ready):
                observation, single_info = singles[i].reset(seed=new_seeds[i])
                np.testing.assert_array_equal(observations[i], observation)
                for name, value in single_info.items():
                    np.testing.assert_array_equal(info[name][i], value)
            done[ready] = False
            resting[ready] = 0
    vector.close()
    return resets


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("env_id", sorted(TASKS))
def test_every_task_equals_gymnasium_to_the_last_bit(env_id, num_threads):
    resets = assert_equals_plain(env_id, num_threads, 300, [3, 11, 2**40 + 1], max_episode_steps=120)
    assert resets > 0


@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_task_with_signals_equals_the_wrapped_environment_to_the_last_bit(task):
    intervals = {"shortest": 3, "longest": 17, "still_reward": 0.7}
    assert assert_equals_plain(task.replace("-", "GoNoGo-"), 2, 150, [3, 2**40 + 1], max_episode_steps=60, **intervals)


@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        ("Hopper-v5", {"healthy_reward": 0.3, "terminate_when_unhealthy": False, "frame_skip": 2}),
        ("Hopper-v5", {"exclude_current_positions_from_observation": False, "healthy_state_range": (-3.0, 3.0)}),
        ("Walker2d-v5", {"healthy_z_range": (1.0, 1.3), "forward_reward_weight": 2.5, "reset_noise_scale": 0.1}),
        ("HalfCheetah-v5", {"exclude_current_positions_from_observation": False, "ctrl_cost_weight": 0.7}),
        ("Swimmer-v5", {"exclude_current_positions_from_observation": False, "frame_skip": 3}),
        ("Ant-v5", {"include_cfrc_ext_in_observation": False, "main_body": "front_left_leg"}),
        ("Ant-v5", {"contact_force_range": (-0.2, 5.0), "healthy_z_range": (0.4, 0.9)}),
        ("Humanoid-v5", {"include_cinert_in_observation": False, "include_cvel_in_observation": False}),
        ("Humanoid-v5", {"include_qfrc_actuator_in_observation": False, "contact_cost_range": (0.01, 0.05)}),
        ("HumanoidStandup-v5", {"include_cfrc_ext_in_observation": False, "uph_cost_weight": 3}),
        ("InvertedDoublePendulum-v5", {"healthy_reward": 2.0}),
    ],
)
def test_keywords_mean_what_they_mean_in_gymnasium(env_id, kwargs):
    assert_equals_plain(env_id, 2, 150, [5, 6], max_episode_steps=60, **kwargs)


def test_double_precision_actions_are_charged_in_double_precision():
    assert_equals_plain("Ant-v5", 2, 60, [1, 2], dtype=np.float64)


def test_actions_beyond_the_bounds_are_treated_as_gymnasium_treats_them():
    assert_equals_plain("Hopper-v5", 2, 60, [1, 2], scale=5.0)
