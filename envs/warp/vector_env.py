"""The nine tasks on MuJoCo Warp as a vector environment that is used like every other."""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.seeding import np_random
from gymnasium.vector import VectorEnv

from envs.go_nogo.native_task import STEP_INFO, find_go_nogo
from envs.remaking import Remade
from envs.tasks import Task
from envs.template import pack_info, take_after
from envs.vector_contract import check_actions, check_open, expand_seeds, reset_mask
from envs.warp.sizes import Sizes
from envs.warp.worlds import Worlds
from native.warp_device import capture, load_warp, on_torch_stream

wp = load_warp()

_LOGGER = logging.getLogger(__name__)
_DOUBLED = {np.dtype(np.float32): np.float64, np.dtype(np.int32): np.int64}  # what Gymnasium has of these kinds


class WarpVectorEnv(Remade, VectorEnv):
    """Copies of one Gymnasium MuJoCo environment on a device, in single precision.

    First states are Gymnasium's, rounded to float32; everything after them agrees with `gymnasium.make(id)` up to the
    rounding of float32 and what the physics make of it.

    Autoreset is disabled. A finished sub-environment keeps its observation and flags, pays 0, and has no entries in
    `info`. One whose physics diverge is terminated, see `envs.warp.worlds`; Gymnasium goes on with such an episode from
    a state that MuJoCo has reset.

    With `output="numpy"`, arrays go in and out, and are copies: (B, d) float64 observations (of numbers that are
    float32), (B,) float64 rewards. With `output="torch"` tensors on the device do: those that are returned are live,
    overwritten by the next step or reset, and share the memory of `on_device`; observations are float32; `info` holds
    the parts of the reward alone; and an action that is not finite does not raise an error but ends its episode.

    Attributes:
        on_device: The sub-environments on the device, for a loop that stays there, see `envs.warp.worlds`.
        model_digest: Which MuJoCo model of the user's own is simulated, see `envs.model_digest`.

    Args:
        task: The native task.
        template: An environment made by `gymnasium.make`, from which settings, spaces and reset noise are taken.
        num_envs: Number of sub-environments B.
        device: Device of Warp.
        deterministic: Whether a CUDA device adds up in an order that repeats, see `envs.warp.model.make_worlds`.
        output: "numpy" or "torch".
        sizes: Room for contacts and constraints of a sub-environment; None for as much as there can ever be.

    Raises:
        ValueError: If MuJoCo Warp cannot simulate the model, or a setting of the template is not of the kind that its
            name says.
    """

    def __init__(
        self,
        task: Task,
        template: gymnasium.Env,
        num_envs: int,
        device,
        *,
        deterministic: bool = True,
        output: str = "numpy",
        sizes: Sizes | None = None,
    ):
        env = template.unwrapped
        self.on_device = Worlds(  # first, because it looks whether there is memory for so many
            task,
            env,
            num_envs,
            device,
            wrapper=find_go_nogo(template),
            max_episode_steps=template.spec.max_episode_steps,
            deterministic=deterministic,
            sizes=sizes,
        )
        take_after(self, template, num_envs)
        self.render_mode = env.render_mode
        self._task, self._template, self._output = task, env, output
        self._generators: list[np.random.Generator | None] = [None] * num_envs
        self._starting = wp.zeros(num_envs, dtype=wp.bool, device=device)
        self._every = wp.full(num_envs, True, dtype=wp.bool, device=device)
        self._rows = wp.array(np.arange(num_envs), dtype=wp.int32, device=device)
        self._starts = self.on_device.draw_starts([0] * num_envs)
        self._drawn = [array.numpy().copy() for array in self._starts]  # of each slot, the last ones
        self._graphs: dict[str, Any] = {}
        self._has_warned = False

    @property
    def observations(self):
        """The current observations (B, d)."""
        return self._read(self.on_device.observations)

    @property
    def episode_return(self):
        """The sums of rewards since each reset, added in order of time, (B,)."""
        return self._read(self.on_device.episode_returns)

    @property
    def episode_length(self):
        """The numbers of steps since each reset, (B,)."""
        return self._read(self.on_device.episode_lengths)

    @property
    def finished(self):
        """Which sub-environments have ended their episode or not begun one, (B,)."""
        return self._read(self.on_device.finished)

    @property
    def diverged(self):
        """Which sub-environments had unstable physics in this episode, (B,)."""
        return self._read(self.on_device.diverged)

    @property
    def overflowed(self):
        """Which sub-environments may have lost contacts or constraints in this episode for want of room, (B,)."""
        return self._read(self.on_device.overflowed)

    def reset(self, *, seed=None, options: dict[str, Any] | None = None):
        """Starts episodes from the states in which `gymnasium.make(id).reset(seed=seed[i])` does.

        Args:
            seed: A seed for each sub-environment (those of sub-environments that are not reset are ignored); an integer
                s for s, s + 1, …; or None to continue the random numbers of each sub-environment.
            options: `{"reset_mask": (B,) bool}` to reset some sub-environments only.

        Returns:
            The observations (B, d) and `info`.

        Raises:
            ClosedEnvironmentError: If the environment is closed. `step` and `render` raise it too.
        """
        check_open(self)
        mask = reset_mask(options, self.num_envs)
        seeds = expand_seeds(seed, self.num_envs)
        for slot in np.flatnonzero(mask):
            if seeds[slot] is not None or self._generators[slot] is None:
                self._generators[slot] = np_random(seeds[slot])[0]
            for rows, row in zip(self._drawn, self.on_device.draw_start(self._generators[slot]), strict=True):
                rows[slot] = row
        with self._stream():
            for array, rows in zip(self._starts, self._drawn, strict=True):
                array.assign(rows)
            self._starting.assign(mask)
        self._play("reset", lambda: self.on_device.launch_reset(self._starting, self._starts, self._rows))
        return self.observations, self._state_info(mask)

    def step(self, actions):
        """Advances every running sub-environment by one step.

        Args:
            actions: (B, nu) actions; a tensor on the device with `output="torch"`.

        Returns:
            Observations, rewards, whether each episode was terminated, whether it was truncated, and `info`.

        Raises:
            ValueError: If the actions have a wrong shape, or, with `output="numpy"`, are NaN, infinite or beyond what
                float32 can hold in a running sub-environment. Nothing has moved then.
        """
        check_open(self)
        worlds = self.on_device
        if self._output == "torch":
            with self._stream():
                _copy_tensor(actions, wp.to_torch(worlds.actions))
            self._play("step", worlds.launch_step)
            info = {name: wp.to_torch(worlds.parts)[:, i] for i, name in self._part_columns()}
        else:
            running = ~self.finished
            with np.errstate(over="ignore"):
                single = check_actions(actions, self.action_space, running).astype(np.float32)
            worlds.actions.assign(check_actions(single, self.action_space, running))
            self._play("step", worlds.launch_step)
            parts = worlds.parts.numpy()
            info = self._state_info(running)
            info |= pack_info({name: parts[:, i] for i, name in self._part_columns()}, running)
            self._warn_of_overflow()
        results = (worlds.observations, worlds.rewards, worlds.terminated, worlds.truncated)
        return (*map(self._read, results), info)

    def limit_episodes(self, max_episode_steps: int) -> None:
        """Truncates every episode from now on after so many steps, if it has not ended before."""
        with self._stream():
            before = int(self.on_device.max_episode_steps.numpy()[0])
            self.on_device.max_episode_steps.fill_(min(before, max_episode_steps))
        self.limit = max_episode_steps if self.limit is None else min(self.limit, max_episode_steps)

    def rest(self) -> None:
        """Ends all episodes, so that no sub-environment runs until it is reset."""
        with self._stream():
            self.on_device.launch_rest(self._every)

    def render(self) -> tuple[Any, ...] | None:
        """Returns a frame of every sub-environment, drawn by Gymnasium's renderer; None without a `render_mode`."""
        check_open(self)
        if self.render_mode is None:
            return None
        with self._stream():
            states = [array.numpy().astype(np.float64) for array in (self.on_device.qpos, self.on_device.qvel)]
        frames = []
        for qpos, qvel in zip(*states, strict=True):
            self._template.set_state(qpos, qvel)
            frames.append(self._template.render())
        return tuple(frames)

    def close_extras(self, **kwargs: Any) -> None:
        """Closes Gymnasium's environment; Gymnasium's `close` calls it."""
        self._template.close()

    def _play(self, name: str, launch_all: Callable[[], None]) -> None:
        """Carries out a step or a reset: the first time launch by launch, then by the graph that has recorded them."""
        if name in self._graphs:
            with self._stream():
                self._graphs[name].replay()
            return
        device = self.on_device.device
        wp.synchronize_device(device)  # PyTorch's default stream cannot be captured, so this is on Warp's
        self._graphs[name] = capture(launch_all, device)
        wp.synchronize_device(device)

    def _stream(self):
        """Returns a context in which launches and copies are in order with PyTorch's, if its tensors go in and out."""
        return on_torch_stream(self.on_device.device) if self._output == "torch" else nullcontext()

    def _read(self, array):
        """Returns an array of the device as the user gets it."""
        if self._output == "torch":
            return wp.to_torch(array)
        copied = array.numpy().copy()
        return copied.astype(_DOUBLED.get(copied.dtype, copied.dtype), copy=False)

    def _part_columns(self) -> list[tuple[int, str]]:
        """Returns the parts of the reward that Gymnasium shows, with their columns."""
        shown = (*self._task.step_info, *STEP_INFO)
        return [(i, name) for i, name in enumerate(self.on_device.part_names) if name in shown]

    def _state_info(self, mask: np.ndarray) -> dict[str, Any]:
        """Returns the entries of `info` that describe the state, as Gymnasium's vector environments pack them."""
        if self._output == "torch":
            return {}
        data = self.on_device.data
        qpos = self.on_device.qpos.numpy().astype(np.float64)
        values = {name: f(qpos, self._template.init_qpos) for name, f in self._task.state_info.items()}
        if self._task.tendon_info:
            lost = self.diverged[:, None]
            values["tendon_length"] = np.where(lost, 0.0, data.ten_length.numpy().astype(np.float64))
            values["tendon_velocity"] = np.where(lost, 0.0, data.ten_velocity.numpy().astype(np.float64))
        return pack_info(values, mask)

    def _warn_of_overflow(self) -> None:
        if self._has_warned or not self.on_device.overflowed.numpy().any():
            return
        self._has_warned = True
        sizes, slots = self.on_device.sizes, np.flatnonzero(self.overflowed).tolist()
        _LOGGER.warning(
            "%s: %d contacts and %d rows of constraints are too few for a sub-environment: some were left out, perhaps "
            "in each of %s, whose physics are not MuJoCo's in this episode",
            self.spec.id,
            sizes.contacts,
            sizes.rows,
            slots,
        )


def _copy_tensor(actions, target) -> None:
    """Copies a tensor of actions, if it is one of the right shape and device."""
    expected = f"a tensor of shape {tuple(target.shape)} on {target.device}"
    if not isinstance(actions, type(target)):
        raise ValueError(f"actions: expected {expected}, got a {type(actions).__name__}")
    if actions.shape != target.shape or actions.device != target.device:
        raise ValueError(f"actions: expected {expected}, got shape {tuple(actions.shape)} on {actions.device}")
    target.copy_(actions.detach())
