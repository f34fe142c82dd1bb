"""Collecting steps on a device; what `ec_evotorch.searchers.actor_critic.collector` does in the host's memory."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from ec_evotorch.rollout.device.members import check_slots
from ec_evotorch.rollout.episode_seeds import COLLECTION
from ec_evotorch.rollout.finite_observations import FINITE
from ec_evotorch.rollout.normalizer import CLIP, action_scale
from ec_evotorch.rollout.problem import RolloutProblem
from ec_evotorch.searchers.actor_critic.collector import Experience
from native.warp_device import capture, load_warp, on_warp_stream

wp = load_warp()


class DeviceActor(Protocol):
    """What acts while steps are collected on a device, and keeps of them what its searcher learns from."""

    def launch_act(self, t: int, observations: torch.Tensor, networks) -> torch.Tensor:
        """Acts in all sub-environments, by launches on the current stream.

        Args:
            t: Number of the step, from 0 in each call of `DeviceCollector.collect`.
            observations: (B, obs_length) float32 on the device, normalised.
            networks: What the agent has `on_device`, with the slots' states.

        Returns:
            (B, act_length) float32 in [−1, 1]; NaN or infinite where the episode has failed.
        """


class DeviceCollector:
    """A vector environment on a device that collects on-policy steps; episodes continue across calls.

    What it collects is what `Collector` does where the environments are equal, to the last bit; observations stay in
    the device's memory. In each step the host waits once, for the episodes that have ended.

    Args:
        problem: Problem that plays on a device, whose environment, agent, normaliser and training reward are used.
        num_envs: B, sub-environments.

    Raises:
        ValueError: If the environment does not say which episodes have terminated, or what it remembers.
        TooManyError: If so many networks cannot be in the host's memory.
    """

    def __init__(self, problem: RolloutProblem, num_envs: int):
        self._problem, self._num_envs = problem, num_envs
        self._copied: dict | None = None  # where a copy of another collector has to go on, before it does anything
        self._make()
        with on_warp_stream(self.device):
            self._begin(np.arange(num_envs))

    def __getstate__(self) -> dict:
        # A copy makes an environment of its own when it is first used: its problem may not be whole before.
        return {"_problem": self._problem, "_num_envs": self._num_envs, "_copied": self.state_dict()}

    def _make(self) -> None:
        problem, num_envs = self._problem, self._num_envs
        env, self._agent = problem.make_env(num_envs), problem.make_device_agent()
        worlds = env.on_device
        if lacks := [name for name in ("terminated", "memory") if not hasattr(worlds, name)]:
            what = "an environment that has, on its device, terminated and memory (protocols.DeviceVectorEnv)"
            raise ValueError(f"env: EC with a critic needs {what}; this one has no {' and no '.join(lacks)}")
        self._env, device = env, worlds.device  # the environment closes when it is forgotten
        check_slots(num_envs, self._agent.solution_length, self._agent.dtype, device)
        with on_warp_stream(device):
            self.networks = self._agent.on_device(num_envs)
            self.networks.members.copy_(torch.arange(num_envs))
            scale = action_scale(env.single_action_space.low, env.single_action_space.high)
            self._middle, self._half_range = (torch.from_numpy(part).to(str(device)) for part in scale)
            self._live = {
                name: wp.to_torch(getattr(worlds, name))
                for name in ("observations", "actions", "rewards", "finished", "terminated", "diverged", "overflowed")
            }
            self._begun, self._lengths = np.zeros((2, num_envs), dtype=np.int64)  # episodes of each slot; their steps
            self._returns = torch.zeros(num_envs, dtype=torch.float64, device=str(device))
            self._observations = torch.zeros_like(self._live["observations"])
            self._nonfinite = torch.full((num_envs,), FINITE, dtype=torch.int64, device=str(device))
            self._starting = torch.zeros(num_envs, dtype=torch.bool, device=str(device))
            self._rows = torch.zeros(num_envs, dtype=torch.int32, device=str(device))
            self._of_env = tuple(worlds.draw_starts([0] * num_envs))
            self._of_agent = wp.from_torch(self._agent.draw_starts([0] * num_envs).to(str(device)))
            self._step = capture(worlds.launch_step, device)  # while all slots rest
            self._reset = capture(self._reset_launcher(worlds), device)
        self._worlds = worlds

    def _reset_launcher(self, worlds) -> Callable[[], None]:
        starting, rows = wp.from_torch(self._starting), wp.from_torch(self._rows)

        def launch_reset():
            self.networks.launch_reset(starting, self._of_agent, rows)
            worlds.launch_reset(starting, self._of_env, rows)

        return launch_reset

    @property
    def device(self):
        """Device of Warp."""
        self._go_on()
        return self._worlds.device

    def _go_on(self) -> None:
        """Makes the environment of a copy, and brings it to where the other one was."""
        if self._copied is not None:
            copied, self._copied = self._copied, None
            self._make()
            self.load_state_dict(copied)

    def collect(self, num_steps: int, actor: DeviceActor) -> Experience:
        """Takes T steps in every sub-environment.

        Args:
            num_steps: T.
            actor: What acts.

        Returns:
            The experience, with observations on the device and the rest in the host's memory.
        """
        with on_warp_stream(self.device):
            return self._collect(num_steps, actor)

    def _collect(self, num_steps: int, actor: DeviceActor) -> Experience:
        live, decrease = self._live, self._problem.decrease_rewards_by
        observations = self._observations.new_empty((num_steps, *self._observations.shape))
        next_observations = torch.empty_like(observations)
        rewards = self._returns.new_empty((num_steps, self._num_envs))
        terminated, ended = (torch.empty_like(rewards, dtype=torch.bool) for _ in range(2))
        sums, sums_of_squares = (torch.zeros_like(self._observations, dtype=torch.float64) for _ in range(2))
        count = torch.zeros((), dtype=torch.int64, device=sums.device)
        nonfinite = _Lowest(self._nonfinite)
        normalize = self._normalization()
        returns, lengths = [], []
        for t in range(num_steps):
            normalize(self._observations, observations[t])
            count += (self._nonfinite == FINITE).sum()
            whole = self._observations.double()
            sums += whole
            sums_of_squares += whole**2

            outputs = actor.launch_act(t, observations[t], self.networks)
            acted = outputs.isfinite()
            live["actions"].copy_(self._middle + self._half_range * torch.where(acted, outputs, 0.0))
            self._step.replay()
            found = _first_nonfinite(live["observations"])
            nonfinite.add(found)
            sound = acted.all(dim=1) & live["rewards"].isfinite() & (found == FINITE) & (self._nonfinite == FINITE)
            failed = ~sound | live["diverged"] | live["overflowed"]
            self._returns += torch.where(failed, torch.nan, live["rewards"])
            self._lengths += 1
            rewards[t] = torch.where(failed, 0.0, live["rewards"] - decrease)
            terminated[t] = failed | live["terminated"]
            ended[t] = failed | live["finished"]
            self._observations.copy_(torch.where(failed[:, None], self._observations, live["observations"]))
            normalize(self._observations, next_observations[t])

            begun = np.flatnonzero(ended[t].cpu().numpy())
            if begun.size:
                returns += self._returns.cpu()[begun].tolist()
                lengths += self._lengths[begun].tolist()
                self._begin(begun)
                nonfinite.add(self._nonfinite)
        return Experience(
            observations=observations,
            next_observations=next_observations,
            rewards=rewards.cpu(),
            terminated=terminated.cpu(),
            ended=ended.cpu(),
            returns=np.array(returns),
            lengths=np.array(lengths, dtype=np.int64),
            visited=(int(count), sums.cpu().numpy(), sums_of_squares.cpu().numpy()),
            nonfinite=nonfinite.read(),
        )

    def state_dict(self) -> dict:
        """Returns where the running episodes are, for `load_state_dict`: numbers, and what the device remembers."""
        if self._copied is not None:
            return self._copied
        with on_warp_stream(self.device):
            memory = {name: tensor.cpu().clone() for name, tensor in self._memory().items()}
        return {"begun": self._begun.copy(), "lengths": self._lengths.copy(), "memory": memory}

    def load_state_dict(self, state: dict) -> None:
        """Goes on from where a `state_dict` was taken, with the episodes that were running.

        Raises:
            ValueError: If it was taken of another environment or network.
        """
        with on_warp_stream(self.device):
            memory, there = state["memory"], self._memory()
            shapes = [{name: tuple(tensor.shape) for name, tensor in one.items()} for one in (there, memory)]
            if shapes[0] != shapes[1]:
                raise ValueError(f"collector: expected arrays of the shapes {shapes[0]}, got {shapes[1]}")
            for name, tensor in there.items():
                tensor.copy_(torch.as_tensor(memory[name]))
        self._begun[:], self._lengths[:] = state["begun"], state["lengths"]

    def _memory(self) -> dict[str, torch.Tensor]:
        """Returns the tensors on which it depends what comes, by name; they are live."""
        own = {"returns": self._returns, "observations": self._observations, "nonfinite": self._nonfinite}
        physics = [wp.to_torch(array) for array in self._worlds.memory if array.size]
        networks = tree_leaves(self._agent.memory(self.networks.state))
        numbered = {f"physics {i}": tensor for i, tensor in enumerate(physics)}
        return own | numbered | {f"network {i}": tensor for i, tensor in enumerate(networks)}

    def _begin(self, slots: np.ndarray) -> None:
        """Begins the next episode in some slots."""
        self._begun[slots] += 1
        seeds = self._problem.episode_seeds(0, slots, self._begun[slots] - 1, COLLECTION)
        drawn = (*self._worlds.draw_starts(seeds), wp.from_torch(self._agent.draw_starts(seeds).to(str(self.device))))
        for room, rows in zip((*self._of_env, self._of_agent), drawn, strict=True):
            if rows.size:
                wp.copy(room, rows, count=rows.size)
        starting, numbers = np.zeros(self._num_envs, dtype=bool), np.zeros(self._num_envs, dtype=np.int32)
        starting[slots], numbers[slots] = True, np.arange(len(slots))
        self._starting.copy_(torch.from_numpy(starting))
        self._rows.copy_(torch.from_numpy(numbers))
        self._reset.replay()
        self._returns.masked_fill_(self._starting, 0.0)
        self._lengths[slots] = 0
        observations = self._live["observations"]
        self._nonfinite = torch.where(self._starting, _first_nonfinite(observations), self._nonfinite)
        shown = torch.where((self._nonfinite == FINITE)[:, None], observations, 0.0)
        self._observations = torch.where(self._starting[:, None], shown, self._observations)

    def _normalization(self) -> Callable[[torch.Tensor, torch.Tensor], None]:
        """Returns a function that writes observations, normalised as at the beginning of the call, into a tensor."""
        normalizer = self._problem.normalizer
        if normalizer is None:
            return lambda observations, out: out.copy_(observations)
        mean, stdev = (torch.from_numpy(part).to(self._returns.device) for part in (normalizer.mean, normalizer.stdev))

        def normalize(observations, out):
            out.copy_(((observations.double() - mean) / stdev).clamp_(-CLIP, CLIP))

        return normalize


class _Lowest:
    """The lowest index of a sensor that was not finite, among many; read once, so that nothing waits for it."""

    def __init__(self, found: torch.Tensor):
        self._lowest = torch.full((), torch.iinfo(torch.int64).max, device=found.device)
        self.add(found)

    def add(self, found: torch.Tensor) -> None:
        found = torch.where(found == FINITE, torch.iinfo(torch.int64).max, found)
        self._lowest = torch.minimum(self._lowest, found.min())

    def read(self) -> int:
        lowest = int(self._lowest)
        return FINITE if lowest == torch.iinfo(torch.int64).max else lowest


def _first_nonfinite(observations: torch.Tensor) -> torch.Tensor:
    """Returns the index of the first sensor of each row that is not finite, (B,) int64, or `FINITE`."""
    broken = ~observations.isfinite()
    return torch.where(broken.any(dim=1), broken.int().argmax(dim=1), FINITE)
