"""Searches a network whose neurons have positions: near ones are likely connected at first, far ones cannot be."""

from functools import partial

import numpy as np

from agents import RSNN
from agents.rsnn.anatomy import distance_rule, distances, draw_positions, wire_length
from ec_evotorch import EvolvingConnectivity, RolloutProblem
from envs import make_vec


def main(generations: int = 100, num_neurons: int = 64) -> tuple[EvolvingConnectivity, float]:
    """Trains on Hopper, and returns the searcher and the length of the wire between the neurons of its policy."""
    positions = draw_positions(num_neurons, dimensions=2, seed=0)
    mask = {"kernel_h": distances(positions) < 0.5}
    agent = partial(RSNN, num_neurons=num_neurons, excitatory_ratio=0.8, connection_mask=mask)
    problem = RolloutProblem(partial(make_vec, "Hopper-v5"), agent, decrease_rewards_by=1.0, seed=0)
    rho = distance_rule(positions, p=0.5, length=0.2)
    prob_init = {"kernel_in": 0.5, "kernel_h": np.clip(rho, 1e-3, 1 - 1e-3), "kernel_out": 0.5}
    searcher = EvolvingConnectivity(problem, popsize=16, prob_init=prob_init)
    searcher.run(generations)
    kernels = problem.agent.split(searcher.status["center"][None])
    return searcher, wire_length(kernels["kernel_h"][0].numpy(), positions)


if __name__ == "__main__":
    searcher, wire = main()
    print(f"{searcher.problem.solution_length} connections can exist; mean return {searcher.status['mean_return']:.0f}")
    print(f"wire between neurons: {wire:.1f} sides of the square in which they lie")
