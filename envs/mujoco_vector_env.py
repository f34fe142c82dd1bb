"""Gymnasium's MuJoCo environments as one vector environment on MuJoCo's thread pool."""

from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.utils.seeding import np_random
from gymnasium.vector import VectorEnv

from envs.data_layout import field_offsets
from envs.episode_kernel import CALL, advance_slot, reset_slot
from envs.go_nogo.native_task import NativeGoNoGo, find_go_nogo
from envs.physics import Physics, function_address
from envs.remaking import Remade
from envs.start_states import draw_start
from envs.tasks import Task
from envs.tasks.settings import read_settings
from envs.template import pack_info, take_after
from envs.vector_contract import check_actions, check_open, expand_seeds, reset_mask
from native.arguments import check_whole

_NEVER = np.iinfo(np.int64).max


class MujocoVectorEnv(Remade, VectorEnv):
    """Copies of one Gymnasium MuJoCo environment, equal to `gymnasium.make(id)` to the last bit.

    With B sub-environments, observations are (B, num_observations) float64, actions are (B, nu) float32 or float64,
    rewards are (B,) float64 and flags are (B,) bool. As in Gymnasium, the control cost is computed in the precision of
    the actions.

    Autoreset is disabled. A finished sub-environment is not simulated until it is reset: it keeps its observation and
    flags, pays 0, and has no entries in `info`.

    Attributes:
        model_digest: Which MuJoCo model of the user's own is simulated, see `envs.model_digest`.

    Args:
        task: The native task.
        template: An environment made by `gymnasium.make`, from which settings, spaces, signals (if a `GoNoGo` wraps it)
            and reset noise are taken.
        num_envs: Number of sub-environments B.
        num_threads: Number of threads of the physics; 0 for all cores. Results do not depend on it.

    Raises:
        ValueError: If a setting of the template is not of the kind that its name says.
    """

    def __init__(self, task: Task, template: gymnasium.Env, num_envs: int, num_threads: int = 0):
        env = template.unwrapped
        frame_skip = check_whole("frame_skip", env.frame_skip)
        self._parameters = read_settings(task, env)
        wrapper = find_go_nogo(template)
        self._signals = None if wrapper is None else NativeGoNoGo(task, wrapper, num_envs)
        if self._signals is not None:
            task = self._signals.task
        self._physics = Physics(env.model, num_envs, num_threads)  # first: it looks whether there is memory for so many
        take_after(self, template, num_envs)
        self.render_mode = env.render_mode
        self._task = task
        self._template = env
        self._qpos = self._physics.state(mujoco.mjtState.mjSTATE_QPOS)
        self._time = self._physics.state(mujoco.mjtState.mjSTATE_TIME)
        self._generators: list[np.random.Generator | None] = [None] * num_envs
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="rollout")

        model = env.model
        num_observations = template.observation_space.shape[0]
        self._arrays = {
            "init_qpos": env.init_qpos,
            "parameters": self._parameters,
            "actions": np.zeros((num_envs, model.nu)),
            "squares": np.zeros((num_envs, max(model.nu, 6 * model.nbody))),
            "start_qpos": np.zeros((num_envs, model.nq)),
            "start_qvel": np.zeros((num_envs, model.nv)),
            "observations": np.zeros((num_envs, num_observations)),
            "rewards": np.zeros(num_envs),
            "terminated": np.ones(num_envs, dtype=bool),  # nothing runs before the first reset
            "truncated": np.zeros(num_envs, dtype=bool),
            "before": np.zeros((num_envs, 2)),
            "after": np.zeros((num_envs, 2)),
            "info": np.zeros((num_envs, len(task.step_info))),
            "tendons": np.zeros((num_envs, 2 * model.ntendon)),
            "episode_return": np.zeros(num_envs),
            "episode_length": np.zeros(num_envs, dtype=np.int64),
        }
        self._call = np.zeros(1, dtype=CALL)
        call = self._call[0]
        for name, array in self._arrays.items():
            call[name] = array.ctypes.data
        for name in ("mj_step", "mj_forward"):
            call[name] = function_address(name)
        call["mj_reset_data"] = function_address("mj_resetData")
        call["mj_rne_post_constraint"] = function_address("mj_rnePostConstraint")
        for name in ("locate", "observe", "transition"):
            call[name] = getattr(task, name).address
        for name in ("nq", "nv", "nu", "nbody", "ntendon"):
            call[name] = getattr(model, name)
        for name, offset in field_offsets(model).items():
            call[f"data_{name}"] = offset
        call["num_observations"] = num_observations
        call["num_info"] = len(task.step_info)
        call["num_squares"] = self._arrays["squares"].shape[1]
        call["frame_skip"] = frame_skip
        call["dt"] = env.dt
        call["signals"] = 0 if self._signals is None else self._signals.address
        call["contact_forces"] = task.contact_forces
        call["max_episode_steps"] = template.spec.max_episode_steps or _NEVER

    @property
    def num_threads(self) -> int:
        """The number of threads that step the physics, including the caller's."""
        return self._physics.num_threads

    @property
    def observations(self) -> np.ndarray:
        """The current observations, a live (B, num_observations) float64 array."""
        return self._arrays["observations"]

    @property
    def episode_return(self) -> np.ndarray:
        """The sums of rewards since each reset, added in order of time, a live (B,) float64 array."""
        return self._arrays["episode_return"]

    @property
    def episode_length(self) -> np.ndarray:
        """The numbers of steps since each reset, a live (B,) int64 array."""
        return self._arrays["episode_length"]

    @property
    def finished(self) -> np.ndarray:
        """Which sub-environments have ended their episode or not begun one, (B,) bool."""
        return self._arrays["terminated"] | self._arrays["truncated"]

    @property
    def diverged(self) -> np.ndarray:
        """Which sub-environments had unstable physics in this episode, (B,) bool.

        MuJoCo then restarts the simulation, and Gymnasium goes on with the episode as if nothing had happened; so does
        this environment. It can be seen from the simulated time, which lags behind.
        """
        steps = self._time[:, 0] / self._call[0]["dt"]
        return steps < self.episode_length - 0.5

    def reset(self, *, seed=None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts episodes as `gymnasium.make(id).reset(seed=seed[i])` does.

        Args:
            seed: A seed for each sub-environment (those of sub-environments that are not reset are ignored); an integer
                s for s, s + 1, …; or None to continue the random numbers of each sub-environment.
            options: `{"reset_mask": (B,) bool}` to reset some sub-environments only.

        Returns:
            The (B, num_observations) observations and `info`.

        Raises:
            ClosedEnvironmentError: If the environment is closed. `step`, `rollout` and `render` raise it too.
            RuntimeError: If a fork has copied the environment to another process. The other three raise it too.
        """
        check_open(self)
        self._physics.check_process()
        mask = reset_mask(options, self.num_envs)
        seeds = expand_seeds(seed, self.num_envs)
        slots = np.flatnonzero(mask)
        for slot in slots:
            self._draw_start(slot, seeds[slot])
        self._physics.apply(slots.astype(np.int32), reset_slot.address, self._call.ctypes.data)
        return self.observations.copy(), self._state_info(mask)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advances every running sub-environment by one step.

        Args:
            actions: (B, nu) actions.

        Returns:
            Observations, rewards, whether each episode was terminated, whether it was truncated, and `info`.

        Raises:
            ValueError: If the actions have a wrong shape, or are NaN or infinite in a running sub-environment. Nothing
                has moved then.
        """
        check_open(self)
        self._physics.check_process()
        running = ~self.finished
        actions = check_actions(actions, self.action_space, running)
        self._arrays["actions"][:] = actions
        self._arrays["rewards"][:] = 0
        self._advance(running, 1, actions.dtype == np.float32, 0, 0)
        steps = dict(zip(self._task.step_info, self._arrays["info"].T, strict=True))
        info = self._state_info(running) | pack_info(steps, running)
        arrays = self._arrays
        return (
            self.observations.copy(),
            arrays["rewards"].copy(),
            arrays["terminated"].copy(),
            arrays["truncated"].copy(),
            info,
        )

    def rollout(self, policy: int, context: int, max_steps: int = _NEVER) -> None:
        """Advances every running sub-environment, with a C function that acts, to its end or by a number of steps.

        It may take long without returning to Python. Ctrl-C (`KeyboardInterrupt`) stops it between two steps.

        The results are those of `step` with the same float32 actions. They can be read from `observations`, `finished`,
        `episode_return` and `episode_length`.

        Args:
            policy: Address of `void policy(int64 context, int64 slot, double* observation, double* action)`, which
                reads num_observations numbers and writes nu numbers that float32 can represent. Several threads call
                it at the same time, for different slots.
            context: First argument of the policy.
            max_steps: Largest number of steps of each sub-environment in this call; by default whole episodes.
        """
        check_open(self)
        self._physics.check_process()
        # In another thread, because this one cannot take notice of Ctrl-C while it is in C.
        played = self._worker.submit(self._advance, ~self.finished, max_steps, True, policy, context)
        try:
            played.result()
        except BaseException:
            self._call[0]["stop"] = True
            wait([played])
            self._call[0]["stop"] = False
            raise

    def limit_episodes(self, max_episode_steps: int) -> None:
        """Truncates every episode from now on after so many steps, if it has not ended before."""
        self._call[0]["max_episode_steps"] = min(self._call[0]["max_episode_steps"], max_episode_steps)
        self.limit = max_episode_steps if self.limit is None else min(self.limit, max_episode_steps)

    def rest(self) -> None:
        """Ends all episodes, so that no sub-environment runs until it is reset."""
        self._arrays["terminated"][:] = True

    def render(self) -> tuple[Any, ...] | None:
        """Returns a frame of every sub-environment, drawn by Gymnasium's renderer; None without a `render_mode`."""
        check_open(self)
        self._physics.check_process()
        if self.render_mode is None:
            return None
        frames = []
        for qpos, qvel in zip(self._qpos, self._physics.state(mujoco.mjtState.mjSTATE_QVEL), strict=True):
            self._template.set_state(qpos, qvel)
            frames.append(self._template.render())
        return tuple(frames)

    def close_extras(self, **kwargs: Any) -> None:
        """Frees the simulations; Gymnasium's `close` calls it."""
        self._qpos, self._time = self._qpos.copy(), self._time.copy()  # they were views of what is freed
        self._worker.shutdown()
        self._physics.close()
        self._template.close()

    def _advance(self, running: np.ndarray, max_steps: int, single: bool, policy: int, context: int) -> None:
        ids = np.flatnonzero(running).astype(np.int32)
        if not ids.size:
            return
        call = self._call[0]
        call["max_steps"] = max_steps
        call["single_precision_actions"] = single
        call["policy"] = policy
        call["policy_context"] = context
        self._physics.apply(ids, advance_slot.address, self._call.ctypes.data)

    def _draw_start(self, slot: int, seed: int | None) -> None:
        """Draws the first state of an episode from this slot's generator."""
        if seed is not None or self._generators[slot] is None:
            self._generators[slot] = np_random(seed)[0]
        start = draw_start(self._template, self._generators[slot])
        self._arrays["start_qpos"][slot], self._arrays["start_qvel"][slot] = start
        if self._signals is not None:
            self._signals.draw(slot, self._generators[slot])

    def _state_info(self, mask: np.ndarray) -> dict[str, Any]:
        """Returns the entries of `info` that describe the state, as Gymnasium's vector environments pack them."""
        values = {name: f(self._qpos, self._arrays["init_qpos"]) for name, f in self._task.state_info.items()}
        if self._task.tendon_info:
            values["tendon_length"], values["tendon_velocity"] = np.split(self._arrays["tendons"], 2, axis=1)
        return pack_info(values, mask)
