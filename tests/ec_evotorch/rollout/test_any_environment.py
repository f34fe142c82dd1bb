"""Any Gymnasium environment: it is played, and its returns are those of a plain loop with the policy, to the bit."""

from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from agents import GRU, RSNN
from ec_evotorch import PPO, ActorCriticEC, EvolvingConnectivity, Resumable, RolloutProblem
from ec_evotorch.rollout.episode_seeds import EVALUATION
from envs import make_vec


class Walk(gymnasium.Env):
    """A random walk that pays what its action says and ends with the twelfth step; subclasses change what is seen."""

    observation_space = Box(-np.inf, np.inf, (3,), np.float64)
    action_space = Box(-1.0, 1.0, (2,), np.float32)

    def observe(self):
        return self.np_random.normal(size=3)

    def reward(self, action):
        weights = np.linspace(0.1, 1.0, np.size(action))
        return float(np.ravel(action).astype(np.float64) @ weights)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.observe(), {}

    def step(self, action):
        assert action in self.action_space
        self.steps += 1
        return self.observe(), self.reward(action), self.steps == 12, False, {}


class Parts(Walk):
    """Observations of a Dict within a Tuple, and a choice of each of two."""

    observation_space = Tuple(
        [
            Dict({"place": Discrete(4), "body": Dict({"speed": Box(-9.0, 9.0, (2, 2)), "on": MultiBinary(3)})}),
            Discrete(2),
        ]
    )
    action_space = MultiDiscrete([3, 2], start=[1, -5])

    def observe(self):
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        return self.observation_space.sample()


class Image(Walk):
    """Pixels, and actions of yes and no."""

    observation_space = Box(0, 255, (6, 5, 3), np.uint8)
    action_space = MultiBinary((2, 2))

    def observe(self):
        return self.np_random.integers(0, 256, size=(6, 5, 3), dtype=np.uint8)


class Careless(Walk):
    """Says that its observations are float32, but returns float64; actions are a matrix without bounds."""

    observation_space = Box(-np.inf, np.inf, (3,), np.float32)
    action_space = Box(-np.inf, np.inf, (2, 2), np.float64)


class WholeNumbers(Walk):
    """Takes whole numbers, from another first choice than 0."""

    observation_space = MultiDiscrete([[2, 3], [4, 5]])
    action_space = Box(np.array([-3, 0]), np.array([3, 200]), dtype=np.int64)

    def observe(self):
        return self.np_random.integers(0, [[2, 3], [4, 5]])


class NanReward(Walk):
    """Pays NaN in its fifth step."""

    def reward(self, action):
        return float("nan") if self.steps == 5 else super().reward(action)


class EndsAtOnce(Walk):
    """Ends with its first step."""

    def step(self, action):
        return *super().step(action)[:2], True, False, {}


class NeverEnds(Walk):
    """Ends by the limit of the problem alone."""

    def step(self, action):
        return *super().step(action)[:2], False, False, {}


OWN = (Walk, Parts, Image, Careless, WholeNumbers, NanReward, EndsAtOnce, NeverEnds)
REGISTERED = (
    "CartPole-v1",
    "Pendulum-v1",
    "Acrobot-v1",
    "MountainCarContinuous-v0",
    "LunarLander-v3",
    "FrozenLake-v1",
    "Blackjack-v1",
    "Taxi-v4",
)
LIMIT = 30
LENGTHS = {kind.__name__: 12 for kind in OWN} | {"EndsAtOnce": 1, "NeverEnds": LIMIT}
NAMES = (*(kind.__name__ for kind in OWN), *REGISTERED)


@pytest.fixture(autouse=True, scope="module")
def registered():
    """Registers the environments of this file for its tests."""
    before = dict(gymnasium.registry)
    for kind in OWN:
        gymnasium.register(f"{kind.__name__}-v0", entry_point=kind)
    yield
    gymnasium.registry.clear()
    gymnasium.registry.update(before)


def id_of(name):
    return name if "-v" in name else f"{name}-v0"


SPIKING = partial(RSNN, num_neurons=12)


