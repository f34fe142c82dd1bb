"""Trains a recurrent `torch.nn.Module` of one's own: a minimal gated unit, written as matrix products."""

from functools import partial

import torch

from agents import ModuleAgent
from ec_evotorch import EvolutionStrategy, RolloutProblem
from envs import make_vec


class MinimalGatedUnit(torch.nn.Module):
    """A recurrent layer with one gate, and a linear readout."""

    def __init__(self, obs_length: int, act_length: int, num_units: int = 32):
        super().__init__()
        self.gate = torch.nn.Linear(obs_length + num_units, num_units)
        self.candidate = torch.nn.Linear(obs_length + num_units, num_units)
        self.readout = torch.nn.Linear(num_units, act_length)
        self.num_units = num_units

    def forward(self, x: torch.Tensor, h: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Takes an observation (obs_length,) and a state; returns an action (act_length,) and the next state."""
        h = torch.zeros(self.num_units) if h is None else h
        opened = torch.sigmoid(self.gate(torch.cat([x, h])))
        proposed = torch.tanh(self.candidate(torch.cat([x, opened * h])))
        h = (1 - opened) * h + opened * proposed
        return torch.tanh(self.readout(h)), h


def main(generations: int = 20, popsize: int = 16) -> EvolutionStrategy:
    """Trains the module with the paper's evolution strategy, and returns the searcher."""
    problem = RolloutProblem(
        partial(make_vec, "Hopper-v5"), partial(ModuleAgent, module=MinimalGatedUnit), decrease_rewards_by=1.0, seed=0
    )
    searcher = EvolutionStrategy(problem, popsize=popsize, stdev=0.02, center_learning_rate=0.01)
    searcher.run(generations)
    return searcher


if __name__ == "__main__":
    print("mean return of the last population:", main().status["mean_return"])
