"""The stochastic policy of PPO, which keeps what its gradient needs of the steps that it takes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils._pytree import tree_map

from ec_evotorch.searchers.ppo.action_distribution import ActionDistribution


@dataclass
class Sequences:
    """S sequences of at most W consecutive steps of one episode each, the longest first.

    Attributes:
        steps: (W, S) int64, rows of the flattened (T · B) steps; 0 after the end of a sequence.
        lengths: (S,) int64, steps of each sequence, falling.
        memory: The agent's memory before the first step of each sequence, tensors (S, …).
    """

    steps: torch.Tensor
    lengths: torch.Tensor
    memory: object

    def take(self, chosen: torch.Tensor) -> "Sequences":
        """Returns the sequences with these indices (n,), which must rise."""
        memory = tree_map(lambda leaf: leaf[chosen], self.memory)
        lengths = self.lengths[chosen]
        return Sequences(self.steps[: lengths[0], chosen], lengths, memory)

    @property
    def mask(self) -> torch.Tensor:
        """Which of `steps` belong to a sequence, (W, S) bool."""
        return torch.arange(len(self.steps))[:, None] < self.lengths


class NoisyActor:
    """Draws actions around the outputs of one solution and clips them to [−1, 1].

    Attributes:
        means: (T, B, act_length) float32, the agent's outputs.
        actions: (T, B, act_length) float32, what was drawn, not clipped.

    Args:
        agent: The agent.
        center: (L,) its solution.
        distribution: Of the actions, for the outputs of the agent.
        stdev: (K,) standard deviations of the policy.
        noise: (T, B, act_length) numbers of `distribution.noise`.
        window: W, steps after which a new sequence begins if no episode has ended before.
    """

    def __init__(self, agent, center, distribution: ActionDistribution, stdev, noise: torch.Tensor, window: int):
        self._agent, self._distribution, self._stdev, self._noise, self._window = (
            agent,
            distribution,
            stdev,
            noise,
            window,
        )
        self._solutions, self._members = center[None], np.zeros(noise.shape[1], dtype=np.int64)
        self.means, self.actions = (torch.empty(noise.shape, dtype=torch.float32) for _ in range(2))
        self._starts: list[tuple[int, int]] = []
        self._memories: list = []

    def act(self, t: int, observations: np.ndarray, begun: np.ndarray, state) -> np.ndarray:
        """Acts, see `ec_evotorch.searchers.actor_critic.collector.Actor`.

        Raises:
            FloatingPointError: If an output of the agent is NaN or infinite.
        """
        first = np.arange(len(observations)) if t % self._window == 0 else begun
        self._starts += [(t, slot) for slot in first]
        self._memories.append(tree_map(lambda leaf: leaf[first], self._agent.memory(state)))
        self._agent.step(self._solutions, self._members, observations, state)
        self.means[t] = self._agent.readout(state)
        if not torch.isfinite(self.means[t]).all():
            raise FloatingPointError("the policy's output is NaN or infinite")
        self.actions[t] = self._distribution.act(self.means[t], self._stdev, self._noise[t])
        return self.actions[t].clamp(-1.0, 1.0).numpy()

    def sequences(self) -> Sequences:
        """Returns the steps cut into sequences."""
        num_steps, num_envs, _ = self._noise.shape
        return _arrange(np.array(self._starts), self._memories, num_steps, num_envs)


def _arrange(starts: np.ndarray, memories: list, num_steps: int, num_envs: int) -> Sequences:
    """Makes the sequences that begin at these (t, slot), given in the order of t."""
    lengths = np.empty(len(starts), dtype=np.int64)
    until = np.full(num_envs, num_steps)
    for row in range(len(starts) - 1, -1, -1):
        t, slot = starts[row]
        lengths[row] = until[slot] - t
        until[slot] = t
    order = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[order], lengths[order]
    offsets = np.arange(lengths[0])[:, None]
    steps = np.where(offsets < lengths, (starts[:, 0] + offsets) * num_envs + starts[:, 1], 0)
    memory = tree_map(lambda *leaves: torch.cat(leaves)[torch.from_numpy(order)], *memories)
    return Sequences(torch.from_numpy(steps), torch.from_numpy(lengths), memory)
