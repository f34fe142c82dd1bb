"""Recording every spike of a policy while it plays episodes in plain Gymnasium."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from agents import RSNN
from ec_evotorch.threads import one_torch_thread
from experiments.evaluation.episodes import play_episode
from experiments.evaluation.plain_env import open_env, warn_of_other_model
from experiments.run_folder.policy import SavedPolicy


@dataclass(frozen=True)
class SpikeTrain:
    """The spikes of one episode.

    Attributes:
        spikes: (substeps of the whole episode, n) int8: 1 where an excitatory neuron fired, −1 where an inhibitory one
            did, else 0.
        substeps: Substeps of the network in an environment step.
        dt: Simulated time of a substep, ms.
        episode_return: Return of the episode in the environment's own reward.
        inputs: (steps, obs_length) float32 observations as the network sees them: normalised, if they are.
    """

    spikes: np.ndarray
    substeps: int
    dt: float
    episode_return: float
    inputs: np.ndarray

    @property
    def steps(self) -> int:
        """Environment steps of the episode."""
        return len(self.spikes) // self.substeps

    @property
    def counts(self) -> np.ndarray:
        """(n,) int64, spikes of each neuron, whichever their sign."""
        return np.abs(self.spikes).sum(axis=0, dtype=np.int64)


def record_spikes(saved: SavedPolicy, seeds: Iterable[int]) -> Iterator[SpikeTrain]:
    """Plays an episode for each seed, as `play_episode` does, and yields its spikes.

    Actions and returns are those of an evaluation without recording.

    Args:
        saved: A policy of spiking neurons and its environment.
        seeds: Seeds of `episode_seed`.

    Raises:
        UserError: If the environment cannot be made or played.

    Warns:
        ResultsWarning: If the environment simulates another model than in training.
    """
    agent = saved.policy.agent
    with open_env(saved) as env:
        warn_of_other_model(saved, env)
        try:
            for seed in seeds:
                recorder = saved.policy.agent = _Recorder(agent)
                with one_torch_thread():
                    episode_return, _ = play_episode(env, saved.policy, seed)
                yield SpikeTrain(
                    np.concatenate(recorder.spikes),
                    agent.substeps,
                    agent.dt,
                    episode_return,
                    np.concatenate(recorder.inputs),
                )
        finally:
            saved.policy.agent = agent


class _Recorder:
    """Stands in a policy for its agent, acts as the agent does, and keeps the spikes of its only slot.

    Attributes:
        spikes: For each environment step, an array (substeps, n) int8.
        inputs: For each environment step, an array (1, obs_length) float32.
    """

    def __init__(self, agent: RSNN):
        self._agent = agent
        self.spikes: list[np.ndarray] = []
        self.inputs: list[np.ndarray] = []

    def reset(self, state, slots, seeds) -> None:
        self._agent.reset(state, slots, seeds)

    def step(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        self.inputs.append(np.array(obs, dtype=np.float32))
        self.spikes.append(self._agent.spike_trains(solutions, members, obs, state)[:, 0].numpy())
        return self._agent.step(solutions, members, obs, state)
