"""Many solutions of a saved policy, played side by side at the speed of training."""

from functools import partial

from ec_evotorch import RolloutProblem
from envs import make_vec
from experiments.run_config.wrappers import keywords_of_plain
from experiments.run_folder.policy import SavedPolicy


def policy_problem(saved: SavedPolicy, num_envs: int, *, agent=None, seed: int = 0) -> RolloutProblem:
    """Makes a problem in which solutions act as a saved policy does, with its normaliser, in its environment.

    Args:
        saved: The policy.
        num_envs: Slots that play at the same time.
        agent: What acts; None for the policy's agent.
        seed: Of the problem.
    """
    policy = saved.policy
    acting = policy.agent if agent is None else agent
    problem = RolloutProblem(
        partial(make_vec, **keywords_of_plain(saved.env)),
        lambda obs_length, act_length: acting,
        num_envs=num_envs,
        observation_normalization=policy.observation_mean is not None,
        seed=seed,
    )
    if problem.normalizer is not None:
        problem.normalizer.mean, problem.normalizer.stdev = policy.observation_mean, policy.observation_stdev
    return problem
