"""Which MuJoCo model an environment simulates, where it is a file of the user's own."""

import hashlib
from pathlib import Path

import gymnasium
import mujoco
import numpy as np
from gymnasium.envs.mujoco import mujoco_env

_OF_GYMNASIUM = Path(mujoco_env.__file__).parent
_DIGITS = 16


def model_digest(env: gymnasium.Env) -> str | None:
    """Returns the version of MuJoCo and a hash of the model that it compiles, such as "4.0.0-6cf09fc662495bdb".

    The compiled model holds all that the XML file includes, meshes too. It does not depend on where the file is, but on
    the version of MuJoCo.

    Args:
        env: An environment.

    Returns:
        The text; or None where the environment has no file of a model (`fullpath`), or it is one of Gymnasium's own,
        which changes only with Gymnasium's version.
    """
    path = getattr(env.unwrapped, "fullpath", None)
    if not isinstance(path, str) or not Path(path).is_file() or Path(path).resolve().is_relative_to(_OF_GYMNASIUM):
        return None
    model = mujoco.MjModel.from_xml_path(path)  # without what Gymnasium changes in it for rendering
    compiled = np.zeros(mujoco.mj_sizeModel(model), dtype=np.uint8)
    mujoco.mj_saveModel(model, None, compiled)
    return f"{mujoco.__version__}-{hashlib.sha256(compiled).hexdigest()[:_DIGITS]}"


def is_other_model(before: object, now: object) -> bool:
    """Returns whether two digests are of different models; those of two versions of MuJoCo cannot be compared."""
    if not (isinstance(before, str) and isinstance(now, str)):
        return False
    return before != now and before.rpartition("-")[0] == now.rpartition("-")[0]
