"""Trains networks of real weights on the same problem, with EvoTorch's PGPE and SNES and with the paper's ES."""

from functools import partial

from evotorch.algorithms import PGPE, SNES

from agents import LSTM, RSNN
from ec_evotorch import EvolutionStrategy, RolloutProblem
from envs import make_vec

SPIKING, GATED = partial(RSNN, connections="real"), partial(LSTM, num_neurons=128)


def make_problem(agent) -> RolloutProblem:
    """Makes the problem of hopping with an agent; the bonus of 1 for each step alive is taken off in training."""
    return RolloutProblem(partial(make_vec, "Hopper-v5"), agent, decrease_rewards_by=1.0, seed=0)


def main(generations: int = 100, popsize: int = 16) -> dict[str, float]:
    """Trains with each searcher, and returns the mean return of the last population of each."""
    searchers = {
        "ES on an LSTM": EvolutionStrategy(
            make_problem(GATED), popsize=popsize, stdev=0.02, center_learning_rate=0.01, weight_decay=0.1
        ),
        "PGPE on a spiking network": PGPE(
            make_problem(SPIKING), popsize=popsize, radius_init=79.0, center_learning_rate=2.6, stdev_learning_rate=0.1
        ),
        "SNES on a spiking network": SNES(make_problem(SPIKING), popsize=popsize, stdev_init=0.3),
    }
    for searcher in searchers.values():
        searcher.run(generations)
    return {name: searcher.status["mean_return"] for name, searcher in searchers.items()}


if __name__ == "__main__":
    for name, mean_return in main().items():
        print(f"{name}: {mean_return:.0f}")
