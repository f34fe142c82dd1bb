"""Episodes of a vector environment as an EvoTorch problem."""

import math
from functools import partial
from weakref import WeakSet

import numpy as np
import torch
from evotorch import Problem, SolutionBatch
from evotorch.tools.cloning import deep_clone
from gymnasium.error import ClosedEnvironmentError

from ec_evotorch.distributions.ranking import replace_failed
from ec_evotorch.generation.learner import Learner
from ec_evotorch.generation.population import Part, Population, SeededPopulation, part_of_generation
from ec_evotorch.randomness import split_key
from ec_evotorch.rollout.components import make_agent, make_device_agent, make_env, warn_of_endless_episodes
from ec_evotorch.rollout.episode_seeds import EVALUATION, FRESH_EVALUATION, TRAINING, TRIAL, episode_seeds
from ec_evotorch.rollout.episode_statistics import EpisodeStatistics
from ec_evotorch.rollout.finite_observations import FINITE, first_sensor, warn_of_sensor
from ec_evotorch.rollout.flat_env import spaces_of
from ec_evotorch.rollout.normalizer import ObservationNormalizer, choose_normalizer
from ec_evotorch.rollout.policy import Policy, as_solution
from ec_evotorch.rollout.slots import Episodes, Slots
from ec_evotorch.rollout.visited_states import VisitedStates
from ec_evotorch.rollout.workers.driver import Workers
from ec_evotorch.rollout.workers.messages import Plan
from ec_evotorch.tensors import check_tensor
from native.arguments import check_flag, check_in_range, check_positive, check_whole
from native.warp_device import find_device

_MOST_SEED = 2**32 - 1
_MADE_ANEW = ("env", "_envs", "_slots")  # by a copy of a problem


