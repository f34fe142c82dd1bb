"""The energy that a spiking network would take on a neuromorphic chip, estimated from counted operations.

    E = P_u · I · N · S + (P_s + C · P_w) · R · N · S    (Appendix D of the paper)

N neurons are each updated I times in each of S time steps, and fire R spikes per neuron and time step, each of which
goes to C others. This is an estimate from counts, not a measurement on a chip. As in the paper, the input costs
nothing, because it is a current and not spikes. Choosing actions, computing gradients and drawing networks cost nothing
either.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from agents import RSNN
from experiments.errors import UserError, did_you_mean
from experiments.evaluation.episodes import episode_seed, load_policy_of_run
from experiments.evaluation.spikes import record_spikes
from experiments.run_config.config_dir import CONFIG_DIR
from experiments.run_folder.layout import METRICS
from experiments.run_folder.read import read_metrics

CHIPS = Path(CONFIG_DIR) / "energy"
PICO = 1e-12


@dataclass(frozen=True)
class Chip:
    """The energy of single operations of a chip, as the YAML files in experiments/conf/energy have it.

    Attributes:
        name: Name of the chip.
        picojoules_per_neuron_update: P_u, energy of one update of a neuron, pJ.
        picojoules_per_spike: P_s, energy that each spike takes once, pJ.
        picojoules_per_target: P_w, energy for each neuron that a spike goes to, pJ.
        updates_per_neuron: I, updates of a neuron in a time step.
    """

    name: str
    picojoules_per_neuron_update: float
    picojoules_per_spike: float
    picojoules_per_target: float
    updates_per_neuron: float


@dataclass(frozen=True)
class Activity:
    """What a network does in an episode, or on average in an episode of several.

    Attributes:
        steps: Environment steps.
        num_neurons: N, neurons of the network.
        time_steps: S, time steps of the network; there are several in an environment step.
        spike_rate: R, spikes per neuron and time step.
        fan_out: C, neurons and outputs that a spike goes to. Where neurons differ it is the mean over spikes.
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
        generations: G, generations of the search.
        episodes: All episodes that were played; in the paper G · P for a population of P.
        steps: All environment steps.
    """

    generations: int
    episodes: int
    steps: int


@dataclass(frozen=True)
class Measurement:
    """What a trained policy did in plain Gymnasium.

    Attributes:
        activity: What the network did in an average episode.
        episodes: How many episodes were played.
        mean_return: Mean return of the episodes, in the environment's own reward.
        fan_out_in: Mean number of neurons that an input reaches. It is not part of the energy.
        fan_out_hidden: Number of neurons that a spike goes to, mean over spikes.
        fan_out_out: Number of outputs that a spike goes to, mean over spikes.
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
    """Returns the energy of a training in joules, as if all its environment steps were like those of `activity`.

    The networks of a training are not the one at its end: where they fire more, the training takes more. Only acting
    counts, not what a gradient takes.
    """
    return episode_energy(chip, activity) / activity.steps * training.steps


def measure(run: Path, num_episodes: int, seed: int = 0, trust: Collection[str] = ()) -> Measurement:
    """Plays the policy of a run in plain Gymnasium and counts every spike.

    Args:
        run: The folder of the run.
        num_episodes: How many episodes to play.
        seed: Chooses the episodes: they are those of `evaluate`.
        trust: Packages besides our own whose code the policy may use, see `check_targets`.

    Raises:
        UserError: If the run has no policy, or one without spikes.
    """
    saved = load_policy_of_run(run, trust)
    agent = saved.policy.agent
    if not isinstance(agent, RSNN):
        raise UserError(f"'{run}': expected a spiking network (agent=rsnn or rsnn_sign); got {type(agent).__name__}")
    seeds = [episode_seed(seed, episode) for episode in range(num_episodes)]
    console = Console(stderr=True)
    shown = track(seeds, "counting", console=console, transient=True, disable=not console.is_terminal)
    counts, returns, lengths = np.zeros(agent.num_neurons, dtype=np.int64), [], []
    for train in record_spikes(saved, shown):
        counts += train.counts
        returns.append(train.episode_return)
        lengths.append(train.steps)
    fan_out = fan_outs(agent, saved.policy.solution)
    hidden, out = (_mean_over_spikes(fan_out[kernel], counts) for kernel in ("kernel_h", "kernel_out"))
    time_steps = sum(lengths) * agent.substeps
    activity = Activity(
        steps=np.mean(lengths),
        num_neurons=agent.num_neurons,
        time_steps=time_steps / num_episodes,
        spike_rate=float(counts.sum() / (agent.num_neurons * time_steps)),
        fan_out=hidden + out,
    )
    return Measurement(activity, num_episodes, np.mean(returns), float(fan_out["kernel_in"].mean()), hidden, out)


def fan_outs(agent: RSNN, solution: torch.Tensor) -> dict[str, np.ndarray]:
    """Returns how many connections leave each input or neuron.

    A connection exists where the solution is not zero; with "sign" connections, where it is positive. Whether it
    excites or inhibits makes no difference.

    Args:
        agent: The network.
        solution: Its connections (L,).

    Returns:
        kernel_in, kernel_h and kernel_out -> (rows,) int64.
    """
    exists = solution > 0 if agent.connections == "sign" else solution != 0
    return {name: kernel[0].sum(dim=1).numpy() for name, kernel in agent.split(exists[None]).items()}


def trained(run: Path) -> Training:
    """Reads from metrics.csv how long a run was trained.

    Args:
        run: The folder of the run.

    Raises:
        UserError: If it has no generation, or is damaged.
    """
    metrics = read_metrics(run / METRICS)
    if metrics.empty:
        raise UserError(f"'{run / METRICS}' has no generation")
    last = metrics.iloc[-1]
    return Training(int(last.generation), int(last.episodes), int(last.steps))


def chips() -> list[str]:
    """Returns the names of the chips whose constants come with this package."""
    return sorted(path.stem for path in CHIPS.glob("*.yaml"))


def load_chip(name: str) -> Chip:
    """Reads the constants of a chip.

    Args:
        name: One of `chips()`, or the path of a YAML file with the keys of `Chip`.

    Raises:
        UserError: If there is no such chip or file, a key is missing or unknown, or a value is not a number of at least
            0.
    """
    from omegaconf import OmegaConf  # which playing a policy does without

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
