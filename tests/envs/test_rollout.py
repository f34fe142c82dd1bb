"""Stretches of episodes played by a C function, without Python."""

import ctypes
import os
import signal
import threading

import numpy as np
import pytest

from envs import make_vec

POLICY = ctypes.CFUNCTYPE(
    None, ctypes.c_int64, ctypes.c_int64, ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_double)
)


@POLICY
def lean_forward(context, slot, observation, action):
    """A policy that needs nothing but its observation: joint torques follow the torso's angle."""
    for joint in range(3):
        action[joint] = np.float32(np.clip((joint + 1) * observation[1], -1, 1))


ADDRESS = ctypes.cast(lean_forward, ctypes.c_void_p).value


def test_a_rollout_pays_what_stepping_pays():
    played, stepped = make_vec("Hopper-v5", 3, num_threads=1), make_vec("Hopper-v5", 3, num_threads=1)
    for env in (played, stepped):
        env.reset(seed=[1, 2, 3])
    played.rollout(ADDRESS, 0)
    returns, lengths = np.zeros(3), np.zeros(3, dtype=int)
    while not stepped.finished.all():
        angle = stepped.observations[:, 1:2]
        actions = np.clip(angle * [1, 2, 3], -1, 1).astype(np.float32)
        running = ~stepped.finished
        returns += stepped.step(actions)[1]
        lengths += running
    assert played.finished.all()
    np.testing.assert_array_equal(played.episode_return, returns)
    np.testing.assert_array_equal(played.episode_length, lengths)
    np.testing.assert_array_equal(played.observations, stepped.observations)


def test_a_rollout_takes_no_more_steps_than_it_is_told():
    env = make_vec("Hopper-v5", 2, num_threads=1)
    env.reset(seed=0)
    env.rollout(ADDRESS, 0, 5)
    assert env.episode_length.tolist() == [5, 5]


@pytest.fixture
def sigint_interrupts():
    """SIGINT raises KeyboardInterrupt, also where the tests were started in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint_interrupts")
def test_ctrl_c_stops_a_rollout_between_two_steps_and_leaves_it_usable():
    env = make_vec("Hopper-v5", 2, num_threads=1, terminate_when_unhealthy=False, max_episode_steps=10**9)
    env.reset(seed=0)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        env.rollout(ADDRESS, 0)  # the episode would take days
    reached = env.episode_length.copy()
    env.rollout(ADDRESS, 0, 1)
    np.testing.assert_array_equal(env.episode_length, reached + 1)


def test_frames_are_drawn_of_every_sub_environments_own_state(monkeypatch):
    env = make_vec("Hopper-v5", 2, render_mode="rgb_array")
    observations, _ = env.reset(seed=[4, 9])
    drawn = []
    monkeypatch.setattr(env._template, "render", lambda: drawn.append(env._template.data.qpos.copy()))
    assert len(env.render()) == 2
    np.testing.assert_array_equal([qpos[1:] for qpos in drawn], observations[:, :5])
