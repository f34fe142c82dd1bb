"""Unstable physics are noticed, though MuJoCo starts anew and Gymnasium goes on."""

import re
from pathlib import Path

import gymnasium
import mujoco
import numpy as np
import pytest

from envs import make_vec, mujoco_warnings


@pytest.fixture
def unstable_hopper(tmp_path, monkeypatch):
    """Keywords of a hopper whose time step is a hundred times too large."""
    monkeypatch.chdir(tmp_path)
    model = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / "hopper.xml"
    path = tmp_path / "hopper.xml"
    path.write_text(re.sub(r'timestep="[0-9.]+"', 'timestep="0.2"', model.read_text()))
    return {"xml_file": str(path), "terminate_when_unhealthy": False}


def test_divergence_belongs_to_the_episode(unstable_hopper):
    env = make_vec("Hopper-v5", num_envs=2, num_threads=1, **unstable_hopper)
    env.reset(seed=[0, 1])
    assert not env.diverged.any()
    for t in range(40):
        env.step(np.full((2, 3), (-1.0) ** t, dtype=np.float32))
    assert env.diverged.all()
    env.reset(seed=[0, 1], options={"reset_mask": np.array([True, False])})
    assert env.diverged.tolist() == [False, True]


def test_mujocos_warnings_are_logged_once_and_litter_no_folder(unstable_hopper, caplog, tmp_path):
    mujoco_warnings._log_once.cache_clear()
    for _ in range(2):
        env = make_vec("Hopper-v5", num_envs=2, num_threads=2, **unstable_hopper)
        env.reset(seed=[0, 1])
        for t in range(40):
            env.step(np.full((2, 3), (-1.0) ** t, dtype=np.float32))
        env.close()
    messages = [record.getMessage() for record in caplog.records if record.name == "envs.mujoco_warnings"]
    assert messages
    assert all("unstable" in message for message in messages)
    assert len(messages) == len(set(messages))
    assert not any("Time =" in message for message in messages)
    assert [path.name for path in tmp_path.iterdir()] == ["hopper.xml"]


def test_somebody_elses_handler_of_warnings_is_kept(unstable_hopper):
    heard = []
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(heard.append)
    try:
        env = make_vec("Hopper-v5", num_envs=1, num_threads=1, **unstable_hopper)
        env.reset(seed=0)
        for t in range(40):
            env.step(np.full((1, 3), (-1.0) ** t, dtype=np.float32))
    finally:
        mujoco.set_mju_user_warning(before)
    assert heard


def test_stable_physics_never_count_as_diverged():
    env = make_vec("Hopper-v5", num_envs=2, num_threads=1, terminate_when_unhealthy=False)
    env.reset(seed=[0, 1])
    rng = np.random.default_rng(0)
    while not env.finished.all():
        env.step(rng.uniform(-1, 1, (2, 3)).astype(np.float32))
        assert not env.diverged.any()
    assert (env.episode_length == 1000).all()
