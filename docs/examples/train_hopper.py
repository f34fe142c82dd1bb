"""Trains a one-bit spiking network on Hopper from Python, logs it with pandas, and lets it play in plain Gymnasium."""

from functools import partial

import gymnasium
import pandas as pd
from evotorch.logging import PandasLogger

from agents import RSNN
from ec_evotorch import EvolvingConnectivity, RolloutProblem
from envs import make_vec


def main(generations: int = 300, episodes: int = 100) -> tuple[pd.DataFrame, float, float]:
    """Trains; returns the log, the mean return of the centre, and the return of one plain Gymnasium episode."""
    problem = RolloutProblem(
        partial(make_vec, "Hopper-v5"), partial(RSNN, num_neurons=256), decrease_rewards_by=1.0, seed=0
    )
    searcher = EvolvingConnectivity(problem, popsize=16, center_learning_rate=0.05)
    logger = PandasLogger(searcher)
    searcher.run(generations)
    center = searcher.status["center"]  # θ* = [ρ > 0.5], (71936,) bool
    mean_return = float(problem.evaluate_center(center, num_episodes=episodes).mean())
    return logger.to_dataframe(), mean_return, play(problem.to_policy(center), seed=1)


def play(policy, seed: int) -> float:
    """Plays an episode of plain Gymnasium with a policy, and returns its return."""
    env = gymnasium.make("Hopper-v5")
    policy.reset(seed=seed)
    observation, _ = env.reset(seed=seed)
    total, is_over = 0.0, False
    while not is_over:
        observation, reward, terminated, truncated, _ = env.step(policy(observation))
        total += float(reward)
        is_over = terminated or truncated
    env.close()
    return total


if __name__ == "__main__":
    log, mean_return, one_return = main()
    print(log[["total_interaction_count", "mean_return", "density"]].tail())
    print(f"centre: {mean_return:.0f} over 100 episodes, {one_return:.0f} in one plain episode")
