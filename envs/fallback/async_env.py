"""Any other Gymnasium environment in several processes, with the contract of `envs.make_vec`."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import CloudpickleWrapper, create_empty_array

from envs.fallback.worker import START
from envs.remaking import Remade
from envs.template import take_after
from envs.vector_contract import check_actions, check_open, expand_seeds, reset_mask
from native.threads import default_num_threads

_SECONDS_TO_END = 1.0  # after which a process that was asked to end is killed


class EnvProcessError(RuntimeError):
    """A process that played sub-environments has ended, as by a crash or for want of memory."""


class AsyncFallbackVectorEnv(Remade, VectorEnv):
    """A vector environment that shares its sub-environments among processes of its own, one for each core.

    Sub-environment i is played by process i modulo their number. Episodes are those of `FallbackVectorEnv`, which each
    process has one of. The processes import no `__main__`, need no start method of `multiprocessing`, and end with this
    one.

    Attributes:
        model_digest: Which MuJoCo model of the user's own is simulated, see `envs.model_digest`.

    Args:
        make_env: Function without arguments that makes one environment; cloudpickle takes it to the processes.
        template: Such an environment, from which spaces and specification are taken.
        num_envs: Number of sub-environments B.
        num_processes: Number of processes, no more than B; 0 for all cores, or `OMP_NUM_THREADS` if that is smaller.

    Raises:
        EnvProcessError: If a process ends, here or later. All later calls raise it too.
        Exception: Whatever the environment raises, here or later.
    """

    def __init__(self, make_env: Callable, template: gymnasium.Env, num_envs: int, num_processes: int = 0):
        take_after(self, template, num_envs)
        self._observations = create_empty_array(self.single_observation_space, n=num_envs, fn=np.zeros)
        self._terminated = np.ones(num_envs, dtype=bool)  # nothing runs before the first reset
        self._truncated = np.zeros(num_envs, dtype=bool)
        count = min(num_processes or default_num_threads(), num_envs)
        self._slots = [np.arange(first, num_envs, count) for first in range(count)]
        self._processes = [_Process() for _ in range(count)]
        self._end = weakref.finalize(self, _end, self._processes)
        pickled = pickle.dumps(CloudpickleWrapper(make_env))
        try:
            self._ask({i: ("make", (pickled, len(slots))) for i, slots in enumerate(self._slots)})
        except BaseException:
            self._end()
            raise

    @property
    def process_ids(self) -> list[int]:
        """The ids of the processes."""
        return [process.id for process in self._processes]

    def rest(self) -> None:
        """Ends all episodes, so that no sub-environment runs until it is reset."""
        self._terminated[:] = True
        self._ask({i: ("rest", ((), {})) for i in range(len(self._slots))})

    def limit_episodes(self, max_episode_steps: int) -> None:
        """Truncates every episode from now on after so many steps, if it has not ended before."""
        self._ask({i: ("limit_episodes", ((max_episode_steps,), {})) for i in range(len(self._slots))})
        self.limit = max_episode_steps if self.limit is None else min(self.limit, max_episode_steps)

    def reset(self, *, seed=None, options: dict[str, Any] | None = None):
        """Starts episodes in all sub-environments, or in those of the (B,) bool array `options["reset_mask"]`."""
        check_open(self)
        mask, seeds = reset_mask(options, self.num_envs), expand_seeds(seed, self.num_envs)
        messages = {}
        for i, slots in enumerate(self._slots):
            if mask[slots].any():
                asked = {"seed": [seeds[slot] for slot in slots]}
                asked["options"] = {**(options or {}), "reset_mask": mask[slots]}
                messages[i] = ("reset", ((), asked))
        infos: dict[str, Any] = {}
        for i, (observations, info) in self._ask(messages).items():
            _put(self._observations, observations, self._slots[i])
            _put_infos(infos, info, self._slots[i], self.num_envs)
        self._terminated[mask] = self._truncated[mask] = False
        return _copied(self._observations), infos

    def step(self, actions):
        """Advances every running sub-environment; finished ones keep observation and flags and pay 0.

        Raises:
            ValueError: As `FallbackVectorEnv.step`.
        """
        check_open(self)
        running = ~(self._terminated | self._truncated)
        actions = check_actions(actions, self.action_space, running)
        rewards, infos = np.zeros(self.num_envs), {}
        messages = {i: ("step", ((actions[s],), {})) for i, s in enumerate(self._slots) if running[s].any()}
        for i, (observations, reward, terminated, truncated, info) in self._ask(messages).items():
            slots = self._slots[i]
            _put(self._observations, observations, slots)
            rewards[slots], self._terminated[slots], self._truncated[slots] = reward, terminated, truncated
            _put_infos(infos, info, slots, self.num_envs)
        return _copied(self._observations), rewards, self._terminated.copy(), self._truncated.copy(), infos

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the processes; Gymnasium's `close` calls it."""
        self._end()

    def _ask(self, messages: dict[int, tuple[str, tuple]]) -> dict[int, Any]:
        """Sends each process its message, and returns the answers when all are there.

        Raises:
            EnvProcessError: If a process has ended.
            Exception: What an environment has raised.
        """
        numbers = {i: self._processes[i].send(self.spec.id, message) for i, message in messages.items()}
        answers = {i: self._processes[i].receive(self.spec.id, number) for i, number in numbers.items()}
        for _, error in answers.values():
            if error is not None:
                raise error
        return {i: answer for i, (answer, _) in answers.items()}


