"""A small environment that draws itself without OpenGL, and policies for it."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

import agents
from ec_evotorch import Policy
from experiments.run_folder.policy import SavedPolicy
from experiments.video.opengl import BACKENDS, draws

ID, BLIND = "tests/Painted-v0", "tests/Blind-v0"
STEPS_PER_SECOND = 20
SIDE = 40  # pixels of its pictures


class Painted(gymnasium.Env):
    """Walks along x by its first action, and is a square whose colour says how many steps it has gone."""

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": STEPS_PER_SECOND}  # noqa: RUF012
    observation_space = Box(-np.inf, np.inf, (3,), np.float64)
    action_space = Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self, render_mode=None, length=16, tells_speed=True, picture=None):
        self.render_mode, self._length, self._tells_speed, self._picture = render_mode, length, tells_speed, picture

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._steps, self._x = 0, float(self.np_random.uniform())
        return self._observe(), {}

    def step(self, action):
        before, self._x = self._x, self._x + 0.1 * float(action[0])
        self._steps += 1
        info = {"x_velocity": (self._x - before) * STEPS_PER_SECOND} if self._tells_speed else {}
        return self._observe(), self._x - before + 0.1, self._steps >= self._length, False, info

    def render(self):
        if self._picture is not None:
            return self._picture
        return np.full((SIDE, SIDE, 3), 15 * self._steps, np.uint8)

    def _observe(self):
        return np.array([self._x, np.sin(self._steps), np.cos(self._steps)])


class Blind(Painted):
    """Cannot draw itself, and says so."""

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self):
        super().__init__()


@pytest.fixture(autouse=True, scope="session")
def _registered():
    gymnasium.register(ID, Painted, max_episode_steps=100)
    gymnasium.register(BLIND, Blind, max_episode_steps=100)
    yield
    del gymnasium.registry[ID], gymnasium.registry[BLIND]


@pytest.fixture(scope="session")
def backend():
    """An OpenGL library with which MuJoCo can draw here, None if there is none."""
    return next((backend for backend in BACKENDS if draws(backend)), None)


@pytest.fixture(scope="session")
def make_policy():
    """Makes a policy of random parameters: the class of its agent, keywords of it and of the environment."""

    def make(kind="RSNN", env=None, **agent) -> SavedPolicy:
        network = getattr(agents, kind)(3, 2, num_neurons=16, **agent)
        solution = network.initial_solutions(1, torch.Generator().manual_seed(3))[0]
        low, high = np.full(2, -1.0, np.float32), np.full(2, 1.0, np.float32)
        return SavedPolicy(Policy(network, solution, low, high), {"id": ID, **(env or {})})

    return make
