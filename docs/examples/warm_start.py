"""Begins a search where a run has ended, with its connection probabilities and its observation normaliser."""

from functools import partial
from pathlib import Path

from agents import RSNN
from ec_evotorch import EvolvingConnectivity, RolloutProblem
from envs import make_vec
from experiments.training.run_end import read_end


def main(run: Path, generations: int = 100, **of_agent) -> EvolvingConnectivity:
    """Goes on from a run of EC on Hopper in a world with more noise, and returns the searcher."""
    end = read_end(run)  # or "zoo/hopper"
    env = partial(make_vec, "Hopper-v5", reset_noise_scale=0.1)
    problem = RolloutProblem(env, partial(RSNN, **of_agent), decrease_rewards_by=1.0, seed=0)
    problem.normalizer.load_state_dict(end.normalizer)  # before the first step
    searcher = EvolvingConnectivity(problem, popsize=16, prob_init=end.rho.clamp(1e-3, 1.0 - 1e-3))
    searcher.run(generations)
    return searcher


if __name__ == "__main__":
    print("mean return:", main(Path("zoo/hopper"), generations=10, num_neurons=64).status["mean_return"])
