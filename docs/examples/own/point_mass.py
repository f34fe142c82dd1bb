"""An environment of one's own: push a point mass to the origin and keep it there."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box


class PointMass(gymnasium.Env):
    """A mass of 1 kg on a line, pushed by a force in [−1, 1] N; each step takes 0.1 s and pays minus the distance.

    Args:
        friction: Force per velocity, in N s/m.
    """

    def __init__(self, friction: float = 0.1):
        self.observation_space = Box(-np.inf, np.inf, (2,), np.float64)  # position and velocity
        self.action_space = Box(-1.0, 1.0, (1,), np.float32)
        self._friction = friction

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Begins an episode at rest, at a random place within one metre of the origin."""
        super().reset(seed=seed)
        self._state = np.array([self.np_random.uniform(-1.0, 1.0), 0.0])
        return self._state.copy(), {}

    def step(self, action):
        """Moves the mass for 0.1 s."""
        position, velocity = self._state
        velocity += 0.1 * (float(action[0]) - self._friction * velocity)
        self._state = np.array([position + 0.1 * velocity, velocity])
        return self._state.copy(), -abs(position), False, False, {}


gymnasium.register("PointMass-v0", entry_point=PointMass, max_episode_steps=100)
