"""Playing a trained policy in plain Gymnasium: returns, spikes, energy, and the network behind them.

`evaluate` plays episodes, `record_spikes` keeps every spike of them, `measure` and `episode_energy` estimate what they
would take on a neuromorphic chip, and `load_network` reads the connections of a run and their probabilities.
"""

from experiments.evaluation.energy import episode_energy, load_chip, measure, trained, training_energy
from experiments.evaluation.episodes import episode_seed, evaluate, play_episode
from experiments.evaluation.spikes import SpikeTrain, record_spikes
from experiments.evaluation.trained_network import TrainedNetwork, load_network

__all__ = [
    "SpikeTrain",
    "TrainedNetwork",
    "episode_energy",
    "episode_seed",
    "evaluate",
    "load_chip",
    "load_network",
    "measure",
    "play_episode",
    "record_spikes",
    "trained",
    "training_energy",
]
