"""The sub-environments of a task in a device's memory: what is launched there in a step, and the arrays it writes."""

from collections.abc import Sequence

import gymnasium
import numpy as np
from gymnasium.utils.seeding import np_random

from envs.go_nogo import GoNoGo
from envs.go_nogo.native_task import STEP_INFO
from envs.start_states import draw_start
from envs.tasks import Task
from envs.warp import episode_kernels as kernels
from envs.warp import rewards
from envs.warp.model import load_mujoco_warp, make_worlds
from envs.warp.observation import Observation
from envs.warp.signals import Signals
from envs.warp.sizes import Sizes
from envs.warp.tasks import ROOT, read_task
from native.arguments import check_whole
from native.warp_device import check_array, launch, load_warp

wp = load_warp()

_NEVER = np.iinfo(np.int32).max


class Worlds:
    """B sub-environments. Methods that begin with `launch_` only launch kernels, and a graph can capture them.

    They launch on Warp's current stream of the device, wait for nothing, and write to the arrays below, which stay
    where they are. Kernels are compiled and loaded when they are launched for the first time, and that must be before a
    capture: launch a reset of no slot and a step while all slots rest. Python's numbers become part of a graph; what
    may change between two replays is in arrays.

    Nothing runs before its first reset. Episodes end by themselves as Gymnasium's do, after `max_episode_steps`, or
    when the physics diverge: after a step of the physics a joint coordinate or velocity is not below 10⁶, beyond which
    float32 has no resolution, or an acceleration not below 10¹⁰, as MuJoCo asks; or an action was not finite. Such an
    episode is terminated; its last step pays 0 and leaves the observation as it was.

    Attributes:
        device: Device of Warp.
        num_envs: B.
        observations: (B, d) array of float32; those of slots that rest stay as they were.
        actions: (B, nu) array of float32, to be written before each step, in the range of the environment's actions.
        rewards: (B,) array of float64, of the last step; 0 of slots that rest.
        parts: (B, number of `part_names`) array of float64, the parts of these rewards.
        part_names: Names of the parts of the reward, as in Gymnasium's `info`.
        episode_returns: (B,) array of float64, sums of rewards in order of time.
        episode_lengths: (B,) array of int32.
        terminated, truncated, diverged: (B,) arrays of bool, of the last episode of each slot.
        overflowed: (B,) array of bool: contacts or constraints were lost in this episode, in this or (of contacts)
            another world, for want of room.
        finished: (B,) array of bool: the slot rests, because its episode is over or none has begun.
        max_episode_steps: (1,) array of int32.
        qpos, qvel: (B, nq) and (B, nv) arrays of float32, states after the last step of each slot's episode.
        data: MuJoCo Warp's `Data`; there the bodies of slots that rest move on.
        sizes: Room for contacts and constraints of a world.

    Args:
        task: The native task.
        env: The environment of Gymnasium, without wrappers, from which model, settings and first states are taken.
        num_envs: B.
        device: Device of Warp.
        wrapper: The `GoNoGo` of a task with signals.
        max_episode_steps: Steps after which an episode is truncated; None for no limit.
        deterministic: Whether a CUDA device adds up in an order that repeats, see `envs.warp.model.make_worlds`.
        sizes: Room for contacts and constraints of a world; None for as much as there can ever be.

    Raises:
        ValueError: If MuJoCo Warp cannot simulate the model, or a setting is not of the kind that its name says.
    """

    def __init__(
        self,
        task: Task,
        env: gymnasium.Env,
        num_envs: int,
        device,
        *,
        wrapper: GoNoGo | None = None,
        max_episode_steps: int | None = None,
        deterministic: bool = True,
        sizes: Sizes | None = None,
    ):
        self.device, self.num_envs = device, num_envs
        self._env, self._frame_skip = env, check_whole("frame_skip", env.frame_skip)
        self._contact_forces, self._tendon_info = task.contact_forces, task.tendon_info
        self._task = read_task(task, env)
        self._library = load_mujoco_warp()
        self._model, self.data, self.sizes, self._lost = make_worlds(env.model, num_envs, device, deterministic, sizes)
        self._observation = Observation(self._task.sensors, device)
        self.part_names, num_sensors, self._signals = self._task.parts, len(self._task.sensors), None
        if wrapper is not None:
            self._signals = Signals(wrapper, self.part_names, num_sensors, env.dt, num_envs, device)
            self.part_names, num_sensors = (*self.part_names, *STEP_INFO), num_sensors + 2

        def make(dtype, *shape, value=0):
            return wp.full((num_envs, *shape), value, dtype=dtype, device=device)

        self.observations = make(wp.float32, num_sensors)
        self.actions = make(wp.float32, env.model.nu)
        self.qpos, self.qvel = make(wp.float32, env.model.nq), make(wp.float32, env.model.nv)
        self.rewards, self.episode_returns = make(wp.float64), make(wp.float64)
        self.parts = make(wp.float64, len(self.part_names))
        self.episode_lengths = make(wp.int32)
        self.terminated, self.finished = make(wp.bool, value=True), make(wp.bool, value=True)
        self.truncated, self.diverged, self.overflowed = make(wp.bool), make(wp.bool), make(wp.bool)
        self.max_episode_steps = wp.full(1, min(max_episode_steps or _NEVER, _NEVER), dtype=wp.int32, device=device)

        self._step = step = rewards.Step()
        step.sound = make(wp.bool)
        step.before, step.after = (wp.zeros(num_envs, dtype=wp.vec2d, device=device) for _ in range(2))
        bounds = self._task.healthy
        step.healthy_low, step.healthy_high = (wp.array(row, dtype=wp.float64, device=device) for row in bounds)
        step.actions = self.actions
        for name in ("qpos", "qvel", "cfrc_ext", "site_xpos"):
            setattr(step, name, getattr(self.data, name))

    @property
    def memory(self) -> tuple:
        """Arrays on which alone, besides the actions, it depends what the slots do from now on.

        Whoever writes back what they have held goes on from there.
        """
        d, signals = self.data, () if self._signals is None else self._signals.memory
        physics = (d.qpos, d.qvel, d.qacc_warmstart, d.act, d.time, d.overflow, self._step.after)
        episode = (self.observations, self.qpos, self.qvel, self.episode_returns, self.episode_lengths)
        flags = (self.terminated, self.truncated, self.diverged, self.overflowed, self.finished)
        return (*physics, *episode, *flags, *signals)

    def draw_start(self, generator: np.random.Generator) -> tuple:
        """Draws the beginning of one episode: joint positions and velocities, then signals if the task has them."""
        start = draw_start(self._env, generator)
        return start if self._signals is None else (*start, *self._signals.draw(generator))

    def draw_starts(self, seeds: Sequence[int]) -> tuple:
        """Draws the beginnings of episodes, those of `gymnasium.make(id).reset(seed=seed)` rounded to float32.

        Args:
            seeds: E seeds.

        Returns:
            Arrays of Warp with E rows, for `launch_reset`.
        """
        return self.upload_starts([self.draw_start(np_random(int(seed))[0]) for seed in seeds])

    def upload_starts(self, starts: Sequence[tuple]) -> tuple:
        """Returns beginnings of episodes, each as `draw_start` returns it, as `launch_reset` takes them."""
        kinds = (np.float32, np.float32, np.bool_, np.int32)
        columns = zip(*starts, strict=True)
        return tuple(
            wp.array(np.array(column, dtype=kind), device=self.device)
            for column, kind in zip(columns, kinds, strict=False)
        )

    def launch_reset(self, starting, starts: tuple, rows) -> None:
        """Begins an episode in some slots, with its first observation.

        Args:
            starting: (B,) array of bool.
            starts: Beginnings of E episodes, as `draw_starts` returns them.
            rows: (B,) array of int32, rows of `starts` for the slots in which an episode begins.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        m, d = self._model, self.data
        check_array("starting", starting, wp.bool, (self.num_envs,), self.device)
        for i, like in enumerate((d.qpos, d.qvel)):
            check_array(f"starts[{i}]", starts[i], wp.float32, (None, like.shape[1]), self.device)
        check_array("rows", rows, wp.int32, (self.num_envs,), self.device)
        state = [d.qpos, d.qvel, d.qacc_warmstart, d.ctrl, d.act, d.time, d.overflow]
        episode = [self.rewards, self.episode_returns, self.episode_lengths]
        flags = [self.terminated, self.truncated, self.diverged, self.overflowed, self.finished]
        launch(kernels.begin, self.num_envs, [starting, rows, *starts[:2]], [*state, *episode, *flags], self.device)
        if self._signals is not None:
            self._signals.launch_begin(starting, starts[2:], rows)
        looks_beyond_the_state = not self._observation.is_of_the_state or self._task.position != ROOT
        if looks_beyond_the_state or self._tendon_info:
            with wp.ScopedDevice(self.device):
                self._library.forward(m, d)  # of all worlds; nothing that it computes outlasts the next step
        self._launch_look(starting, is_first=True)

    def launch_rest(self, resting) -> None:
        """Ends the episodes of some slots.

        Args:
            resting: (B,) array of bool.

        Raises:
            ValueError: If it has another type or shape, or is elsewhere.
        """
        check_array("resting", resting, wp.bool, (self.num_envs,), self.device)
        launch(kernels.rest, self.num_envs, [resting], [self.terminated, self.finished], self.device)

    def launch_step(self) -> None:
        """Takes one step of the environment in all slots that are not finished, with the `actions` that are there."""
        m, d, step, num_envs, device = self._model, self.data, self._step, self.num_envs, self.device
        launch(kernels.act, self.actions.shape, [self.finished, self.actions], [d.ctrl, self.diverged], device)
        with wp.ScopedDevice(device):
            for _ in range(self._frame_skip):
                self._library.step(m, d)
                launch(kernels.watch, num_envs, [self.finished, d.qpos, d.qvel, d.qacc], [self.diverged], device)
            if self._contact_forces:
                self._library.rne_postconstraint(m, d)
        inputs = [self.finished, self.diverged, self._lost, d.overflow]
        launch(kernels.judge, num_envs, inputs, [step.sound, self.overflowed], device)
        self._launch_look(step.sound, is_first=False)
        self.parts.zero_()
        outputs = [self.rewards, self.parts, self.terminated]
        launch(self._task.reward, num_envs, [self._task.settings, step], outputs, device)
        if self._signals is not None:
            self._signals.launch_pay(
                step.sound, self.episode_lengths, step.before, step.after, self.parts, self.rewards
            )
        episode = [self.rewards, self.episode_returns, self.episode_lengths, self.terminated, self.truncated]
        inputs = [step.sound, self.max_episode_steps, self.finished]
        launch(kernels.conclude, num_envs, inputs, episode, device)

    def _launch_look(self, which, is_first: bool) -> None:
        """Locates and observes some worlds."""
        m, d, step = self._model, self.data, self._step
        position = [self._task.position, self._task.main_body, m.body_mass]
        inputs = [which, *position, d.qpos, d.qvel, d.xpos, d.xipos]
        outputs = [self.qpos, self.qvel, step.before, step.after]
        launch(kernels.locate, self.num_envs, inputs, outputs, self.device)
        self._observation.launch(which, is_first, d, self.observations)
        if self._signals is not None:
            taken = 0 if is_first else 1
            self._signals.launch_observe(which, taken, self.episode_lengths, self.observations)
