"""A network plays the task with signals: natively, and in a plain loop, with the same returns."""

from functools import partial

import numpy as np
import torch

from agents import RSNN
from ec_evotorch import RolloutProblem
from ec_evotorch.rollout.problem import EVALUATION
from envs import make_plain, make_vec
from experiments.evaluation.episodes import play_episode
from experiments.run_config.compose import compose_config


def test_the_returns_of_a_problem_are_those_of_a_plain_loop_to_the_last_bit():
    keywords = {"id": "HopperGoNoGo-v5", "shortest": 5, "longest": 20}
    with RolloutProblem(partial(make_vec, **keywords), partial(RSNN, num_neurons=16), num_envs=3, seed=1) as problem:
        solution = torch.rand(problem.solution_length, generator=torch.Generator().manual_seed(0)) < 0.5
        returns = problem.evaluate_center(solution, 4, seed=0)
        seeds = problem.episode_seeds(0, np.zeros(4, dtype=int), np.arange(4), EVALUATION)
        policy, env = problem.to_policy(solution), make_plain(**keywords)
        assert returns.tolist() == [play_episode(env, policy, seed)[0] for seed in seeds]


def test_the_yaml_takes_the_alive_bonus_and_the_reward_of_stillness():
    env = compose_config(["env=hopper_go_nogo", "env.healthy_reward=2", "env.still_reward=0.5"]).env
    assert (env.id, env.alive_bonus, env.still_reward) == ("HopperGoNoGo-v5", 2, 0.5)
