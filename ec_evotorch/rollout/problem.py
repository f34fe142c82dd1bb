"""Episodes of a vector environment as an EvoTorch problem."""

import math
from functools import partial

import numpy as np
import torch
from evotorch import Problem, SolutionBatch

from ec_evotorch.distributions.utilities import replace_failed
from ec_evotorch.generation.learner import Learner
from ec_evotorch.generation.population import Population, part_of_generation
from ec_evotorch.generation.rank_codes import encode_scores
from ec_evotorch.randomness import philox4x32, split_key
from ec_evotorch.rollout.episode_statistics import EpisodeStatistics
from ec_evotorch.rollout.normalizer import ObservationNormalizer
from ec_evotorch.rollout.policy import Policy, as_solution
from ec_evotorch.rollout.slots import Episodes, Slots
from ec_evotorch.rollout.visited_states import VisitedStates
from ec_evotorch.rollout.workers.driver import Plan, Workers
from native.arguments import check_whole

TRAINING, EVALUATION, COLLECTION = 0, 1, 2  # purposes of episode seeds
_SEED_BITS = 63


class RolloutProblem(Problem):
    """Find the solution with the highest return.

    Every individual plays ``num_episodes`` episodes; its fitness is the mean of their returns, less
    ``decrease_rewards_by`` for each step. Individuals queue for ``num_envs`` environment slots.

    Failed individuals, those with a NaN or infinite return or with unstable physics, rank worst with every searcher.
    The searchers of this package see their evaluations as they are, in a :class:`Population`; unstable physics count as
    NaN. In any other batch, whose searcher might rank NaN best, they become just worse than the worst finite evaluation
    of the batch, see ``replace_failed``, or 0 for all if none is finite. A failed individual is never ``best`` or
    ``worst``.

    Randomness: the seed of an episode is a function of (seed, generation, individual, episode) alone, so results do
    not depend on ``num_envs`` or on the number of threads. Initial solutions (:meth:`generate_values`, EvoTorch's
    default ``center_init``) come from the agent's ``initial_solutions(count, generator)``, or where it has none are
    uniform in [−1, 1] or fair bits; the generator is the problem's.

    With ``num_actors`` a population is played by workers, Ray actors of one thread each, to the same results to the
    last bit. The driver, this process, sends what the population follows from and ranges of rows, or for searchers that
    are not of this package the solutions; back come returns, lengths and the sums of the normaliser. With
    ``scalar_only`` each worker has a copy of the searcher and is told the ranks of all rows instead: in each generation
    no more than 16 bytes for each episode and a constant for each worker go over the network (20 with the ranking
    methods "raw" and "normalized", which need the evaluations themselves). Workers that die or hang are replaced, see
    :class:`ec_evotorch.rollout.workers.driver.Workers`. :meth:`evaluate_center` plays in this process.

    Status, after each evaluation of a population:
        total_interaction_count: environment steps so far, evaluations of the centre not counted.
        total_episode_count: episodes so far, likewise.
        failed_episode_count: those among them whose return was NaN or infinite, or whose physics became unstable.
        mean_return, median_return, max_return: of the population, in the environment's own reward.
        mean_episode_length: steps.
    With workers also:
        bytes_sent, bytes_received: of this generation, by this process. What all workers read is sent, and counted,
            once; Ray brings it to each machine. Of `scalar_only`, the ranks of the generation before are sent in this.
            Ray's own envelopes, about a kilobyte for each range, are not counted.
        startup_bytes_sent: of this generation, what workers got that were new: the problem, or a copy of the search.
        replaced_workers: so far.

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
        num_actors: Workers; 0 for none. They need one CPU each. Ray is the cluster that the environment variable
            RAY_ADDRESS names, or else is started on this machine.
        actor_timeout: Seconds that a worker may take for one range of rows, an eighth of its share of the population
            or less, or for learning from a generation; then it is given up for lost.
        scalar_only: Workers have copies of the searcher, one of this package.

    Raises:
        ValueError: an argument out of range, or spaces that are not one-dimensional boxes.
        WorkerError: when evaluating: an exception in a worker, or the same rows lost three workers.
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
        actor_timeout: float = 600.0,
        scalar_only: bool = False,
    ):
        num_envs, num_episodes = check_whole("num_envs", num_envs), check_whole("num_episodes", num_episodes)
        seed = check_whole("seed", seed, minimum=0, maximum=2**32 - 1)
        num_actors = check_whole("num_actors", num_actors, minimum=0)
        if not isinstance(actor_timeout, int | float) or not actor_timeout > 0:
            raise ValueError(f"actor_timeout: expected a positive number of seconds, got {actor_timeout!r}")
        if scalar_only and not num_actors:
            raise ValueError("scalar_only: expected False where num_actors is 0, got True")
        self._make_env = partial(env, num_threads=num_threads)
        self.env = self.make_env(num_envs)
        spaces = {"observation": self.env.single_observation_space, "action": self.env.single_action_space}
        for name, space in spaces.items():
            if space.shape is None or len(space.shape) != 1 or not hasattr(space, "low"):
                raise ValueError(f"env: expected a one-dimensional {name} space (Box), got {space}")
        obs_length = spaces["observation"].shape[0]
        self.agent = agent(obs_length, spaces["action"].shape[0])
        self.normalizer = ObservationNormalizer(obs_length) if observation_normalization else None
        self._slots = Slots(self.env, self.agent)
        self._num_episodes = num_episodes
        self.decrease_rewards_by = 0.0 if decrease_rewards_by is None else float(decrease_rewards_by)
        if isinstance(decrease_rewards_by, bool) or not math.isfinite(self.decrease_rewards_by):
            raise ValueError(f"decrease_rewards_by: expected a finite number or None, got {decrease_rewards_by!r}")
        self.episode_statistics = EpisodeStatistics()
        self._episode_key = split_key(seed)
        self._generation = 0
        self._played: list[tuple[np.ndarray, np.ndarray]] = []  # returns and lengths in this generation
        self._visited = self._none_visited()  # likewise
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
        self._scalar_only = scalar_only
        self._workers = None
        if num_actors:
            make_problem = partial(
                RolloutProblem,
                env,
                agent,
                num_envs=num_envs,
                num_threads=1,
                num_episodes=num_episodes,
                observation_normalization=observation_normalization,
                seed=seed,
            )
            self._workers = Workers(make_problem, num_actors, actor_timeout, num_episodes, obs_length, scalar_only)
        self._num_workers = num_actors

    @property
    def num_actors(self) -> int:
        """Number of workers; 0 for none."""
        return self._num_workers

    @property
    def actors(self) -> list | None:
        """Ray's handles of the workers, which start with the first evaluation; None before and without them."""
        return None if self._workers is None else self._workers.actors

    def kill_actors(self) -> None:
        """Ends the workers, if there are any; another evaluation starts others."""
        if self._workers is not None:
            self._workers.kill()

    def _fill(self, values: torch.Tensor) -> None:
        if hasattr(self.agent, "initial_solutions"):
            values[:] = self.agent.initial_solutions(len(values), self.generator)
        else:
            super()._fill(values)

    def play(self, solutions: torch.Tensor, generation: int, first_row: int = 0) -> Episodes:
        """Plays the training episodes of some rows of a generation, with the normaliser as it is; nothing is counted.

        Args:
            solutions: (n, L) in the agent's dtype.
            generation: of this problem, counted from 0.
            first_row: number of the first solution within its generation.
        """
        members = np.repeat(np.arange(len(solutions)), self._num_episodes)
        episodes = np.tile(np.arange(self._num_episodes), len(solutions))
        seeds = self.episode_seeds(generation, first_row + members, episodes, TRAINING)
        played = self._slots.play(solutions, members, seeds, self.normalizer)
        played.returns[played.diverged] = np.nan
        played.sums_of_squares[played.diverged] = np.nan  # what was visited there does not count
        return played

    def begin_generation(self, rows, learner: Learner) -> None:
        """Lets the workers, if there are any, begin to play the population that a searcher will evaluate next.

        Args:
            rows: The population, `BernoulliRows` and the like.
            learner: Whose population it is.
        """
        if self._workers is not None:
            self._workers.begin(0, learner.popsize, self._plan(rows), learner=learner)

    def end_generation(self, evals: torch.Tensor, learner: Learner) -> None:
        """Lets the copies of the learner, if there are any, learn from the evaluations (N,) of the population."""
        if self._scalar_only:
            self._workers.tell(encode_scores(evals, learner.ranking_method))

    def _plan(self, rows=None) -> Plan:
        statistics = (None, None) if self.normalizer is None else (self.normalizer.mean, self.normalizer.stdev)
        return Plan(self._generation, rows, None, *statistics)

    def _evaluate_all(self, batch: SolutionBatch) -> None:
        if self._workers is None:
            super()._evaluate_all(batch)
            return
        part = part_of_generation(batch)
        if not self._workers.is_playing(part.rows):
            if self._scalar_only:
                raise ValueError(
                    "scalar_only: expected the population that a searcher of this package has just sampled; the workers"
                    " have no copies of others"
                )
            values = batch.access_values(keep_evals=True).as_subclass(torch.Tensor)
            self._workers.begin(part.first_row, part.stop_row, self._plan(), values=values)
        self._count(batch, *self._workers.results(part.first_row, part.stop_row))
        if part.ends_generation:
            self._visited = self._workers.end()
            self._end_generation()

    def _evaluate_batch(self, batch: SolutionBatch) -> None:
        part = part_of_generation(batch)
        played = self.play(batch.access_values(keep_evals=True), self._generation, part.first_row)
        each = (-1, self._num_episodes)
        self._count(batch, played.returns.reshape(each), played.lengths.reshape(each))
        if self.normalizer is not None:
            self._visited.add(played.lengths, played.sums, played.sums_of_squares)
        if part.ends_generation:
            self._end_generation()

    def _count(self, batch: SolutionBatch, returns: np.ndarray, lengths: np.ndarray) -> None:
        training = returns - self.decrease_rewards_by * lengths
        batch.set_evals(torch.as_tensor(training.mean(axis=1)))
        if part_of_generation(batch).first_row == 0:
            self._played, self._visited = [], self._none_visited()  # of a generation that was interrupted
        self._played.append((returns, lengths))

    def _end_generation(self) -> None:
        self._generation += 1
        returns, lengths = map(np.concatenate, zip(*self._played, strict=True))
        self.episode_statistics.add(returns, lengths)
        if self.normalizer is not None:
            self.normalizer.update(self._visited.count, self._visited.sums, self._visited.sums_of_squares)
        self._played, self._visited = [], self._none_visited()

    def _none_visited(self) -> VisitedStates:
        return VisitedStates(self.env.single_observation_space.shape[0])

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
        return self.episode_statistics.status | ({} if self._workers is None else self._workers.status)

    def evaluate_center(self, solution: torch.Tensor, num_episodes: int = 100, seed: int | None = None) -> np.ndarray:
        """Returns of fresh episodes of one solution, in the environment's own reward.

        Counters and normaliser stay as they are.

        Args:
            solution: (L,) in the agent's dtype, or an EvoTorch ``Solution``.
            num_episodes: How many, at least 1.
            seed: Which episodes; None takes new ones at each call.

        Returns:
            (num_episodes,) float64.

        Raises:
            ValueError: For a solution of another shape or dtype, or a wrong number of episodes.
        """
        solution = as_solution(self.agent, solution)
        num_episodes = check_whole("num_episodes", num_episodes)
        if seed is None:
            seed = self._evaluations
            self._evaluations += 1
        episodes = np.arange(num_episodes)
        seeds = self.episode_seeds(seed, np.zeros_like(episodes), episodes, EVALUATION)
        return self._slots.play(solution[None].contiguous(), np.zeros_like(episodes), seeds, self.normalizer).returns

    def to_policy(self, solution) -> Policy:
        """A callable for a plain Gymnasium loop, with the normaliser as it is now.

        Args:
            solution: (L,) tensor, or an EvoTorch ``Solution``.
        """
        space = self.env.single_action_space
        statistics = () if self.normalizer is None else (self.normalizer.mean, self.normalizer.stdev)
        return Policy(self.agent, solution, space.low, space.high, *statistics)

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
        self.kill_actors()  # their copies of the searcher are of another past

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
