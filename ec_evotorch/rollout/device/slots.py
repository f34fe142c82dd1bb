"""Playing many episodes of many solutions in slots on a device; what `ec_evotorch.rollout.slots` does on the CPU."""

import logging
from collections.abc import Sequence

import numpy as np
import torch

from ec_evotorch.generation.seeded_rows import SeededRows
from ec_evotorch.rollout.device.interface import Interface
from ec_evotorch.rollout.device.kernels import wp
from ec_evotorch.rollout.device.members import GivenMembers, SampledMembers, check_slots
from ec_evotorch.rollout.device.queue import Queue
from ec_evotorch.rollout.device.results import Results
from ec_evotorch.rollout.normalizer import ObservationNormalizer, action_scale
from ec_evotorch.rollout.slots import Episodes
from native.warp_device import Graph, capture, on_warp_stream

_STRETCH = 32  # steps between two looks of the host at a GPU; results do not depend on it
_LOGGER = logging.getLogger(__name__)


class DeviceSlots:
    """The slots of a vector environment on a device, each with a network; a finished slot takes the next episode.

    A step of all slots is captured in a graph, and the host only replays it and reads how many episodes are left. What
    changes from one replay to the next is in arrays of the device. Results are those of `Slots` where observations and
    rewards are: sums are taken in the same order, and seeds give the same starts. They do not depend on the number of
    slots.

    Args:
        env: A vector environment that has `on_device`, see `ec_evotorch.protocols.DeviceVectorEnv`.
        agent: An agent that has `on_device`, see `ec_evotorch.protocols.DeviceAgent`.

    Raises:
        ValueError: If the two are on different devices.
        TooManyError: If so many slots cannot be in the host's memory.
    """

    def __init__(self, env, agent):
        self._env, self._agent = env.on_device, agent
        self._device = self._env.device
        check_slots(env.num_envs, agent.solution_length, agent.dtype, self._device)
        with on_warp_stream(self._device):
            self._networks = agent.on_device(env.num_envs)
            if self._networks.device != self._device:
                expected = f"the environment's {self._device}"
                raise ValueError(f"device: expected the agent on {expected}, got one on {self._networks.device}")
            scale = action_scale(env.single_action_space.low, env.single_action_space.high)
            self._interface = Interface(self._env, self._networks, *scale)
        self._members = wp.from_torch(self._networks.members)
        self._queue = self._results = self._starts = None
        self._given = self._sampled = None
        self._graphs: dict[tuple, Graph] = {}
        self._has_warned = False

    def play(
        self,
        solutions: torch.Tensor | SeededRows,
        members: Sequence[int],
        seeds: Sequence[int],
        normalizer: ObservationNormalizer | None,
    ) -> Episodes:
        """Plays episodes: number e with solution `members[e]`, and `seeds[e]` for environment and agent alike.

        Args:
            solutions: (N, L) solutions in the agent's dtype; or a generation, of which no array is made.
            members: (episodes,) rows of `solutions`, or of the generation.
            seeds: (episodes,) seeds of the episodes.
            normalizer: Statistics by which observations are normalised, which stay as they are; None passes
                observations on as they are.
        """
        if len(members) == 0:  # kernels and arrays of first states need at least one
            return _no_episodes(self._env.observations.shape[1])
        with on_warp_stream(self._device):
            self._make_room(len(members), seeds)
            source = self._sample(solutions) if isinstance(solutions, SeededRows) else self._give(solutions)
            if normalizer is not None:
                self._interface.set(normalizer)
            self._queue.set(np.asarray(members, dtype=np.int64))
            self._results.forget()
            self._networks.members.fill_(-1)
            self._env.launch_rest(wp.full(self._env.num_envs, True, dtype=wp.bool, device=self._device))
            self._launch_begin(source)
            self._run(source, normalizes=normalizer is not None)
            played, overflowed = self._results.to_episodes(len(members))
        if overflowed.any() and not self._has_warned:
            self._has_warned = True
            _LOGGER.warning(
                "env: more contacts or constraints than there was room for on the device: an episode in which that "
                "happens has failed and counts in failed_episodes (said once)"
            )
        return played

    def _run(self, source, *, normalizes: bool) -> None:
        """Steps until no episode is left; capturing a step of a kind for the first time is one."""
        key = (id(source), normalizes)
        if key not in self._graphs:

            def launch_step():
                self._launch_step(source, normalizes=normalizes)

            self._graphs[key] = capture(launch_step, self._device)
        stretch = _STRETCH if self._device.is_cuda else 1
        while int(self._queue.unfinished.numpy()[0]):
            for _ in range(stretch):
                self._graphs[key].replay()

    def _launch_step(self, source, *, normalizes: bool) -> None:
        self._interface.launch_act(self._queue.episode_of, self._results, normalizes=normalizes)
        self._env.launch_step()
        self._results.launch_hand_in(self._env, self._queue, self._members)
        self._launch_begin(source)

    def _launch_begin(self, source) -> None:
        """Lets free slots begin the next episodes: with their solutions, and first states of network and physics."""
        queue, networks = self._queue, self._networks
        of_env, of_agent = self._starts
        queue.launch_take(self._members, self._results)
        source.launch_take(queue.rows, queue.starting)
        networks.launch_load(source.taken, queue.starting)
        networks.launch_reset(queue.starting, of_agent, queue.episode_of)
        self._env.launch_reset(queue.starting, of_env, queue.episode_of)

    # --- arrays that grow with what is asked for, and what is captured with them ---

    def _make_room(self, num_episodes: int, seeds: Sequence[int]) -> None:
        """Makes arrays for so many episodes, unless there are, and draws the first states."""
        of_env = tuple(self._env.draw_starts(seeds))
        of_agent = wp.from_torch(self._agent.draw_starts(seeds).to(str(self._device)))
        if self._queue is None or self._queue.capacity < num_episodes:
            self._graphs.clear()
            sizes = self._env.num_envs, num_episodes
            made = (
                Queue(*sizes, self._device),
                Results(*sizes, self._env.observations.shape[1], self._device),
                (tuple(map(wp.empty_like, of_env)), wp.empty_like(of_agent)),
            )
            self._queue, self._results, self._starts = made  # all or none: kernels trust that they are as long
        for room, drawn in zip((*self._starts[0], self._starts[1]), (*of_env, of_agent), strict=True):
            wp.copy(room, drawn, count=drawn.size)

    def _give(self, solutions: torch.Tensor) -> GivenMembers:
        if self._given is None or self._given.capacity < len(solutions):
            self._graphs.clear()
            sizes = len(solutions), solutions.shape[1]
            self._given = GivenMembers(*sizes, solutions.dtype, self._env.num_envs, self._device)
        self._given.set(solutions)
        return self._given

    def _sample(self, rows: SeededRows) -> SampledMembers:
        if self._sampled is None or self._sampled.kind is not type(rows.distribution):
            self._graphs.clear()
            sizes = self._env.num_envs, self._device
            self._sampled = SampledMembers(rows.distribution, self._agent.dtype, *sizes)
        self._sampled.set(rows)
        return self._sampled


def _no_episodes(obs_length: int) -> Episodes:
    numbers, sums, whole = np.zeros(0), np.zeros((0, obs_length)), np.zeros(0, dtype=np.int64)
    return Episodes(numbers, whole, sums, sums.copy(), np.zeros(0, dtype=bool), whole.copy())
