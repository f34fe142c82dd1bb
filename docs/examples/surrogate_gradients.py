"""Trains the spiking network with PPO and surrogate gradients, the paper's rival that needs gradients."""

from functools import partial

from agents import RSNN
from ec_evotorch import PPO, RolloutProblem
from envs import make_vec


def main(iterations: int = 10) -> dict:
    """Trains for some iterations of 2,048 environment steps each, and returns the status of the searcher."""
    surrogate = {
        "name": "superspike",
        "beta": 10.0,
    }  # or piecewise_linear, sigmoid_derivative; also gamma, detach_reset
    agent = partial(RSNN, connections="real", surrogate=surrogate)  # "sign": one bit, by a straight-through gradient
    problem = RolloutProblem(partial(make_vec, "Hopper-v5"), agent, decrease_rewards_by=1.0, seed=0)
    searcher = PPO(problem, center_learning_rate=4.5e-3)
    searcher.run(iterations)
    return {name: value for name, value in searcher.status.items() if isinstance(value, int | float)}


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name}: {value:g}")