def make_problem(name, agent=SPIKING, **kwargs):
    return RolloutProblem(partial(make_vec, id_of(name), **kwargs), agent, num_envs=3, seed=5, max_episode_steps=LIMIT)


def plain_returns(problem, policy, name, num_episodes):
    env = gymnasium.make(id_of(name), max_episode_steps=LIMIT)
    returns = []
    for seed in problem.episode_seeds(7, np.zeros(num_episodes, dtype=int), np.arange(num_episodes), EVALUATION):
        policy.reset(seed=seed)
        observation, _ = env.reset(seed=seed)
        total, over = 0.0, False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(policy(observation))
            total += float(reward)
            over = terminated or truncated
        returns.append(total)
    return returns


@pytest.mark.parametrize("name", NAMES)
def test_returns_are_those_of_a_plain_loop_with_the_policy(name):
    problem = make_problem(name)
    searcher = EvolvingConnectivity(problem, popsize=4, center_learning_rate=0.3)
    searcher.step()
    center = searcher.status["center"]
    returns = problem.evaluate_center(center, 4, seed=7)
    np.testing.assert_array_equal(returns, plain_returns(problem, problem.to_policy(center), name, 4))
    assert np.isnan(returns).all() == (name == "NanReward")
    assert searcher.status["failed_episode_count"] == (4 if name == "NanReward" else 0)
    if name in LENGTHS:
        assert searcher.status["mean_episode_length"] == LENGTHS[name]
    problem.close()


ACTOR_CRITICS = {
    "ppo": (
        partial(GRU, num_neurons=4),
        partial(PPO, batch_size=60, bptt_length=4, num_minibatches=2, num_epochs=1),
        "policy_loss",
    ),
    "ec with a critic": (SPIKING, partial(ActorCriticEC, batch_size=60, hold_steps=4, num_epochs=1), "value_loss"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ACTOR_CRITICS)
def test_actor_critics_learn_in_each_and_go_on_from_their_state(method, name):
    agent, searcher, loss = ACTOR_CRITICS[method]
    first, second = (searcher(make_problem(name, agent), num_envs=3, critic_sizes=(4,)) for _ in range(2))
    first.step()
    Resumable(second).load_state_dict(Resumable(first).state_dict())
    for searcher in (first, second):
        searcher.step()
    assert np.isfinite(first.status[loss])
    assert first.status["center"].tolist() == second.status["center"].tolist()
    assert first.problem.episode_statistics.status["total_episode_count"] > 0


def gymnasiums(num_envs, num_threads):
    """Gymnasium's own vector environment, which cannot let slots rest."""
    return SyncVectorEnv([partial(gymnasium.make, "CartPole-v1")] * num_envs, autoreset_mode=AutoresetMode.DISABLED)


def test_slots_and_processes_change_no_return():
    seen = []
    for num_envs, make in (
        (1, partial(make_vec, "CartPole-v1")),
        (4, partial(make_vec, "CartPole-v1")),
        (3, partial(make_vec, "CartPole-v1", vectorization_mode="async")),
        (3, gymnasiums),
    ):
        problem = RolloutProblem(make, partial(RSNN, num_neurons=12), num_envs=num_envs, num_threads=2, seed=5)
        searcher = EvolvingConnectivity(problem, popsize=5)
        searcher.run(2)
        seen.append((searcher.status["mean_return"], searcher.status["prob"].tolist()))
        problem.close()
    assert seen == [seen[0]] * 4


def test_a_stronger_choice_is_what_ppo_learns():
    class Bandit(Walk):
        """Pays for the second of three choices."""

        action_space = Discrete(3)

        def reward(self, action):
            return float(action == 1)

    gymnasium.register("Bandit-v0", entry_point=Bandit)
    problem = RolloutProblem(partial(make_vec, "Bandit-v0"), partial(GRU, num_neurons=4), num_envs=4, seed=1)
    searcher = PPO(problem, batch_size=240, num_envs=4, center_learning_rate=0.02, critic_sizes=(8,))
    searcher.step()
    before = searcher.status["mean_return"]
    searcher.run(3)
    assert before < 6 < 7 < searcher.status["mean_return"]
    assert problem.evaluate_center(searcher.status["center"], 20, seed=0).mean() > 11
