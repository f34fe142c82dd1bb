"""What vector environments have in common with the environment of `gymnasium.make` that they are copies of."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.model_digest import model_digest


def take_after(vector: VectorEnv, template: gymnasium.Env, num_envs: int) -> None:
    """Gives a vector environment the spaces and the description of an environment, and no autoreset.

    Args:
        vector: The vector environment, whose attributes are set.
        template: An environment made by `gymnasium.make`.
        num_envs: Number of sub-environments B.
    """
    vector.num_envs = num_envs
    vector.spec = template.spec
    vector.model_digest = model_digest(template)
    vector.metadata = {**template.metadata, "autoreset_mode": AutoresetMode.DISABLED}
    vector.single_observation_space = template.observation_space
    vector.single_action_space = template.action_space
    vector.observation_space = batch_space(template.observation_space, num_envs)
    vector.action_space = batch_space(template.action_space, num_envs)


def pack_info(values: Mapping[str, np.ndarray], mask: np.ndarray) -> dict[str, Any]:
    """Returns entries of `info` as Gymnasium's vector environments pack them.

    Args:
        values: Name -> (B,) or (B, n) numbers.
        mask: (B,) bool, which sub-environments have the entries; in the others numbers are 0.

    Returns:
        Each name with its numbers, and with an underscore before it the mask.
    """
    info = {}
    for name, value in values.items():
        info[name] = np.where(mask if value.ndim == 1 else mask[:, None], value, 0.0)
        info[f"_{name}"] = mask
    return info
