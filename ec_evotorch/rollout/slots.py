"""Playing many episodes of many solutions in a fixed number of environment slots."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ec_evotorch.rollout.finite_observations import FINITE, find_nonfinite, find_nonfinite_rows
from ec_evotorch.rollout.native_policy import NativePolicy
from ec_evotorch.rollout.normalizer import ObservationNormalizer, action_scale, add_visited, normalize_row, rescale_row
from ec_evotorch.rollout.vector_calls import reset_env, step_env

_STRETCH = 256  # environment steps between two looks at the queue; results do not depend on it
_IDLE = -1  # member of a slot that rests


@dataclass
class Episodes:
    """Results in the order of the queue, whatever slots and threads played them.

    Attributes:
        returns: (episodes,) float64 sums of the environment's own rewards; NaN where the agent's output or an
            observation was not finite.
        lengths: (episodes,) int64 environment steps.
        sums: (episodes, obs_length) float64 sums of visited observations; 0 without a normaliser.
        sums_of_squares: (episodes, obs_length) float64 sums of their squares; 0 without a normaliser; NaN where an
            observation was not finite.
        diverged: (episodes,) bool, whether the physics became unstable, where the environment's `diverged` tells.
        nonfinite: (episodes,) int64 index of the first sensor that was not finite (see `finite_observations`); `FINITE`
            where all observations were.
    """

    returns: np.ndarray
    lengths: np.ndarray
    sums: np.ndarray
    sums_of_squares: np.ndarray
    diverged: np.ndarray
    nonfinite: np.ndarray


class Slots:
    """The slots of a vector environment, each with an agent's state; a finished slot takes the next episode at once.

    Where an agent's output is NaN or infinite, the middle of the action space acts, and the return is NaN. So it
    is where an observation is not finite, see `finite_observations`.

    Args:
        env: A vector environment with partial reset and without autoreset.
        agent: An agent with observations and actions of these lengths.
    """

    def __init__(self, env, agent):
        self.env = env
        self.agent = agent
        num_envs = env.num_envs
        self._middle, self._half_range = action_scale(env.single_action_space.low, env.single_action_space.high)
        self._state = agent.initial_state(num_envs, generator=torch.Generator().manual_seed(0))
        self._members = np.full(num_envs, _IDLE, dtype=np.int64)
        obs_length, act_length = env.single_observation_space.shape[0], env.single_action_space.shape[0]
        self._inputs = np.zeros((num_envs, obs_length), dtype=np.float32)
        self._outputs = np.zeros((num_envs, act_length), dtype=np.float32)
        self._failed = np.zeros(num_envs, dtype=bool)
        self._nonfinite = np.full(num_envs, FINITE)
        self._sums = np.zeros((num_envs, obs_length))
        self._sums_of_squares = np.zeros((num_envs, obs_length))

    def play(
        self,
        solutions: torch.Tensor,
        members: Sequence[int],
        seeds: Sequence[int],
        normalizer: ObservationNormalizer | None,
    ) -> Episodes:
        """Plays episodes: number e with solution `members[e]`, and `seeds[e]` for environment and agent alike.

        Args:
            solutions: (N, L) solutions in the agent's dtype.
            members: (episodes,) rows of `solutions`.
            seeds: (episodes,) seeds of the episodes.
            normalizer: Statistics by which observations are normalised, which stay as they are; None passes
                observations on as they are.
        """
        num_episodes = len(members)
        obs_length = self._inputs.shape[1]
        result = Episodes(
            np.zeros(num_episodes),
            np.zeros(num_episodes, dtype=np.int64),
            np.zeros((num_episodes, obs_length)),
            np.zeros((num_episodes, obs_length)),
            np.zeros(num_episodes, dtype=bool),
            np.full(num_episodes, FINITE),
        )
        self._members[:] = _IDLE
        if hasattr(self.env, "rest"):  # what an interrupted call has left would run on, of no solution
            self.env.rest()
        self._returns = np.zeros(self.env.num_envs)
        self._lengths = np.zeros(self.env.num_envs, dtype=np.int64)
        advance = self._native(solutions, normalizer) or self._step_by_step(solutions, normalizer)
        episode_of = np.full(self.env.num_envs, _IDLE)
        waiting = 0
        free = np.arange(self.env.num_envs)
        while True:
            taking = free[: num_episodes - waiting]
            if taking.size:
                episode_of[taking] = np.arange(waiting, waiting + taking.size)
                self._begin(taking, [members[e] for e in episode_of[taking]], [seeds[e] for e in episode_of[taking]])
                waiting += taking.size
            if (episode_of == _IDLE).all():
                return result
            finished, returns, lengths, observations = advance(waiting < num_episodes)
            free = np.flatnonzero(finished & (episode_of != _IDLE))
            done = episode_of[free]
            last = find_nonfinite_rows(np.asarray(observations, dtype=np.float64)[free])
            nonfinite = np.where(self._nonfinite[free] == FINITE, last, self._nonfinite[free])
            result.nonfinite[done] = nonfinite
            result.returns[done] = np.where(self._failed[free] | (nonfinite != FINITE), np.nan, returns[free])
            result.lengths[done] = lengths[free]
            result.diverged[done] = diverged_slots(self.env)[free]
            result.sums[done] = self._sums[free]
            result.sums_of_squares[done] = np.where(nonfinite[:, None] == FINITE, self._sums_of_squares[free], np.nan)
            episode_of[free] = _IDLE
            self._members[free] = _IDLE

    def _begin(self, slots: np.ndarray, members: list[int], seeds: list[int]) -> None:
        self._observations = begin_episodes(self.env, self.agent, self._state, slots, seeds)
        self._members[slots] = members
        self._sums[slots] = 0
        self._sums_of_squares[slots] = 0
        self._failed[slots] = False
        self._nonfinite[slots] = FINITE
        self._returns[slots] = 0
        self._lengths[slots] = 0

    def _native(self, solutions, normalizer):
        """Returns a function that plays in C, or None where environment or agent do not offer that.

        It plays a stretch of steps while other episodes wait for a slot, or else all episodes to their ends.
        """
        if not (hasattr(self.env, "rollout") and hasattr(self.agent, "native")):
            return None
        native = self.agent.native(solutions, self._members, self._state)
        if native is None:
            return None
        policy = NativePolicy(
            native,
            inputs=self._inputs,
            outputs=self._outputs,
            middle=self._middle,
            half_range=self._half_range,
            sums=self._sums,
            sums_of_squares=self._sums_of_squares,
            failed=self._failed,
            nonfinite=self._nonfinite,
            statistics=None if normalizer is None else (normalizer.mean, normalizer.stdev),
        )

        def advance(others_wait):
            self.env.rollout(policy.function, policy.context, *([_STRETCH] if others_wait else []))
            return self.env.finished, self.env.episode_return, self.env.episode_length, self.env.observations

        return advance

    def _step_by_step(self, solutions, normalizer):
        """Returns a function that plays one step of all slots: the agent's batched step, then the environment's."""

        def advance(others_wait):
            running = self._members != _IDLE
            observations = np.asarray(self._observations, dtype=np.float64)
            for slot in np.flatnonzero(running):
                if self._nonfinite[slot] == FINITE:
                    self._nonfinite[slot] = find_nonfinite(observations[slot])
                if normalizer is None:
                    with np.errstate(over="ignore"):  # the episode has failed then
                        self._inputs[slot] = observations[slot]
                else:
                    add_visited(observations[slot], self._sums[slot], self._sums_of_squares[slot])
                    normalize_row(observations[slot], normalizer.mean, normalizer.stdev, self._inputs[slot])
            output = self.agent.step(solutions, self._members, self._inputs, self._state)
            if not isinstance(output, torch.Tensor) or output.shape != self._outputs.shape:
                got = tuple(output.shape) if isinstance(output, torch.Tensor) else f"a {type(output).__name__}"
                expected = f"a tensor of shape {self._outputs.shape}"
                raise ValueError(f"agent: expected step to return {expected}, got {got}")
            output = output.cpu().numpy()
            actions = np.zeros_like(self._outputs)
            for slot in np.flatnonzero(running):
                self._failed[slot] |= not rescale_row(output[slot], self._middle, self._half_range, actions[slot])
            self._observations, rewards, terminated, truncated = step_env(self.env, actions)
            self._returns[running] += rewards[running]
            self._lengths[running] += 1
            return terminated | truncated, self._returns, self._lengths, self._observations

        return advance


def diverged_slots(env) -> np.ndarray:
    """Returns (B,) bool, where the environment says by a property `diverged` that its physics became unstable."""
    return getattr(env, "diverged", np.zeros(env.num_envs, dtype=bool))


def begin_episodes(env, agent, state, slots: np.ndarray, seeds: list[int]) -> np.ndarray:
    """Begins an episode in some slots, of environment and agent alike.

    Args:
        env: A vector environment with partial reset.
        agent: The agent.
        state: State of the agent in all slots, which is changed in these slots.
        slots: (n,) indices of the slots.
        seeds: (n,) seeds of the episodes.

    Returns:
        (B, obs_length) observations of all slots.
    """
    mask = np.zeros(env.num_envs, dtype=bool)
    mask[slots] = True
    env_seeds: list[int | None] = [None] * env.num_envs
    for slot, seed in zip(slots, seeds, strict=True):
        env_seeds[slot] = int(seed)
    observations = reset_env(env, seed=env_seeds, options={"reset_mask": mask})
    agent.reset(state, slots, seeds)
    return observations
