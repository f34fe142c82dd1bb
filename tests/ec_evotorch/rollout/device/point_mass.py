"""A point mass in the plane that falls off a table: in NumPy, and in Warp kernels that give the same to the last bit.

It has all that a problem may use: random starts, episodes of different lengths, a sensor that breaks and physics that
become unstable on request, and a limit of steps. Its kernels compile in a second.
"""

from types import SimpleNamespace

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode

from native.warp_device import EXACT, find_device, launch, load_warp

wp = load_warp()
wp.set_module_options(EXACT)

OBS_LENGTH, ACT_LENGTH = 6, 2
LIMIT = 60
LOW, HIGH = np.float32([-2.0, -0.5]), np.float32([1.0, 1.5])  # an action space that is not around zero
DECAY, PUSH, STEP, EDGE = np.float32(0.97), np.float32(0.2), np.float32(0.1), np.float32(1.0)
NEVER = 1e30


@wp.kernel
def observe(
    which: wp.array[bool],
    x: wp.array2d[float],
    v: wp.array2d[float],
    breaks_at: float,
    observations: wp.array2d[float],
):
    slot = wp.tid()
    if not which[slot]:
        return
    for i in range(2):
        observations[slot, i] = x[slot, i]
        observations[slot, 2 + i] = 10.0 * v[slot, i]
        observations[slot, 4 + i] = x[slot, i] * v[slot, i]
    if x[slot, 0] > breaks_at:
        observations[slot, 4] = wp.inf


@wp.kernel
def move(
    finished: wp.array[bool],
    actions: wp.array2d[float],
    limit: int,
    unstable_at: float,
    x: wp.array2d[float],
    v: wp.array2d[float],
    steps: wp.array[int],
    rewards: wp.array[wp.float64],
    moved: wp.array[bool],
    ended: wp.array[bool],
    diverged: wp.array[bool],
):
    slot = wp.tid()
    rewards[slot] = wp.float64(0.0)
    moved[slot] = not finished[slot]
    ended[slot] = finished[slot]
    if finished[slot]:
        return
    falls = bool(False)  # noqa: UP018 - to Warp a bare False is a constant
    for i in range(2):
        v[slot, i] = v[slot, i] * 0.97 + actions[slot, i] * 0.2
        x[slot, i] = x[slot, i] + v[slot, i] * 0.1
        falls = falls or wp.abs(x[slot, i]) > 1.0
    steps[slot] = steps[slot] + 1
    rewards[slot] = wp.float64(1.0) + wp.float64(v[slot, 0]) / wp.float64(3.0)
    diverged[slot] = v[slot, 1] > unstable_at
    ended[slot] = falls or diverged[slot] or steps[slot] >= limit


@wp.kernel
def begin(
    starting: wp.array[bool],
    starts: wp.array2d[float],
    rows: wp.array[int],
    x: wp.array2d[float],
    v: wp.array2d[float],
    steps: wp.array[int],
    finished: wp.array[bool],
    diverged: wp.array[bool],
):
    slot = wp.tid()
    if not starting[slot]:
        return
    for i in range(2):
        x[slot, i] = starts[rows[slot], i]
        v[slot, i] = starts[rows[slot], 2 + i]
    steps[slot] = 0
    finished[slot] = False
    diverged[slot] = False


@wp.kernel
def copy_flags(source: wp.array[bool], which: wp.array[bool], target: wp.array[bool]):
    slot = wp.tid()
    if which[slot]:
        target[slot] = source[slot]