class _Process:
    """One process, and the connection to it."""

    def __init__(self):
        here, there = socket.socketpair()
        with there:
            self._popen = subprocess.Popen(
                [sys.executable, "-c", START, str(there.fileno()), json.dumps(sys.path)],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        self._connection = Connection(here.detach())
        self._number = 0

    @property
    def id(self) -> int:
        return self._popen.pid

    def send(self, env_id: str, message: tuple[str, tuple]) -> int:
        """Sends a message, and returns its number."""
        self._number += 1
        try:
            self._connection.send((self._number, *message))
        except OSError as error:
            raise self._ended(env_id) from error
        return self._number

    def receive(self, env_id: str, number: int) -> tuple[Any, Exception | None]:
        """Waits for the answer to a message; those to earlier ones, whose wait was interrupted, are dropped."""
        try:
            answered = 0
            while answered != number:
                answered, answer, error = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._ended(env_id) from error
        return answer, error

    def end(self) -> None:
        """Closes the connection, with which the process ends; one that does not is killed."""
        self._connection.close()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(_SECONDS_TO_END)
        if self._popen.returncode is None:
            self._popen.kill()
            self._popen.wait()

    def _ended(self, env_id: str) -> EnvProcessError:
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(_SECONDS_TO_END)
        code = self._popen.returncode
        how = f"by {signal.Signals(-code).name}" if code is not None and code < 0 else f"with exit code {code}"
        return EnvProcessError(f"{env_id}: a process that played sub-environments has ended {how}")


def _end(processes: list[_Process]) -> None:
    for process in processes:
        process.end()


def _put(all_slots: object, values: object, slots: np.ndarray) -> None:
    """Writes the observations of some slots into those of all, whatever they consist of."""
    if isinstance(all_slots, dict):
        for key, part in all_slots.items():
            _put(part, values[key], slots)
    elif isinstance(all_slots, tuple):
        for part, value in zip(all_slots, values, strict=True):
            _put(part, value, slots)
    else:
        all_slots[slots] = values


def _copied(observations: object) -> object:
    if isinstance(observations, dict):
        return {key: _copied(part) for key, part in observations.items()}
    if isinstance(observations, tuple):
        return tuple(map(_copied, observations))
    return observations.copy()


def _put_infos(infos: dict[str, Any], values: dict[str, Any], slots: np.ndarray, num_envs: int) -> None:
    """Writes `info` of some slots into that of all, as Gymnasium's vector environments pack it."""
    for key, value in values.items():
        if isinstance(value, dict):
            _put_infos(infos.setdefault(key, {}), value, slots, num_envs)
            continue
        if key not in infos:
            empty = None if value.dtype == object else 0
            infos[key] = np.full((num_envs, *value.shape[1:]), empty, dtype=value.dtype)
        infos[key][slots] = value
