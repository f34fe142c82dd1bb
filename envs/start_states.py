"""The first state of an episode, as Gymnasium draws it."""

import numpy as np
from gymnasium.envs.mujoco import MujocoEnv


def draw_start(env: MujocoEnv, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Lets Gymnasium's own `reset_model` draw a first state.

    Args:
        env: An environment, which stays in the state that it is in.
        generator: Source of the random numbers; one of `gymnasium.utils.seeding.np_random(seed)` for the state of
            `reset(seed=seed)`.

    Returns:
        Joint positions (nq,) and velocities (nv,).
    """
    states = []
    env.np_random = generator
    env.set_state = lambda *state: states.append(state)
    env._get_obs = lambda: None  # observed where the physics run
    try:
        env.reset_model()
    finally:
        del env.set_state, env._get_obs
    return states[-1]
