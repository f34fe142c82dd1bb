"""The camera follows the body, which else runs out of the picture."""

import gymnasium
import mujoco
import numpy as np
import pytest

from experiments.errors import UserError
from experiments.video.mujoco_camera import follow_body, set_size
from experiments.video.opengl import choose_backend, drawing_with

FIXED, TRACKING = mujoco.mjtCamera.mjCAMERA_FIXED, mujoco.mjtCamera.mjCAMERA_TRACKING
WITH_TRACK = ("Ant", "HalfCheetah", "Hopper", "Humanoid", "HumanoidStandup", "Swimmer", "Walker2d")


def made(name, given=None, in_window=False):
    env = gymnasium.make(f"{name}-v5", render_mode="rgb_array", **(given or {}))
    follow_body(env, given or {}, in_window)
    return env, env.unwrapped.mujoco_renderer


@pytest.mark.parametrize("name", WITH_TRACK)
def test_a_film_is_made_by_the_camera_of_the_model_and_a_window_looks_at_its_body(name):
    env, renderer = made(name)
    assert (renderer.camera_id, renderer.default_cam_config["type"]) == (None, FIXED)
    camera = env.unwrapped.model.camera(renderer.default_cam_config["fixedcamid"])
    assert camera.name == "track"
    _, renderer = made(name, in_window=True)
    config = renderer.default_cam_config
    assert (renderer.camera_id, config["type"], config["trackbodyid"]) == (None, TRACKING, int(camera.bodyid[0]))


def test_a_body_that_stays_is_seen_by_the_camera_of_its_environment():
    before = gymnasium.make("InvertedPendulum-v5", render_mode="rgb_array").unwrapped.mujoco_renderer
    _, renderer = made("InvertedPendulum")
    assert (renderer.camera_id, renderer.default_cam_config) == (before.camera_id, before.default_cam_config)


@pytest.mark.parametrize("in_window", [False, True])
def test_without_such_a_camera_the_environment_says_what_to_follow(in_window):
    env = gymnasium.make("InvertedPendulum-v5", render_mode="rgb_array")
    renderer = env.unwrapped.mujoco_renderer
    renderer.default_cam_config = {"trackbodyid": 2, "distance": 3.0}
    follow_body(env, {}, in_window)
    assert renderer.default_cam_config == {"trackbodyid": 2, "distance": 3.0, "type": TRACKING}


@pytest.mark.parametrize("given", [{"camera_id": 0}, {"camera_name": "track"}, {"default_camera_config": {}}])
def test_a_camera_that_the_user_chose_stays(given):
    before = gymnasium.make("Hopper-v5", **given).unwrapped.mujoco_renderer
    _, renderer = made("Hopper", given)
    assert (renderer.camera_id, dict(renderer.default_cam_config)) == (before.camera_id, before.default_cam_config)


def test_a_body_far_from_its_start_is_in_the_picture_where_mujoco_can_draw(backend):
    if backend is None:
        with pytest.raises(UserError, match="MuJoCo cannot draw here"):
            choose_backend({})
        return
    env, _ = made("Hopper")
    set_size(env, 120, 660)  # higher than what MuJoCo draws by itself
    env.reset(seed=0)
    inner = env.unwrapped
    place, still = inner.data.qpos.copy(), np.zeros_like(inner.data.qvel)
    with drawing_with(backend):
        near = env.render()
        inner.set_state(place + np.eye(len(place))[0] * 100.0, still)
        far = env.render()
    assert near.shape == (660, 120, 3)
    assert brown(near) > 500
    assert brown(far) > 0.8 * brown(near)


def brown(picture) -> int:
    """Returns how many pixels have the colour of the body, which is redder than sky and floor."""
    red, _, blue = picture.astype(int).transpose(2, 0, 1)
    return int((red > blue + 40).sum())
