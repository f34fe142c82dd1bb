"""The one-bit spiking network that a run has come to: its connections, their probabilities, and its spikes."""

from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
import torch

from agents import RSNN
from ec_evotorch.threads import one_torch_thread
from experiments.errors import UserError
from experiments.evaluation.episodes import episode_seed, load_policy_of_run, play_episode
from experiments.run_folder.checkpoints import find_checkpoints, read_checkpoint
from experiments.run_folder.layout import RHO_HISTOGRAM
from experiments.run_folder.policy import SavedPolicy
from experiments.run_folder.rho_histogram import read_rho_histogram


@dataclass(frozen=True)
class TrainedNetwork:
    """What is drawn of a network.

    Attributes:
        saved: Its policy, whose agent is an `RSNN` with one-bit connections, and its environment.
        connections: kernel_in, kernel_h, kernel_out -> (presynaptic, postsynaptic) bool, θ*.
        probabilities: Likewise float32, the ρ that θ* = [ρ > 0.5] came from; None where no checkpoint has it.
        why_no_probabilities: Why not, "" if they are there.
        rho_histogram: Of `read_rho_histogram`, None where the run has none.
    """

    saved: SavedPolicy
    connections: dict[str, np.ndarray]
    probabilities: dict[str, np.ndarray] | None
    why_no_probabilities: str
    rho_histogram: pd.DataFrame | None

    @property
    def agent(self) -> RSNN:
        """The network's neurons."""
        return self.saved.policy.agent


@dataclass(frozen=True)
class SpikeTrain:
    """The spikes of an episode.

    Attributes:
        spikes: (substeps of the whole episode, n) int8: 1 where an excitatory neuron fired, −1 an inhibitory one.
        substeps: Of an environment step.
        dt: Simulated time of a substep, ms.
        episode_return: In the environment's own reward.
    """

    spikes: np.ndarray
    substeps: int
    dt: float
    episode_return: float

    @property
    def steps(self) -> int:
        """Environment steps of the episode."""
        return len(self.spikes) // self.substeps


def load_network(run: Path) -> TrainedNetwork:
    """Reads the network of a run.

    Raises:
        UserError: If the run has no policy, or one without one-bit connections between spiking neurons.
    """
    saved = load_policy_of_run(run)
    agent, solution = saved.policy.agent, saved.policy.solution
    if not isinstance(agent, RSNN) or agent.connections == "real":
        raise UserError(f"'{run}': expected one-bit connections of spiking neurons (agent=rsnn searcher=ec)")
    probabilities, why = None, "its searcher does not search over ρ"
    if agent.connections == "boolean":
        try:
            probabilities, why = _split(agent, _read_rho(run, solution)), ""
        except UserError as error:
            why = str(error)
    histogram = run / RHO_HISTOGRAM
    return TrainedNetwork(
        saved=saved,
        connections=_split(agent, solution > 0),
        probabilities=probabilities,
        why_no_probabilities=why,
        rho_histogram=read_rho_histogram(histogram) if histogram.exists() else None,
    )


def record_spikes(saved: SavedPolicy, seed: int = 0) -> SpikeTrain:
    """Plays the first episode of `evaluate` in plain Gymnasium and records every spike."""
    agent = saved.policy.agent
    recorder = _Recorder(agent)
    saved.policy.agent = recorder
    env = gymnasium.make(**saved.env)
    try:
        with one_torch_thread():
            episode_return, _ = play_episode(env, saved.policy, episode_seed(seed, 0))
    finally:
        env.close()
        saved.policy.agent = agent
    return SpikeTrain(np.concatenate(recorder.spikes), agent.substeps, agent.dt, episode_return)


class _Recorder:
    """Stands in a policy for its agent, acts as it does, and keeps the spikes of its only slot."""

    def __init__(self, agent: RSNN):
        self._agent = agent
        self.spikes: list[np.ndarray] = []

    def reset(self, state, slots, seeds) -> None:
        """As the agent."""
        self._agent.reset(state, slots, seeds)

    def step(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        """As the agent."""
        self.spikes.append(self._agent.spike_trains(solutions, members, obs, state)[:, 0].numpy())
        return self._agent.step(solutions, members, obs, state)


def _read_rho(run: Path, solution: torch.Tensor) -> torch.Tensor:
    paths = find_checkpoints(run)
    if not paths:
        raise UserError("the run has no checkpoint")
    learned = read_checkpoint(paths[-1]).search.get("search", {}).get("learner", {}).get("learned")
    if np.shape(learned) != tuple(solution.shape):
        raise UserError(f"'{paths[-1].name}' has no probability for each connection")
    rho = torch.as_tensor(learned)
    if not torch.equal(rho > 0.5, solution):
        raise UserError(f"'{paths[-1].name}' is of another generation than the policy")
    return rho


def _split(agent: RSNN, values: torch.Tensor) -> dict[str, np.ndarray]:
    return {name: kernel[0].numpy() for name, kernel in agent.split(values[None]).items()}
