"""The contract of ``make_vec``, for native environments and for the fallback."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, VectorEnv

from envs import make_vec
from envs.mujoco_vector_env import MujocoVectorEnv
from envs.tasks import TASKS

IDS = ["Hopper-v5", "Pusher-v5"]  # native, fallback


@pytest.mark.parametrize("env_id", IDS)
def test_spaces_spec_and_metadata_are_gymnasiums(env_id):
    env, plain = make_vec(env_id, 3), gymnasium.make(env_id)
    assert isinstance(env, VectorEnv)
    assert env.single_observation_space == plain.observation_space
    assert env.single_action_space == plain.action_space
    assert env.observation_space.shape == (3, *plain.observation_space.shape)
    assert env.action_space.shape == (3, *plain.action_space.shape)
    assert env.spec.id == env_id
    assert env.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    assert env.metadata["render_fps"] == plain.metadata["render_fps"]


@pytest.mark.parametrize("env_id", IDS)
def test_an_int_seeds_consecutive_sub_environments(env_id):
    env = make_vec(env_id, 3)
    np.testing.assert_array_equal(env.reset(seed=4)[0], env.reset(seed=[4, 5, 6])[0])


@pytest.mark.parametrize("env_id", IDS)
def test_reset_without_a_seed_continues_the_random_numbers_as_gymnasium_does(env_id):
    env, plain = make_vec(env_id, 2), gymnasium.make(env_id)
    env.reset(seed=[7, 8])
    plain.reset(seed=8)
    np.testing.assert_array_equal(env.reset()[0][1], plain.reset()[0])


@pytest.mark.parametrize("env_id", IDS)
def test_a_partial_reset_leaves_the_others_alone(env_id):
    env = make_vec(env_id, 3)
    env.reset(seed=0)
    observations = env.step(np.zeros(env.action_space.shape, np.float32))[0]
    after, _ = env.reset(seed=[9, 9, 9], options={"reset_mask": np.array([False, True, False])})
    np.testing.assert_array_equal(after[[0, 2]], observations[[0, 2]])
    assert (after[1] != observations[1]).any()


@pytest.mark.parametrize("env_id", IDS)
def test_the_first_reset_may_be_partial(env_id):
    env, whole = make_vec(env_id, 3), make_vec(env_id, 3)
    observations, _ = env.reset(seed=[1, 2, 3], options={"reset_mask": np.array([False, True, False])})
    np.testing.assert_array_equal(observations[1], whole.reset(seed=[1, 2, 3])[0][1])
    assert (env.step(np.zeros(env.action_space.shape, np.float32))[2] == [True, False, True]).all()


@pytest.mark.parametrize("env_id", IDS)
def test_an_environment_put_to_rest_does_not_run_until_it_is_reset(env_id):
    env = make_vec(env_id, 2)
    before, _ = env.reset(seed=0)
    env.rest()
    observations, rewards, terminated, _, _ = env.step(np.zeros(env.action_space.shape, np.float32))
    np.testing.assert_array_equal(observations, before)
    assert (rewards == 0).all()
    assert terminated.all()
    env.reset(seed=0, options={"reset_mask": np.array([True, False])})
    assert env.step(np.zeros(env.action_space.shape, np.float32))[2].tolist() == [False, True]


@pytest.mark.parametrize("env_id", IDS)
def test_a_finished_sub_environment_rests_until_reset(env_id):
    env = make_vec(env_id, 2, max_episode_steps=3)
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape, np.float32)
    for _ in range(3):
        last = env.step(action)
    assert last[3].all()
    observations, rewards, _, truncated, _ = env.step(np.full_like(action, np.nan))
    np.testing.assert_array_equal(observations, last[0])
    assert (rewards == 0).all()
    assert truncated.all()


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_action_that_is_not_finite_is_refused_before_anything_moves(env_id, bad):
    env = make_vec(env_id, 3)
    before, _ = env.reset(seed=0)
    action = np.zeros(env.action_space.shape, np.float32)
    action[1, 0] = bad
    with pytest.raises(ValueError, match=r"NaN or infinity in sub-environments \[1\]"):
        env.step(action)
    expected, _ = env.reset(seed=0)
    np.testing.assert_array_equal(before, expected)


@pytest.mark.parametrize("env_id", IDS)
def test_wrong_shapes_are_refused_with_both_shapes(env_id):
    env = make_vec(env_id, 3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions: expected shape \(3, .*got \(2,"):
        env.step(env.action_space.sample()[:2])
    with pytest.raises(ValueError, match="seed: expected 3 seeds"):
        env.reset(seed=[1, 2])
    with pytest.raises(ValueError, match=r"reset_mask'\]: expected shape \(3,\)"):
        env.reset(options={"reset_mask": np.array([True])})
    with pytest.raises(TypeError, match="array of bool"):
        env.reset(options={"reset_mask": [True, False, True]})


def test_unknown_ids_keywords_and_sizes_are_refused():
    with pytest.raises(ValueError, match="'Hoper-v5'; did you mean 'Hopper-v5'"):
        make_vec("Hoper-v5", 2)
    with pytest.raises(TypeError, match="healthy_rewards"):
        make_vec("Hopper-v5", 2, healthy_rewards=1)
    for num_envs in (0, True, 2.0, "2"):
        with pytest.raises(ValueError, match="num_envs: expected a positive whole number, got"):
            make_vec("Hopper-v5", num_envs)
    for num_threads in (-1, False):
        with pytest.raises(ValueError, match="num_threads: expected a whole number of at least 0, got"):
            make_vec("Hopper-v5", 1, num_threads=num_threads)


@pytest.mark.parametrize("env_id", IDS)
def test_numpys_whole_numbers_are_whole_numbers(env_id):
    assert make_vec(env_id, np.int64(2), num_threads=np.int32(1)).num_envs == 2


def test_threads_are_no_more_than_omp_num_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert make_vec("Hopper-v5", 3).num_threads == 1


@pytest.mark.parametrize("env_id", IDS)
def test_a_closed_environment_says_so(env_id):
    env = make_vec(env_id, 2)
    env.reset(seed=0)
    env.close()
    for use in (env.reset, lambda: env.step(np.zeros(env.action_space.shape, np.float32))):
        with pytest.raises(gymnasium.error.ClosedEnvironmentError, match="the environment is closed"):
            use()


def test_the_numbers_of_a_closed_environment_stay_and_it_does_not_go_on():
    env = make_vec("Hopper-v5", 2)
    env.reset(seed=0)
    env.step(np.zeros((2, 3), np.float32))
    length, diverged = env.episode_length.copy(), env.diverged.copy()
    env.close()
    env.close()
    for use in (env.render, lambda: env.rollout(0, 0)):
        with pytest.raises(gymnasium.error.ClosedEnvironmentError, match="the environment is closed"):
            use()
    np.testing.assert_array_equal(env.episode_length, length)
    np.testing.assert_array_equal(env.diverged, diverged)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("limit", [3, 10])
def test_a_limit_of_steps_truncates_unless_the_environments_own_is_less(env_id, limit):
    env = make_vec(env_id, 2, max_episode_steps=5)
    env.limit_episodes(limit)
    env.reset(seed=0)
    truncated = [env.step(np.zeros(env.action_space.shape, np.float32))[3].all() for _ in range(5)]
    assert truncated.index(True) + 1 == min(limit, 5)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("make_copy", [copy.deepcopy, copy.copy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_is_made_anew_and_shares_nothing(env_id, make_copy):
    env = make_vec(env_id, 2, num_threads=1, max_episode_steps=3)
    env.reset(seed=0)
    actions = np.full(env.action_space.shape, 0.1, np.float32)
    env.step(actions)
    copied = make_copy(env)
    assert copied.num_envs == 2
    assert copied.step(actions)[2].all()  # nothing runs before the first reset
    observations = copied.reset(seed=5)[0], [copied.step(actions)[0] for _ in range(3)]
    assert copied.step(actions)[3].all()
    copied.close()
    expected = env.reset(seed=5)[0], [env.step(actions)[0] for _ in range(3)]
    np.testing.assert_array_equal(observations[0], expected[0])
    np.testing.assert_array_equal(observations[1], expected[1])


@pytest.mark.parametrize("env_id", IDS)
def test_a_copy_keeps_the_limit_of_its_episodes(env_id):
    env = make_vec(env_id, 1)
    for limit in (4, 2, 3):
        env.limit_episodes(limit)
    copied = copy.deepcopy(env)
    copied.reset(seed=0)
    actions = np.zeros(copied.action_space.shape, np.float32)
    assert [bool(copied.step(actions)[3][0]) for _ in range(3)] == [False, True, True]


def test_only_what_make_vec_has_made_can_be_copied():
    env = MujocoVectorEnv(TASKS["Hopper-v5"], gymnasium.make("Hopper-v5"), 2)
    with pytest.raises(TypeError, match="MujocoVectorEnv can be pickled and copied only if make_vec has made it"):
        pickle.dumps(env)
