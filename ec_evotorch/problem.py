"""Episodes of a vector environment as an EvoTorch problem."""

from dataclasses import fields
from functools import partial

import numpy as np
import torch
from evotorch import Problem, Solution, SolutionBatch

from ec_evotorch.episode_statistics import EpisodeStatistics
from ec_evotorch.normalizer import ObservationNormalizer, sound
from ec_evotorch.philox import philox4x32, split_key
from ec_evotorch.policy import Policy
from ec_evotorch.population import Population
from ec_evotorch.rollout import Episodes, Slots
from ec_evotorch.utilities import replace_failed

TRAINING, EVALUATION, COLLECTION = 0, 1, 2  # purposes of episode seeds
_SEED_BITS = 63


class RolloutProblem(Problem):
    """Find the solution with the highest return.

    Every individual plays ``num_episodes`` episodes; its fitness is the mean of their returns, less
    ``decrease_rewards_by`` for each step. Individuals queue for ``num_envs`` environment slots.

    Failed individuals, those with a NaN or infinite return, rank worst with every searcher. The searchers of this
    package see their evaluations as they are, in a :class:`Population`. In any other batch, whose searcher might rank
    NaN best, they become just worse than the worst finite evaluation of the batch, see ``replace_failed``, or 0 for
    all if none is finite. A failed individual is never ``best`` or ``worst``.

    Randomness: the seed of an episode is a function of (seed, generation, individual, episode) alone, so results do
    not depend on ``num_envs`` or on the number of threads. Initial solutions (:meth:`generate_values`, EvoTorch's
    default ``center_init``) come from the agent's ``initial_solutions(count, generator)``, or where it has none are
    uniform in [−1, 1] or fair bits; the generator is the problem's.

    Status, after each evaluation of a population:
        total_interaction_count: environment steps so far, evaluations of the centre not counted.
        total_episode_count: episodes so far, likewise.
        failed_episode_count: those among them whose return was NaN or infinite.
        mean_return, median_return, max_return: of the population, in the environment's own reward.
        mean_episode_length: steps.

    Args:
        env: Called as ``env(num_envs=…, num_threads=…)``; returns a ``gymnasium.vector.VectorEnv`` with autoreset
            disabled and partial reset, such as ``partial(envs.make_vec, "Hopper-v5")``. The action space is bounded.
        agent: Called as ``agent(obs_length, act_length)``; returns an agent, such as ``partial(agents.RSNN)``.
        num_envs: Environment slots B.
        num_threads: Threads of the physics, 0 for all cores.
        num_episodes: Episodes of each individual.
        observation_normalization: Feed the agent (observation − mean) / stdev over all states visited in earlier
            generations; frozen within a generation.
        decrease_rewards_by: Subtracted from the reward of each training step, for example the alive bonus. Status
            returns and :meth:`evaluate_center` are in the environment's own reward.
        seed: Of everything random in problem and searcher.
        num_actors: 0; Ray actors are not supported yet.

    Raises:
        ValueError: an argument out of range, or spaces that are not one-dimensional boxes.
    """

    def __init__(
        self,
        env,
        agent,
        *,
        num_envs: int = 128,
        num_threads: int = 0,
        num_episodes: int = 1,
        observation_normalization: bool = True,
        decrease_rewards_by: float | None = None,
        seed: int = 0,
        num_actors: int = 0,
    ):
        for name, value in (("num_envs", num_envs), ("num_episodes", num_episodes)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: expected a whole number of at least 1, got {value!r}")
        if not isinstance(seed, int) or not 0 <= seed < 1 << 32:
            raise ValueError(f"seed: expected a whole number in [0, 2^32), got {seed!r}")
        if num_actors:
            raise ValueError(f"num_actors: expected 0, got {num_actors!r}; Ray actors are not supported yet")
        self._make_env = partial(env, num_threads=num_threads)
        self.env = self.make_env(num_envs)
        spaces = {"observation": self.env.single_observation_space, "action": self.env.single_action_space}
        for name, space in spaces.items():
            if space.shape is None or len(space.shape) != 1 or not hasattr(space, "low"):
                raise ValueError(f"env: expected a one-dimensional {name} space (Box), got {space}")
        self.agent = agent(spaces["observation"].shape[0], spaces["action"].shape[0])
        self.normalizer = ObservationNormalizer(spaces["observation"].shape[0]) if observation_normalization else None
        self._slots = Slots(self.env, self.agent)
        self._num_episodes = num_episodes
        self.decrease_rewards_by = 0.0 if decrease_rewards_by is None else float(decrease_rewards_by)
        self.episode_statistics = EpisodeStatistics()
        self._episode_key = split_key(seed)
        self._generation = 0
        self._played: list[Episodes] = []  # in this generation
        self._evaluations = 0
        bounds = (False, True) if self.agent.dtype == torch.bool else (-1.0, 1.0)
        super().__init__(
            "max",
            initial_bounds=bounds,
            solution_length=self.agent.solution_length,
            dtype=self.agent.dtype,
            eval_dtype=torch.float64,
            seed=seed,
        )
        self.after_eval_hook.extend([self._replace_failed, self._report])

    def _fill(self, values: torch.Tensor) -> None:
        if hasattr(self.agent, "initial_solutions"):
            values[:] = self.agent.initial_solutions(len(values), self.generator)
        else:
            super()._fill(values)

    def _evaluate_batch(self, batch: SolutionBatch) -> None:
        solutions = batch.access_values(keep_evals=True)
        first_row = getattr(batch, "first_row", 0)  # a Population may be a part of its generation
        members = np.repeat(np.arange(len(batch)), self._num_episodes)
        episodes = np.tile(np.arange(self._num_episodes), len(batch))
        seeds = self.episode_seeds(self._generation, first_row + members, episodes, TRAINING)
        played = self._slots.play(solutions, members, seeds, self.normalizer)
        training = played.returns - self.decrease_rewards_by * played.lengths
        batch.set_evals(torch.as_tensor(training.reshape(len(batch), -1).mean(axis=1)))
        if first_row == 0:
            self._played = []  # of a generation that was interrupted
        self._played.append(played)
        if getattr(batch, "ends_generation", True):
            self._end_generation()

    def _end_generation(self) -> None:
        self._generation += 1
        returns, lengths, sums, sums_of_squares = (
            np.concatenate([getattr(played, field.name) for played in self._played]) for field in fields(Episodes)
        )
        self._played = []
        each = (-1, self._num_episodes)
        self.episode_statistics.add(returns.reshape(each), lengths.reshape(each))
        if self.normalizer is not None:
            counted = sound(sums_of_squares)
            self.normalizer.update(lengths[counted].sum(), sums[counted], sums_of_squares[counted])

    def _get_best_and_worst(self, batch: SolutionBatch) -> dict | None:
        # EvoTorch finds the best and the worst by comparison, which NaN upsets.
        finite = torch.isfinite(batch.access_evals(0))
        if finite.any():
            return super()._get_best_and_worst(batch if finite.all() else batch.take(finite.nonzero()[:, 0]))
        # Those found before stay the best and the worst; without this EvoTorch's status would have None for them.
        return None if self._best is None else super()._get_best_and_worst(self._best[0].to_batch())

    def _replace_failed(self, batch: SolutionBatch) -> None:
        if not isinstance(batch, Population):
            evals = batch.access_evals(0)
            evals.copy_(replace_failed(evals, objective_sense="max"))

    def _report(self, batch: SolutionBatch) -> dict:
        return self.episode_statistics.status

    def evaluate_center(self, solution: torch.Tensor, num_episodes: int = 100, seed: int | None = None) -> np.ndarray:
        """Returns of fresh episodes of one solution, in the environment's own reward.

        Counters and normaliser stay as they are.

        Args:
            solution: (L,) in the agent's dtype.
            num_episodes: How many.
            seed: Which episodes; None takes new ones at each call.

        Returns:
            (num_episodes,) float64.
        """
        if seed is None:
            seed = self._evaluations
            self._evaluations += 1
        episodes = np.arange(num_episodes)
        seeds = self.episode_seeds(seed, np.zeros_like(episodes), episodes, EVALUATION)
        solutions = torch.as_tensor(solution, dtype=self.agent.dtype).reshape(1, -1).contiguous()
        return self._slots.play(solutions, np.zeros_like(episodes), seeds, self.normalizer).returns

    def to_policy(self, solution) -> Policy:
        """A callable for a plain Gymnasium loop, with the normaliser as it is now.

        Args:
            solution: (L,) tensor, or an EvoTorch ``Solution``.
        """
        values = solution.values if isinstance(solution, Solution) else solution
        space = self.env.single_action_space
        statistics = () if self.normalizer is None else (self.normalizer.mean, self.normalizer.stdev)
        return Policy(self.agent, torch.as_tensor(values).clone(), space.low, space.high, *statistics)

    def state_dict(self) -> dict:
        """What evaluations change, for :meth:`load_state_dict` of a problem made with the same arguments."""
        return {
            "generation": self._generation,
            "evaluations": self._evaluations,
            "normalizer": None if self.normalizer is None else self.normalizer.state_dict(),
            "episode_statistics": self.episode_statistics.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        self._generation, self._evaluations = state["generation"], state["evaluations"]
        if self.normalizer is not None:
            self.normalizer.load_state_dict(state["normalizer"])
        self.episode_statistics.load_state_dict(state["episode_statistics"])

    def make_env(self, num_envs: int):
        """Another vector environment like this problem's own, with ``num_envs`` sub-environments."""
        return self._make_env(num_envs=num_envs)

    def episode_seeds(self, generation: int, members: np.ndarray, episodes: np.ndarray, purpose: int) -> list[int]:
        """Seeds of episodes, functions of (seed, generation, member, episode, purpose).

        Args:
            generation: or another number that tells sets of episodes apart.
            members: (n,) rows of the population, or slots.
            episodes: (n,) number of the episode of that member.
            purpose: ``TRAINING``, ``EVALUATION`` or ``COLLECTION``.

        Returns:
            n integers in [0, 2^63).
        """
        counter = [np.broadcast_to(np.asarray(c), members.shape) for c in (generation, members, episodes, purpose)]
        words = philox4x32(tuple(torch.as_tensor(np.array(c, dtype=np.int64)) for c in counter), self._episode_key)
        return [(int(high) << 32 | int(low)) & ((1 << _SEED_BITS) - 1) for low, high in zip(*words[:2], strict=True)]