class RolloutProblem(Problem):
    """Finds the solution with the highest return in a vector environment.

    Every solution plays `num_episodes` episodes. Its fitness is the mean of their returns, less `decrease_rewards_by`
    for each step. Solutions queue for `num_envs` environment slots; a slot whose episode ends takes the next one.

    Failures:
        A solution fails if a return is NaN or infinite, if its physics become unstable, or if an observation is not
        finite: NaN, infinite, or beyond what float32 holds. It ranks worst with every searcher, and is never `best` or
        `worst`. The states of an episode with unstable physics or such an observation do not reach the normaliser; the
        first such observation is logged as a warning, with the index of the sensor. The searchers of this package see
        the evaluation of a solution that fails as it is, or NaN for unstable physics and observations. In a batch of
        any other searcher, which might rank NaN best, it becomes just worse than the worst finite evaluation (see
        `replace_failed`), or 0 for all if none is finite.

    Randomness:
        The seed of an episode is a function of (seed, generation, row, episode, purpose) alone. Results do not depend
        on `num_envs`, on the number of threads or on workers. Initial solutions, which EvoTorch's searchers ask for,
        come from the agent's `initial_solutions(count, generator)`; where it has none, they are uniform in [−1, 1] or
        fair bits.

    Workers:
        With `num_actors`, Ray actors of one thread each play the populations, with the same results to the last bit.
        They are sent what the population follows from, or its solutions if the searcher is not of this package. With
        `scalar_only` each has a copy of the searcher and is sent the ranks of all rows instead: no more than 16 bytes
        for each episode and a constant for each worker travel in a generation (20 with the ranking methods "raw" and
        "normalized", which need the evaluations themselves). Workers that die or hang are replaced, see `Workers`.
        `evaluate_center` plays in this process.

    Devices:
        With `device`, all episodes are played on a device of NVIDIA Warp, "cpu" or a CUDA device, by kernels that a
        graph replays; this process reads a number now and then, and the results at the end. On Warp's "cpu" everything
        but the physics gives the numbers of the CPU path, with `agents.RSNN` to the last bit and with `RNN`, `GRU` and
        `LSTM` up to rounding; seeds give the same episodes to begin with. `EvolvingConnectivity` and
        `EvolutionStrategy` then have no array of a population, which is known by its seed (and the latter's noise is
        another one than on the CPU); other searchers' solutions are copied to the device. Learning, the
        observation normaliser and everything saved stay in this process, and so does `agent`, which acts on the CPU. An
        environment that can be stepped there is `partial(envs.make_vec, "Hopper-v5", physics="warp")`; agents are these
        four.

    Status:
        After each evaluation of a population:

        - total_interaction_count: Environment steps so far, without evaluations of the centre.
        - total_episode_count: Episodes so far, likewise.
        - failed_episode_count: Those among them that failed.
        - mean_return, median_return, max_return: Of the population, in the environment's own reward.
        - mean_episode_length: Environment steps.

        With workers also:

        - bytes_sent, bytes_received: By this process in the generation. What all workers read counts once, as Ray
          brings it to each machine once. Ray's own envelopes, about a kilobyte for each range of rows, do not count.
          With `scalar_only` the ranks of a generation are sent in the next one.
        - startup_bytes_sent: Sent in the generation to new workers: the problem, or a copy of the search.
        - replaced_workers: Workers that were lost and replaced so far.

    Args:
        env: Function called as `env(num_envs=…, num_threads=…)` that makes a `gymnasium.vector.VectorEnv` without
            autoreset and with partial reset, such as `partial(envs.make_vec, "Hopper-v5")`. Observations and actions
            may be of any space of `ec_evotorch.rollout.spaces`, which says what agents see and give of them.
            `physics` and `device` are further keywords where they are given.
        agent: Function called as `agent(obs_length, act_length)` that makes an agent, such as `agents.RSNN`; and as
            `agent(obs_length, act_length, device=…)` where there is a device.
        num_envs: Number of environment slots, B.
        num_threads: Threads of the physics; 0 for all cores that the process may use, or OMP_NUM_THREADS if smaller.
        num_episodes: Number of episodes of each solution.
        observation_normalization: Whether the agent sees (observation − mean) / stdev. Both are over all states visited
            in earlier generations, and stay the same within a generation.
        max_episode_steps: Environment steps after which an episode is truncated, in training and in evaluations of the
            centre; None for no limit besides the environment's own. An environment that has none is warned of once.
        decrease_rewards_by: What is subtracted from the reward of each step in training, for example the alive bonus;
            None for nothing. Returns in the status and of `evaluate_center` are in the environment's own reward.
        seed: Seed of everything random in problem and searcher, in [0, 2^32).
        num_actors: Number of workers, which need one CPU each; 0 for none. They run on the cluster that the environment
            variable RAY_ADDRESS names, or else on this machine.
        actor_timeout: Seconds that a worker may take for one range of rows, which is an eighth of its share of the
            population or less, or for learning from a generation. Then it is replaced.
        scalar_only: Whether workers have copies of the searcher, which must be one of this package.
        device: Where all episodes are played: "cpu", "cuda", "cuda:1" and so on are devices of NVIDIA Warp. None for
            this process or its workers.
        physics: What simulates, handed on to `env`: "mujoco" or "warp" with `envs.make_vec`; None leaves it to `env`.

    Raises:
        ValueError: If an argument is out of range, is not what makes an environment or agent, or cannot be sent to the
            workers. Its message names the argument; of an environment it is an `EnvError`.
        MemoryError: If there is no memory for so many slots.
        WorkerError: On evaluation, if there is an exception in a worker, or the same rows lose three workers.
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
        max_episode_steps: int | None = None,
        decrease_rewards_by: float | None = None,
        seed: int = 0,
        num_actors: int = 0,
        actor_timeout: float = 600.0,
        scalar_only: bool = False,
        device: str | None = None,
        physics: str | None = None,
    ):
        num_envs, num_threads = check_whole("num_envs", num_envs), check_whole("num_threads", num_threads, minimum=0)
        self._num_episodes = check_whole("num_episodes", num_episodes)
        check_flag("observation_normalization", observation_normalization)
        if max_episode_steps is not None:
            max_episode_steps = check_whole("max_episode_steps", max_episode_steps)
        self.max_episode_steps = max_episode_steps
        self.decrease_rewards_by = _check_decrease(decrease_rewards_by)
        seed = check_whole("seed", seed, minimum=0, maximum=_MOST_SEED)
        self._num_workers = check_whole("num_actors", num_actors, minimum=0)
        actor_timeout = _check_timeout(actor_timeout)
        if check_flag("scalar_only", scalar_only) and not self._num_workers:
            raise ValueError("scalar_only: expected False where num_actors is 0, got True")
        self._played_on = _check_device(device, self._num_workers)
        wanted = {"physics": physics, "device": self._played_on}
        wanted = {name: value for name, value in wanted.items() if value is not None}

        self._make_env = partial(make_env, env, num_threads=num_threads, max_episode_steps=max_episode_steps, **wanted)
        self._num_envs = num_envs
        self._envs, self._is_closed = WeakSet(), False
        self.env = self.make_env(num_envs)
        if max_episode_steps is None:
            warn_of_endless_episodes(self.env)
        self.observation_space, self.action_space = spaces_of(self.env)
        obs_length = self.env.single_observation_space.shape[0]
        sizes = obs_length, self.env.single_action_space.shape[0]
        self.agent = make_agent(agent, *sizes)
        self._device_agent = None
        if self._played_on is not None:
            self._device_agent = partial(make_device_agent, agent, *sizes, self._played_on)
        self.normalizer = ObservationNormalizer(obs_length) if observation_normalization else None
        self.episode_statistics = EpisodeStatistics()
        self._slots = self._make_slots()
        self._episode_key = split_key(seed)
        self._generation = 0
        self._fresh_evaluations = 0
        self._has_warned = False
        self._begin_counting()
        super().__init__(
            "max",
            initial_bounds=(False, True) if self.agent.dtype == torch.bool else (-1.0, 1.0),
            solution_length=self.agent.solution_length,
            dtype=self.agent.dtype,
            eval_dtype=torch.float64,
            seed=seed,
        )
        self.after_eval_hook.extend([self._replace_failed, self._report])

        self._workers = None
        if self._num_workers:
            make_problem = partial(
                RolloutProblem,
                env,
                agent,
                num_envs=num_envs,
                num_threads=1,
                num_episodes=self._num_episodes,
                observation_normalization=observation_normalization,
                max_episode_steps=max_episode_steps,
                seed=seed,
                physics=physics,
            )
            self._workers = Workers(
                make_problem, self._num_workers, actor_timeout, self._num_episodes, obs_length, scalar_only
            )

    # --- a generation ---

    def begin_generation(self, rows, learner: Learner) -> None:
        """Lets the workers, if there are any, begin to play the population that a searcher will evaluate next.

        Args:
            rows: What can make any row of the population, see `ec_evotorch.generation.seeded_rows`.
            learner: Whose population it is.
        """
        if self._workers is not None:
            self._check_open()
            self._workers.begin_generation(self._plan(rows), learner)

    def end_generation(self, evals: torch.Tensor, learner: Learner) -> None:
        """Lets the copies of the learner, if workers have any, learn from the evaluations (N,) of the population."""
        if self._workers is not None:
            self._workers.end_generation(evals, learner)

    def _evaluate_all(self, batch: SolutionBatch) -> None:
        self._check_open()
        part = part_of_generation(batch)
        if part.first_row == 0:
            self._begin_counting()  # what is left of a generation that was interrupted does not count
        if self._workers is None:
            returns, lengths = self._play_batch(batch, part)
        else:
            returns, lengths = self._workers.play(batch, self._plan())
        batch.set_evals(torch.as_tensor((returns - self.decrease_rewards_by * lengths).mean(axis=1)))
        self._played.append((returns, lengths))
        if part.ends_generation:
            if self._workers is not None:
                self._visited = self._workers.end()
            self._end_counting()

    def _play_batch(self, batch: SolutionBatch, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Returns returns and lengths, (n, num_episodes) each, and counts the visited states."""
        numbers = np.arange(len(batch))
        if isinstance(batch, SeededPopulation):
            solutions, rows = part.rows, part.first_row + numbers
        else:
            solutions, rows = batch.access_values(keep_evals=True), numbers
        played = self._play_training(solutions, rows, self._generation, part.first_row + numbers)
        self._visited.note(played.nonfinite)
        if self.normalizer is not None:
            self._visited.add(played.lengths, played.sums, played.sums_of_squares)
        each = (-1, self._num_episodes)
        return played.returns.reshape(each), played.lengths.reshape(each)

    def play(self, solutions: torch.Tensor, generation: int, first_row: int = 0) -> Episodes:
        """Plays the training episodes of some rows of a generation, with the normaliser as it is, and counts nothing.

        Args:
            solutions: (n, L) solutions in the agent's dtype.
            generation: Number of the generation of this problem, from 0.
            first_row: Number of the first solution within its generation.
        """
        self._check_open()
        check_tensor("solutions", solutions, f"a {self.dtype} tensor of shape (n, {self.solution_length})")
        generation = check_whole("generation", generation, minimum=0)
        rows = np.arange(len(solutions))
        return self._play_training(solutions, rows, generation, first_row + rows)

    def _play_training(self, solutions, rows: np.ndarray, generation: int, members: np.ndarray) -> Episodes:
        """Plays with the `rows` of solutions, or of a generation on a device, which are its `members`."""
        episodes = np.tile(np.arange(self._num_episodes), len(rows))
        rows, members = (np.repeat(numbers, self._num_episodes) for numbers in (rows, members))
        seeds = self.episode_seeds(generation, members, episodes, TRAINING)
        played = self._slots.play(solutions, rows, seeds, self.normalizer)
        played.returns[played.diverged] = np.nan
        played.sums_of_squares[played.diverged] = np.nan  # what was visited there does not count
        return played

    def play_episodes(self, solutions: torch.Tensor, members: np.ndarray, seeds: list[int]) -> Episodes:
        """Plays episodes of seeds that are given, with the normaliser as it is, and counts nothing.

        Args:
            solutions: (N, L) solutions in the agent's dtype.
            members: (n,) row of `solutions` that plays each episode.
            seeds: (n,) seed of each episode, of environment and agent alike.
        """
        self._check_open()
        check_tensor("solutions", solutions, f"a {self.dtype} tensor of shape (N, {self.solution_length})")
        return self._slots.play(solutions.contiguous(), members, seeds, self.normalizer)

    def _plan(self, rows=None) -> Plan:
        statistics = (None, None) if self.normalizer is None else (self.normalizer.mean, self.normalizer.stdev)
        return Plan(self._generation, rows, None, *statistics)

    def _begin_counting(self) -> None:
        self._played: list[tuple[np.ndarray, np.ndarray]] = []  # returns and lengths of each part of this generation
        self._visited = VisitedStates(self.env.single_observation_space.shape[0])  # in this generation

    def _end_counting(self) -> None:
        self._generation += 1
        returns, lengths = map(np.concatenate, zip(*self._played, strict=True))
        self.episode_statistics.add(returns, lengths)
        if self.normalizer is not None:
            self.normalizer.update(self._visited.count, self._visited.sums, self._visited.sums_of_squares)
        self.notice_nonfinite(self._visited.nonfinite)
        self._begin_counting()

    def notice_nonfinite(self, sensor: int) -> None:
        """Warns, the first time that a sensor was not finite, with its index; `FINITE` means that there was none."""
        if sensor != FINITE and not self._has_warned:
            self._has_warned = True
            warn_of_sensor(sensor)

    # --- what EvoTorch asks for ---

    def _fill(self, values: torch.Tensor) -> None:
        if hasattr(self.agent, "initial_solutions"):
            values[:] = self.agent.initial_solutions(len(values), self.generator)
        else:
            super()._fill(values)

    def _get_best_and_worst(self, batch: SolutionBatch) -> dict | None:
        # EvoTorch finds the best and the worst by comparison, which NaN upsets; a `Population` leaves it out itself.
        finite = torch.isfinite(batch.access_evals(0))
        if finite.any():
            is_sound = finite.all() or isinstance(batch, Population)
            return super()._get_best_and_worst(batch if is_sound else batch.take(finite.nonzero()[:, 0]))
        # Those found before stay the best and the worst; without this EvoTorch's status would have None for them.
        return None if self._best is None else super()._get_best_and_worst(self._best[0].to_batch())

    def _replace_failed(self, batch: SolutionBatch) -> None:
        if not isinstance(batch, Population):
            evals = batch.access_evals(0)
            evals.copy_(replace_failed(evals, objective_sense="max"))

    @property
    def status(self) -> dict:
        """What searchers take over after each step: of the last population evaluated, and all statistics as of now."""
        statistics = self.episode_statistics
        return super().status | (statistics.status if statistics.interactions else {})

    def _report(self, batch: SolutionBatch) -> dict:
        return {} if self._workers is None else self._workers.status

    # --- one solution ---

    def evaluate_center(
        self,
        solution: torch.Tensor,
        num_episodes: int = 100,
        seed: int | None = None,
        normalizer: ObservationNormalizer | None = None,
    ) -> np.ndarray:
        """Plays episodes of one solution; counters and normaliser stay as they are.

        Args:
            solution: (L,) tensor or array in the agent's dtype, or an EvoTorch `Solution`.
            num_episodes: Number of episodes, at least 1.
            seed: Which episodes, a number in [0, 2^32); equal numbers give equal episodes. None gives episodes that
                no seed gives, and new ones at each call.
            normalizer: What normalises the observations, such as an earlier `copy` of the problem's own; None for that
                as it is now.

        Returns:
            (num_episodes,) float64 returns in the environment's own reward; NaN where an output of the agent or an
            observation was not finite.

        Raises:
            ValueError: If the solution has another shape or dtype, or a number is out of range.
        """
        is_fresh = seed is None
        purpose = FRESH_EVALUATION if is_fresh else EVALUATION
        seed = self._fresh_evaluations if is_fresh else seed
        played = self._play_one(solution, num_episodes, seed, purpose, normalizer)
        self._fresh_evaluations += is_fresh
        return played.returns

    def play_trial(
        self, solution: torch.Tensor, num_episodes: int, seed: int, normalizer: ObservationNormalizer | None = None
    ) -> np.ndarray:
        """Plays episodes of one solution that count as training: its steps and episodes, with failed ones among them.

        The normaliser stays as it is, and so does the summary of the last generation. `Incumbent` chooses by trials.

        Args:
            solution: As for `evaluate_center`.
            num_episodes: Number of episodes, at least 1.
            seed: Which episodes, a number in [0, 2^32); none of them is one of `evaluate_center`.
            normalizer: As for `evaluate_center`.

        Returns:
            (num_episodes,) float64 returns in the environment's own reward; NaN where an episode failed.

        Raises:
            ValueError: As `evaluate_center`.
        """
        played = self._play_one(solution, num_episodes, seed, TRIAL, normalizer)
        returns = np.where(played.diverged, np.nan, played.returns)
        self.episode_statistics.count(returns, int(played.lengths.sum()))
        return returns

    def _play_one(self, solution, num_episodes: int, seed: int, purpose: int, normalizer) -> Episodes:
        self._check_open()
        solution = as_solution(self.agent, solution)
        num_episodes = check_whole("num_episodes", num_episodes)
        seed = check_whole("seed", seed, minimum=0, maximum=_MOST_SEED)
        episodes = np.arange(num_episodes)
        seeds = self.episode_seeds(seed, np.zeros_like(episodes), episodes, purpose)
        normalizer = choose_normalizer(normalizer, self.normalizer)
        played = self._slots.play(solution[None].contiguous(), np.zeros_like(episodes), seeds, normalizer)
        self.notice_nonfinite(first_sensor(played.nonfinite))
        return played

    def to_policy(self, solution, normalizer: ObservationNormalizer | None = None) -> Policy:
        """Returns a callable for a plain Gymnasium loop.

        Args:
            solution: (L,) tensor or array in the agent's dtype, or an EvoTorch `Solution`.
            normalizer: As for `evaluate_center`.
        """
        numbers = self.env.single_action_space
        normalizer = choose_normalizer(normalizer, self.normalizer)
        statistics = () if normalizer is None else (normalizer.mean, normalizer.stdev)
        spaces = {"observation_space": self.observation_space, "action_space": self.action_space}
        return Policy(self.agent, solution, numbers.low, numbers.high, *statistics, **spaces)

    # --- environments, seeds, workers ---

    def make_env(self, num_envs: int):
        """Makes another vector environment like this problem's own, which `close` closes with it.

        Args:
            num_envs: Number of its sub-environments.

        Raises:
            ValueError: If it is not a positive whole number.
        """
        num_envs = check_whole("num_envs", num_envs)
        env = self._make_env(num_envs=num_envs)
        self._envs.add(env)
        return env

    def make_device_agent(self):
        """Makes another agent whose networks can stay on the problem's device, see `protocols.DeviceAgent`.

        Raises:
            ValueError: If the problem has no device.
        """
        if self._device_agent is None:
            raise ValueError("device: expected the name of a device to make an agent there, got None")
        return self._device_agent()

    def episode_seeds(self, generation: int, members: np.ndarray, episodes: np.ndarray, purpose: int) -> list[int]:
        """Returns the seeds of episodes, which are functions of (seed, generation, member, episode, purpose).

        Args:
            generation: As for `ec_evotorch.rollout.episode_seeds.episode_seeds`, and so are the others.
            members: (n,) rows of the population, or slots.
            episodes: (n,) number of the episode of that member.
            purpose: What the episodes are for.
        """
        return episode_seeds(self._episode_key, generation, members, episodes, purpose)

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the kernels of a solution by name, in their order: those of the agent."""
        return self.agent.parameter_shapes

    @property
    def connection_mask(self) -> dict[str, np.ndarray] | None:
        """Which entries of the kernels are part of a solution, by name: that of the agent; None if all are."""
        return getattr(self.agent, "connection_mask", None)

    @property
    def device_of_rows(self) -> str | None:
        """Name of the device that plays populations which it is told the seed of; None without a device."""
        return self._played_on

    @property
    def num_actors(self) -> int:
        """Number of workers; 0 for none."""
        return self._num_workers

    @property
    def actors(self) -> list | None:
        """Ray's handles of the workers, which start with the first evaluation; None before, and without workers."""
        return None if self._workers is None else self._workers.actors

    def kill_actors(self) -> None:
        """Ends the workers, if there are any; the next evaluation starts others."""
        if self._workers is not None:
            self._workers.kill()

    # --- the end, saved states, and copies ---

    def close(self) -> None:
        """Ends the workers and closes the environments; nothing can be played from then on. May be called twice."""
        self._is_closed = True
        self.kill_actors()
        for env in list(self._envs):
            env.close()
        self._envs.clear()
        self._slots = None  # networks and graphs on a device hold gigabytes there

    def __enter__(self) -> "RolloutProblem":
        """Returns the problem, for a `with` statement that closes it at its end."""
        return self

    def __exit__(self, *exception) -> None:
        """Closes the problem, see `close`."""
        self.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClosedEnvironmentError("the problem is closed")

    def state_dict(self) -> dict:
        """Returns what evaluations change, for `load_state_dict` of a problem made with the same arguments."""
        return {
            "generation": self._generation,
            "evaluations": self._fresh_evaluations,
            "normalizer": None if self.normalizer is None else self.normalizer.state_dict(),
            "episode_statistics": self.episode_statistics.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Goes on from where a `state_dict` was taken; workers start anew."""
        self._generation, self._fresh_evaluations = state["generation"], state["evaluations"]
        if self.normalizer is not None:
            self.normalizer.load_state_dict(state["normalizer"])
        self.episode_statistics.load_state_dict(state["episode_statistics"])
        self.kill_actors()  # their copies of the searcher are of another past

    def __getstate__(self) -> dict:
        # What lives in this process is made anew by a copy. Pickle itself keeps what is shared: EvoTorch's own method
        # would hand it copies, and the searcher's objects would no longer be the problem's.
        return {name: value for name, value in self.__dict__.items() if name not in _MADE_ANEW}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._make_anew()

    def _get_cloned_state(self, *, memo: dict) -> dict:
        return {
            name: deep_clone(value, otherwise_deepcopy=True, memo=memo) for name, value in self.__getstate__().items()
        }

    def clone(self, *, memo: dict | None = None) -> "RolloutProblem":
        """Returns a copy with environments of its own; its workers, if it has any, start anew."""
        made = super().clone(memo=memo)
        if "env" not in made.__dict__:
            made._make_anew()
        return made

    def _make_anew(self) -> None:
        self._envs = WeakSet()
        self.env = self.make_env(self._num_envs)
        self._slots = self._make_slots()
        if self._is_closed:
            self.close()

    def _make_slots(self):
        if self._device_agent is None:
            return Slots(self.env, self.agent)
        from ec_evotorch.rollout.device.slots import DeviceSlots  # Warp is an extra

        agent = self.make_device_agent()
        try:
            return DeviceSlots(self.env, agent)
        except ValueError as error:  # of a network that cannot be there
            raise ValueError(f"agent: {error}") from error


def _check_decrease(value) -> float:
    if value is None:
        return 0.0
    try:
        return check_in_range("decrease_rewards_by", value)
    except ValueError:
        raise ValueError(f"decrease_rewards_by: expected a finite number or None, got {value!r}") from None


def _check_device(device: str | None, num_actors: int) -> str | None:
    """Returns the name of a device that is there."""
    if device is None:
        return None
    if num_actors:
        raise ValueError(f"num_actors: expected 0 with device={device!r}, got {num_actors}")
    try:
        return str(find_device(device))
    except ImportError as error:
        raise ValueError(f"device: expected None, got {device!r}, but {error}") from error


def _check_timeout(value) -> float:
    try:
        return math.inf if value == math.inf else check_positive("actor_timeout", value)
    except ValueError:
        raise ValueError(f"actor_timeout: expected a positive number of seconds, got {value!r}") from None
