"""Where the camera of Gymnasium's MuJoCo environments stands: with the body, which else runs out of the picture.

Gymnasium's own camera stays where the episode began, because its renderer takes the tracking back that the environments
ask for.
"""

from collections.abc import Mapping

import gymnasium
import mujoco

TRACK = "track"  # name of the camera that follows the body in the models of Gymnasium
SHADOWS = 1024  # pixels of MuJoCo's map of shadows: its 4096 take a processor a third of the time of a picture
OF_THE_USER = ("camera_id", "camera_name", "default_camera_config")  # keywords that choose a camera


def set_size(env: gymnasium.Env, width: int, height: int) -> None:
    """Lets an environment draw pictures of a size, with shadows no finer than these show.

    Args:
        env: An environment that draws with MuJoCo and has not drawn yet.
        width: Width of its pictures, pixels.
        height: Height of its pictures, pixels.
    """
    renderer, screen = env.unwrapped.mujoco_renderer, env.unwrapped.model.vis.global_
    renderer.width, renderer.height = width, height
    quality = env.unwrapped.model.vis.quality
    quality.shadowsize = min(quality.shadowsize, SHADOWS)
    screen.offwidth, screen.offheight = max(screen.offwidth, width), max(screen.offheight, height)


def follow_body(env: gymnasium.Env, given: Mapping, in_window: bool) -> None:
    """Lets the camera follow the body, where its model or its environment says which part of it.

    Args:
        env: An environment that draws with MuJoCo and has not drawn yet.
        given: Its keywords; a camera that is chosen there stays.
        in_window: Whether it draws in a window, where the mouse moves the camera around the body.
    """
    if any(given.get(key) is not None for key in OF_THE_USER):
        return
    renderer, model = env.unwrapped.mujoco_renderer, env.unwrapped.model
    config = dict(renderer.default_cam_config or {})
    camera = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, TRACK)
    if camera >= 0 and not in_window:
        config |= {"type": mujoco.mjtCamera.mjCAMERA_FIXED, "fixedcamid": camera}
    else:
        body = int(model.cam_bodyid[camera]) if camera >= 0 else config.get("trackbodyid", 0)
        if body <= 0:  # the world, which does not move
            return
        config |= {"type": mujoco.mjtCamera.mjCAMERA_TRACKING, "trackbodyid": body}
    renderer.default_cam_config, renderer.camera_id = config, None
