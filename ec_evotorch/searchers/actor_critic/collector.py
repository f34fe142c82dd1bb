"""Collecting steps for a searcher that learns from each of them; episodes continue from one call to the next."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from ec_evotorch.rollout.episode_seeds import COLLECTION
from ec_evotorch.rollout.finite_observations import FINITE, find_nonfinite_rows, first_sensor
from ec_evotorch.rollout.normalizer import action_scale, normalize_rows
from ec_evotorch.rollout.problem import RolloutProblem
from ec_evotorch.rollout.slots import begin_episodes, diverged_slots
from ec_evotorch.rollout.vector_calls import step_env


class Actor(Protocol):
    """What acts while steps are collected, and keeps of them what its searcher learns from."""

    def act(self, t: int, observations: np.ndarray, begun: np.ndarray, state: Any) -> np.ndarray:
        """Acts in all sub-environments.

        Args:
            t: Number of the step, from 0 in each call of `Collector.collect`.
            observations: (B, obs_length) float32, normalised.
            begun: Sub-environments whose episode begins with this step; at step 0 all of them, whether or not it does.
            state: The agent's state, changed in place.

        Returns:
            (B, act_length) float32 in [−1, 1]; NaN or infinite where the episode has failed.
        """


@dataclass
class Experience:
    """T steps of B environments.

    Attributes:
        observations: (T, B, obs_length) float32, normalised as the agent saw them.
        next_observations: (T, B, obs_length) float32, likewise; the final one where the episode ended.
        rewards: (T, B) float64, rewards of training.
        terminated: (T, B) bool, steps with which an episode terminated.
        ended: (T, B) bool, steps with which an episode terminated or was truncated.
        returns: (episodes,) float64 of the episodes that ended, in the environment's own reward; NaN for failed ones.
        lengths: (episodes,) int64, environment steps of these episodes.
        visited: Number of observations, and their sums and sums of squares (B, obs_length).
        nonfinite: Lowest index of a sensor that was not finite (see `finite_observations`), or `FINITE`.
    """

    observations: torch.Tensor
    next_observations: torch.Tensor
    rewards: torch.Tensor
    terminated: torch.Tensor
    ended: torch.Tensor
    returns: np.ndarray
    lengths: np.ndarray
    visited: tuple[int, np.ndarray, np.ndarray]
    nonfinite: int

    def count_in(self, problem: RolloutProblem) -> None:
        """Counts the steps and episodes in the problem, and what was visited in its normaliser."""
        count, sums, sums_of_squares = self.visited
        returns, lengths = self.returns[:, None], self.lengths[:, None]
        problem.episode_statistics.add(returns, lengths, interactions=self.rewards.numel())
        problem.notice_nonfinite(self.nonfinite)
        if problem.normalizer is not None:
            problem.normalizer.update(count, sums, sums_of_squares)

    def training_returns(self, problem: RolloutProblem) -> dict[str, float]:
        """Returns mean and median of the finite returns in the reward of training, as entries of a status."""
        evals = self.returns - problem.decrease_rewards_by * self.lengths
        evals = evals[np.isfinite(evals)]
        mean, median = (float(f(evals)) if evals.size else float("nan") for f in (np.mean, np.median))
        return {"mean_eval": mean, "median_eval": median}


class Collector:
    """A vector environment that collects on-policy steps; episodes continue across calls.

    An episode fails if the environment says that its physics diverge, or if an action, a reward or an observation is
    not finite (see `finite_observations`). It ends at once, and its last step pays 0. No such observation is ever shown
    to the agent or the critic: the one before stands for it, or zeros, which do not count as visited, at the beginning.
    What is not finite in an action becomes the middle of the action space.

    Randomness: the seed of the e-th episode of slot k is a function of (the problem's seed, k, e) alone.
    """

    def __init__(self, problem: RolloutProblem, num_envs: int):
        """Makes the environment and begins its first episodes.

        Args:
            problem: Problem whose environment, agent, normaliser and training reward are used.
            num_envs: B, sub-environments.
        """
        self._problem, self._num_envs = problem, num_envs
        self._copied: dict | None = None  # where a copy of another collector has to go on, before it does anything
        self._make()
        self._begin(np.arange(num_envs))

    def _make(self) -> None:
        problem, num_envs = self._problem, self._num_envs
        self._env, self._agent = problem.make_env(num_envs), problem.agent
        self._state = self._agent.initial_state(num_envs, generator=torch.Generator().manual_seed(0))
        space = self._env.single_action_space
        self._middle, self._half_range = action_scale(space.low, space.high)
        self._begun = np.zeros(num_envs, dtype=np.int64)  # episodes of each slot
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, dtype=np.int64)
        self._observations = np.zeros((num_envs, self._agent.obs_length))
        self._nonfinite = np.full(num_envs, FINITE)  # sensors that were not finite when the running episodes began
        self._actions: list[np.ndarray] = []  # (B, act_length) of each step since the oldest running episode began

    def __getstate__(self) -> dict:
        # A copy makes an environment of its own when it is first used: its problem may not be whole before.
        return {
            "_problem": self._problem,
            "_num_envs": self._num_envs,
            "_copied": self.state_dict(),
        }

    def _go_on(self) -> None:
        """Makes the environment of a copy, and plays the running episodes up to where they were."""
        if self._copied is not None:
            self._make()
            copied, self._copied = self._copied, None
            self.load_state_dict(copied)

    def collect(self, num_steps: int, actor: Actor) -> Experience:
        """Takes T steps in every sub-environment.

        Args:
            num_steps: T.
            actor: What acts.
        """
        self._go_on()
        num_envs = self._num_envs
        observations = np.empty((num_steps, num_envs, self._agent.obs_length), dtype=np.float32)
        next_observations = np.empty_like(observations)
        rewards = np.empty((num_steps, num_envs))
        terminated, ended = np.empty((2, num_steps, num_envs), dtype=bool)
        sums, sums_of_squares = np.zeros((2, *self._observations.shape))
        count, nonfinite = 0, first_sensor(self._nonfinite)
        begun = np.arange(num_envs)
        returns, lengths = [], []
        for t in range(num_steps):
            self._normalize(self._observations, observations[t])
            count += np.count_nonzero(self._nonfinite == FINITE)
            sums += self._observations
            sums_of_squares += self._observations**2

            action = actor.act(t, observations[t], begun, self._state)
            acted = np.isfinite(action)
            self._actions.append(self._middle + self._half_range * np.where(acted, action, np.float32(0)))
            after, reward, terminated[t], truncated = step_env(self._env, self._actions[-1])
            found = find_nonfinite_rows(np.asarray(after, dtype=np.float64))
            nonfinite = first_sensor(nonfinite, found)
            is_finite = acted.all(axis=1) & np.isfinite(reward) & (found == FINITE) & (self._nonfinite == FINITE)
            failed = ~is_finite | diverged_slots(self._env)
            self._returns += np.where(failed, np.nan, reward)
            self._lengths += 1
            rewards[t] = np.where(failed, 0.0, reward - self._problem.decrease_rewards_by)
            terminated[t] |= failed
            ended[t] = terminated[t] | truncated
            self._observations[:] = np.where(failed[:, None], self._observations, after)
            self._normalize(self._observations, next_observations[t])

            begun = np.flatnonzero(ended[t])
            if begun.size:
                returns += self._returns[begun].tolist()
                lengths += self._lengths[begun].tolist()
                self._begin(begun)
                nonfinite = first_sensor(nonfinite, self._nonfinite)
        del self._actions[: len(self._actions) - self._lengths.max()]
        return Experience(
            observations=torch.from_numpy(observations),
            next_observations=torch.from_numpy(next_observations),
            rewards=torch.from_numpy(rewards),
            terminated=torch.from_numpy(terminated),
            ended=torch.from_numpy(ended),
            returns=np.array(returns),
            lengths=np.array(lengths, dtype=np.int64),
            visited=(count, sums, sums_of_squares),
            nonfinite=nonfinite,
        )

    def state_dict(self) -> dict:
        """Returns where the running episodes are, for `load_state_dict`: their numbers and all their actions so far."""
        if self._copied is not None:
            return self._copied
        act_length = len(self._middle)
        return {
            "begun": self._begun.copy(),
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
            "observations": self._observations.copy(),
            "actions": np.array(self._actions, dtype=np.float32).reshape(-1, len(self._begun), act_length),
            "memory": {str(i): leaf.clone() for i, leaf in enumerate(tree_leaves(self._agent.memory(self._state)))},
        }

    def load_state_dict(self, state: dict) -> None:
        """Plays the running episodes again up to where they were, which works in every environment.

        Raises:
            RuntimeError: If the environment did not repeat them, as with another version of the physics.
        """
        if self._copied is not None:
            self._copied = None
            self._make()
        for name in ("begun", "returns", "lengths"):
            getattr(self, f"_{name}")[:] = state[name]
        self._actions = list(np.asarray(state["actions"]))
        for t, actions in enumerate(self._actions):
            self._restart(self._lengths == len(self._actions) - t)
            self._observations[:] = step_env(self._env, actions)[0]
        self._restart(self._lengths == 0)
        if not np.array_equal(self._observations, state["observations"]):
            raise RuntimeError("the environment did not repeat the running episodes: was MuJoCo another version?")
        for i, leaf in enumerate(tree_leaves(self._agent.memory(self._state))):
            leaf.copy_(torch.as_tensor(state["memory"][str(i)]))

    def _begin(self, slots: np.ndarray) -> None:
        self._begun[slots] += 1
        self._returns[slots] = 0.0
        self._lengths[slots] = 0
        self._restart(self._lengths == 0)

    def _restart(self, mask: np.ndarray) -> None:
        """Begins the current episodes of the slots in the mask (B,)."""
        slots = np.flatnonzero(mask)
        if not slots.size:
            return
        seeds = self._problem.episode_seeds(0, slots, self._begun[slots] - 1, COLLECTION)
        observations = begin_episodes(self._env, self._agent, self._state, slots, seeds)[slots]
        self._nonfinite[slots] = find_nonfinite_rows(np.asarray(observations, dtype=np.float64))
        self._observations[slots] = np.where(self._nonfinite[slots, None] == FINITE, observations, 0.0)

    def _normalize(self, observations: np.ndarray, out: np.ndarray) -> None:
        normalizer = self._problem.normalizer
        if normalizer is None:
            out[:] = observations
        else:
            normalize_rows(observations, normalizer.mean, normalizer.stdev, out)