class PointMassOnDevice:
    """The contract of `DeviceVectorEnv.on_device`."""

    def __init__(self, env, device):
        self.num_envs, self.device, self._env = env.num_envs, find_device(device), env
        with wp.ScopedDevice(self.device):
            self.observations = wp.zeros((self.num_envs, OBS_LENGTH), dtype=float)
            self.actions = wp.zeros((self.num_envs, ACT_LENGTH), dtype=float)
            self._x, self._v = (wp.zeros((self.num_envs, 2), dtype=float) for _ in range(2))
            self._steps = wp.zeros(self.num_envs, dtype=int)
            self.rewards = wp.zeros(self.num_envs, dtype=wp.float64)
            self.finished, self.terminated, self._all = (wp.full(self.num_envs, True, dtype=bool) for _ in range(3))
            self._moved, self._ended, self.diverged, self.overflowed = (
                wp.zeros(self.num_envs, dtype=bool) for _ in range(4)
            )

    @property
    def memory(self):
        flags = (self.finished, self.terminated, self.diverged)
        return (self._x, self._v, self._steps, self.observations, *flags)

    def draw_starts(self, seeds):
        assert len(seeds) > 0  # an environment may rely on it
        return (wp.array(draw_starts(seeds), dtype=float, device=self.device),)

    def launch_reset(self, starting, starts, rows):
        outputs = [self._x, self._v, self._steps, self.finished, self.diverged]
        launch(begin, self.num_envs, [starting, starts[0], rows], outputs, self.device)
        self._launch_observe(starting)

    def launch_rest(self, resting):
        for flags in (self.finished, self.terminated):
            launch(copy_flags, self.num_envs, [resting, resting], [flags], self.device)

    def launch_step(self):
        inputs = [self.finished, self.actions, self._env.limit, self._env.unstable_at]
        outputs = [self._x, self._v, self._steps, self.rewards, self._moved, self._ended, self.diverged]
        launch(move, self.num_envs, inputs, outputs, self.device)
        self._launch_observe(self._moved)
        for flags in (self.finished, self.terminated):
            launch(copy_flags, self.num_envs, [self._ended, self._all], [flags], self.device)

    def _launch_observe(self, which):
        inputs = [which, self._x, self._v, self._env.breaks_at]
        launch(observe, self.num_envs, inputs, [self.observations], self.device)


class PointMass:
    """The vector environment in NumPy, which also has `on_device` if it is given a device.

    Args:
        num_envs: B.
        num_threads: Not used.
        breaks_at: Position from which on a sensor shows infinity.
        unstable_at: Speed from which on the physics are unstable.
        device: Name of the device of Warp; None for none.
    """

    def __init__(self, num_envs, num_threads, *, breaks_at=NEVER, unstable_at=NEVER, device=None):
        self.num_envs, self.limit = num_envs, LIMIT
        self.breaks_at, self.unstable_at = breaks_at, unstable_at
        self.single_observation_space = Box(-np.inf, np.inf, (OBS_LENGTH,), np.float64)
        self.single_action_space = Box(LOW, HIGH, dtype=np.float32)
        self.metadata = {"autoreset_mode": AutoresetMode.DISABLED}
        self.spec = SimpleNamespace(id="PointMass", max_episode_steps=LIMIT)
        self._x, self._v = (np.zeros((num_envs, 2), dtype=np.float32) for _ in range(2))
        self._steps = np.zeros(num_envs, dtype=int)
        self._finished, self.diverged = np.ones(num_envs, dtype=bool), np.zeros(num_envs, dtype=bool)
        self._observations = np.zeros((num_envs, OBS_LENGTH))
        if device is not None:
            self.on_device = PointMassOnDevice(self, device)

    def limit_episodes(self, max_episode_steps):
        self.limit = min(self.limit, max_episode_steps)

    def rest(self):
        self._finished[:] = True

    def reset(self, *, seed=None, options=None):
        slots = np.flatnonzero(options["reset_mask"])
        starts = draw_starts([seed[slot] for slot in slots])
        self._x[slots], self._v[slots] = starts[:, :2], starts[:, 2:]
        self._steps[slots], self._finished[slots], self.diverged[slots] = 0, False, False
        self._observe(slots)
        return self._observations.copy(), {}

    def step(self, actions):
        slots = np.flatnonzero(~self._finished)
        x, v = self._x, self._v
        v[slots] = v[slots] * DECAY + actions[slots] * PUSH
        x[slots] = x[slots] + v[slots] * STEP
        self._steps[slots] += 1
        rewards = np.zeros(self.num_envs)
        rewards[slots] = 1.0 + v[slots, 0].astype(np.float64) / 3.0
        self.diverged[slots] = v[slots, 1] > self.unstable_at
        falls = (np.abs(x[slots]) > EDGE).any(axis=1)
        self._finished[slots] = falls | self.diverged[slots] | (self._steps[slots] >= self.limit)
        self._observe(slots)
        return self._observations.copy(), rewards, self._finished.copy(), np.zeros(self.num_envs, dtype=bool), {}

    def close(self, **kwargs):
        pass

    def _observe(self, slots):
        x, v = self._x[slots], self._v[slots]
        self._observations[slots] = np.concatenate([x, np.float32(10.0) * v, x * v], axis=1)
        self._observations[slots[x[:, 0] > self.breaks_at], 4] = np.inf


def draw_starts(seeds):
    return np.float32([np.random.default_rng(seed).uniform(-0.6, 0.6, 4) for seed in seeds]).reshape(-1, 4)
