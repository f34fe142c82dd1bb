"""Solves OneMax, the smallest problem over bits: find the 200 bits whose sum is highest."""

import torch
from evotorch import Problem

from ec_evotorch import EvolvingConnectivity


def main(generations: int = 50) -> torch.Tensor:
    """Searches, and returns the most probable bits, (200,) bool."""
    problem = Problem(
        "max", lambda bits: bits.sum(dim=1).float(), solution_length=200, dtype=torch.bool, vectorized=True, seed=0
    )
    searcher = EvolvingConnectivity(problem, popsize=50, center_learning_rate=0.1)
    searcher.run(generations)
    print("best so far:", searcher.status["best_eval"], "density of ρ:", searcher.status["density"])
    return searcher.status["center"]


if __name__ == "__main__":
    print("bits set in the centre:", int(main().sum()))
