"""`ec-evotorch energy`: what a spiking network would take on a neuromorphic chip, estimated from counted operations.

    E = P_u · I · N · S + (P_s + C · P_w) · R · N · S    (Appendix D of the paper)

for N neurons over S time steps, each updated I times a step, that fire R spikes a neuron and step, each going to C
others. This is an estimate from counts, not a measurement on a chip. As in the paper, the input costs nothing: it is a
current, not spikes; and so does whatever chooses actions, computes gradients or draws networks.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import gymnasium
import numpy as np
import torch
from omegaconf import OmegaConf
from rich.console import Console
from rich.progress import track

from agents import RSNN
from ec_evotorch.threads import one_torch_thread
from experiments.errors import UserError, did_you_mean
from experiments.evaluation.episodes import episode_seed, load_policy_of_run, play_episode
from experiments.run_config.compose import CONFIG_DIR
from experiments.run_folder.layout import METRICS
from experiments.run_folder.read import read_metrics

CHIPS = Path(CONFIG_DIR) / "energy"
PICO = 1e-12


@dataclass(frozen=True)
class Chip:
    """Energy of single operations: a YAML of experiments/conf/energy.

    Attributes:
        name: Of the chip.
        picojoules_per_neuron_update: P_u.
        picojoules_per_spike: P_s, once for each spike.
        picojoules_per_target: P_w, for each neuron that a spike goes to.
        updates_per_neuron: I, in a time step.
    """

    name: str
    picojoules_per_neuron_update: float
    picojoules_per_spike: float
    picojoules_per_target: float
    updates_per_neuron: float


@dataclass(frozen=True)
class Activity:
    """What a network does in an episode, or in the mean of several.

    Attributes:
        steps: Environment steps.
        num_neurons: N.
        time_steps: S; there are several in an environment step.
        spike_rate: R, spikes per neuron and time step.
        fan_out: C, neurons and outputs that a spike goes to; where neurons differ, the mean over spikes.
    """

    steps: float
    num_neurons: int
    time_steps: float
    spike_rate: float
    fan_out: float


@dataclass(frozen=True)
class Training:
    """How long a network was trained.

    Attributes:
        generations: G.
        episodes: All that were played; in the paper G · P for a population P.
        steps: Environment steps.
    """

    generations: int
    episodes: int
    steps: int


@dataclass(frozen=True)
class Measurement:
    """What a trained policy did in plain Gymnasium.

    Attributes:
        activity: In the mean episode.
        episodes: How many were played.
        mean_return: In the environment's own reward.
        fan_out_in: Mean number of neurons that an input reaches; it is not in the energy.
        fan_out_hidden: Mean over spikes of the neurons that a spike goes to.
        fan_out_out: Mean over spikes of the outputs that a spike counts in.
    """

    activity: Activity
    episodes: int
    mean_return: float
    fan_out_in: float
    fan_out_hidden: float
    fan_out_out: float


PAPER = Activity(steps=1_000, num_neurons=256, time_steps=33_200, spike_rate=0.025, fan_out=128)
PAPER_TRAINING = Training(generations=1_000, episodes=1_000 * 10_240, steps=1_000 * 10_240 * 1_000)


def episode_energy(chip: Chip, activity: Activity) -> float:
    """Returns the energy of an episode in joules."""
    updates = activity.num_neurons * activity.time_steps * chip.updates_per_neuron
    spikes = activity.num_neurons * activity.time_steps * activity.spike_rate
    per_spike = chip.picojoules_per_spike + activity.fan_out * chip.picojoules_per_target
    return PICO * (chip.picojoules_per_neuron_update * updates + per_spike * spikes)


def training_energy(chip: Chip, activity: Activity, training: Training) -> float:
    """Returns the energy of a training in joules, all of whose environment steps are like those of `activity`.

    The networks of a training are not the one at its end: where they fire more, it takes more. Only acting counts, not
    what a gradient takes.
    """
    return episode_energy(chip, activity) / activity.steps * training.steps


def measure(run: Path, num_episodes: int, seed: int = 0) -> Measurement:
    """Plays the policy of a run in plain Gymnasium, the episodes of `evaluate`, and counts every spike.

    Raises:
        UserError: If the run has no policy, or one without spikes.
    """
    saved = load_policy_of_run(run)
    agent = saved.policy.agent
    if not isinstance(agent, RSNN):
        raise UserError(f"'{run}': expected a spiking network (agent=rsnn or rsnn_sign); got {type(agent).__name__}")
    saved.policy.agent = counter = SpikeCounter(agent)
    env = gymnasium.make(**saved.env)
    seeds = [episode_seed(seed, episode) for episode in range(num_episodes)]
    console = Console(stderr=True)
    try:
        with one_torch_thread():
            played = [
                play_episode(env, saved.policy, seed)
                for seed in track(seeds, "counting", console=console, transient=True, disable=not console.is_terminal)
            ]
    finally:
        env.close()
    returns, lengths = np.array(played).T
    fan_out = fan_outs(agent, saved.policy.solution)
    hidden, out = (_mean_over_spikes(fan_out[kernel], counter.counts) for kernel in ("kernel_h", "kernel_out"))
    time_steps = lengths.sum() * agent.substeps
    activity = Activity(
        steps=lengths.mean(),
        num_neurons=agent.num_neurons,
        time_steps=time_steps / num_episodes,
        spike_rate=float(counter.counts.sum() / (agent.num_neurons * time_steps)),
        fan_out=hidden + out,
    )
    return Measurement(activity, num_episodes, returns.mean(), float(fan_out["kernel_in"].mean()), hidden, out)


def fan_outs(agent: RSNN, solution: torch.Tensor) -> dict[str, np.ndarray]:
    """Returns how many connections leave each input or neuron: kernel_in, kernel_h and kernel_out -> (rows,).

    A connection exists where the solution is not zero; with "sign" connections, where it is positive. Whether it
    excites or inhibits makes no difference.
    """
    exists = solution > 0 if agent.connections == "sign" else solution != 0
    return {name: kernel[0].sum(dim=1).numpy() for name, kernel in agent.split(exists[None]).items()}


def trained(run: Path) -> Training:
    """Reads from metrics.csv how long a run was trained.

    Raises:
        UserError: If it has no generation, or is damaged.
    """
    metrics = read_metrics(run / METRICS)
    if metrics.empty:
        raise UserError(f"'{run / METRICS}' has no generation")
    last = metrics.iloc[-1]
    return Training(int(last.generation), int(last.episodes), int(last.steps))


class SpikeCounter:
    """Stands in a policy for its agent, acts as it does, and counts the spikes.

    Attributes:
        counts: (n,) int64 spikes of each neuron so far.
    """

    def __init__(self, agent: RSNN):
        self._agent = agent
        self.counts = np.zeros(agent.num_neurons, dtype=np.int64)

    def reset(self, state, slots, seeds) -> None:
        """As the agent."""
        self._agent.reset(state, slots, seeds)

    def step(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        """As the agent."""
        self.counts += self._agent.count_spikes(solutions, members, obs, state).sum(dim=0).numpy()
        return self._agent.step(solutions, members, obs, state)


def chips() -> list[str]:
    """Returns the names of the chips whose constants are here."""
    return sorted(path.stem for path in CHIPS.glob("*.yaml"))


def load_chip(name: str) -> Chip:
    """Reads a chip's constants by its name, or from a YAML file with the keys of `Chip`.

    Raises:
        UserError: If there is no such chip or file, or a key is missing, unknown or no number of at least 0.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else CHIPS / f"{name}.yaml"
    if not path.is_file():
        hint = did_you_mean(name, chips())
        raise UserError(f"chip: expected one of {', '.join(chips())}, or a YAML file; got '{name}'{hint}")
    try:
        constants = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")))
    except Exception as error:  # of YAML or OmegaConf, which have no common base
        raise UserError(f"'{path}': expected YAML: {error}") from error
    keys = [field.name for field in fields(Chip)]
    if not isinstance(constants, dict) or set(constants) != set(keys):
        raise UserError(f"'{path}': expected the keys {', '.join(keys)}; got {constants}")
    for key in keys[1:]:
        value = constants[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise UserError(f"'{path}': {key}: expected a number, at least 0; got {value!r}")
    return Chip(**constants)


def _mean_over_spikes(fan_out: np.ndarray, counts: np.ndarray) -> float:
    return float(np.average(fan_out, weights=counts if counts.any() else None))
