"""The driver of the workers: it sends out what the schedule says, collects results, and replaces what is lost."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from evotorch import SolutionBatch

from ec_evotorch.generation.learner import Learner
from ec_evotorch.generation.population import part_of_generation
from ec_evotorch.generation.rank_codes import encode_scores
from ec_evotorch.rollout.visited_states import VisitedStates
from ec_evotorch.rollout.workers import schedule
from ec_evotorch.rollout.workers.cluster import CallFailed, Cluster, WorkerLost
from ec_evotorch.rollout.workers.messages import RANGE, Plan, unpack_episodes
from ec_evotorch.rollout.workers.ray_cluster import RayCluster
from ec_evotorch.rollout.workers.schedule import Call, Schedule

_logger = logging.getLogger(__name__)


class WorkerError(RuntimeError):
    """Rows cannot be played, or workers cannot be kept."""


class Workers:
    """A fixed number of processes that play the populations of a `RolloutProblem`.

    Which worker plays what changes no result: a return is a function of the row, and the sums over visited states are
    exact, whatever their grouping. A worker that dies, or takes longer than `timeout` for a call, is replaced, and what
    it alone knew is played again, see `Schedule`.

    With `scalar_only` each worker has a copy of the search, which is sent once; from then on it learns by itself from
    the scores of all rows. Source: Wang et al. (2023), https://arxiv.org/abs/2305.17650, section 5.

    Workers start with the first generation. An exception while they are at work, Ctrl-C included, ends them; the next
    generation starts others.

    Args:
        make_problem: Function without arguments that makes a worker's own problem.
        count: Number of workers.
        timeout: Seconds that a worker may take for a call; infinity for no limit.
        num_episodes: Number of episodes of each row.
        obs_length: Length of an observation.
        scalar_only: Whether workers have copies of the search.
        cluster: Where the workers run; None for Ray.

    Raises:
        ValueError: If `make_problem` cannot be pickled.
    """

    def __init__(
        self,
        make_problem: Callable,
        count: int,
        timeout: float,
        num_episodes: int,
        obs_length: int,
        scalar_only: bool,
        cluster: Cluster | None = None,
    ):
        self._cluster = RayCluster() if cluster is None else cluster
        try:
            self._make_problem = self._cluster.pickle(make_problem)
        except Exception as error:  # whatever an object's own way of being pickled raises
            raise ValueError(f"env, agent: expected functions that can be pickled, for the workers; {error}") from error
        self._count, self._timeout = count, timeout
        self._num_episodes, self._obs_length, self._scalar_only = num_episodes, obs_length, scalar_only
        self._workers: dict[int, object] = {}  # by their number in the schedule
        self._learner: Learner | None = None  # of which the workers have copies
        self._copied_generation = 0  # the generation whose rows the copies would make next
        self._rows: object | None = None  # of the generation that is being played
        self._replaced = 0
        self._bytes, self._reported = Counter(), Counter()

    def __getstate__(self) -> dict:
        # A copy starts workers of its own, and its learner is another object, which they are sent.
        kept = ("_cluster", "_make_problem", "_count", "_timeout", "_num_episodes", "_obs_length", "_scalar_only")
        kept += ("_copied_generation", "_replaced", "_bytes", "_reported")
        return {name: self.__dict__[name] for name in kept} | {"_workers": {}, "_learner": None, "_rows": None}

    # --- what the problem asks for ---

    @property
    def actors(self) -> list | None:
        """The cluster's own objects for the workers, or None while there are none."""
        return list(self._workers.values()) or None

    @property
    def status(self) -> dict[str, int]:
        """Entries for EvoTorch's status; bytes are those of the last generation."""
        return {name: self._reported[name] for name in ("bytes_sent", "bytes_received", "startup_bytes_sent")} | {
            "replaced_workers": self._replaced
        }

    def begin_generation(self, plan: Plan, learner: Learner) -> None:
        """Lets the workers begin to play a population before it is asked for.

        Args:
            plan: With the rows of the population.
            learner: Whose population it is.
        """
        self.begin(plan, 0, learner.popsize, learner=learner)

    def play(self, batch: SolutionBatch, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
        """Lets the workers play a batch, unless they are at its generation already, and waits for the results.

        Args:
            batch: A generation, or a part of it.
            plan: Without rows, for a batch whose generation was not begun.

        Returns:
            Returns, (rows, num_episodes) float64, and lengths of the episodes, (rows, num_episodes) int64.

        Raises:
            ValueError: If workers have copies of the search, and the batch is not what they play.
            WorkerError: If an environment or agent has raised an exception, or workers are lost again and again.
        """
        part = part_of_generation(batch)
        if part.rows is None or part.rows is not self._rows:
            if self._scalar_only:
                raise ValueError(
                    "scalar_only: expected the population that a searcher of this package has just sampled; the workers"
                    " have no copies of others"
                )
            values = batch.access_values(keep_evals=True).as_subclass(torch.Tensor)
            self.begin(plan, part.first_row, part.stop_row, values=values)
        return self.results(part.first_row, part.stop_row)

    def end_generation(self, evals: torch.Tensor, learner: Learner) -> None:
        """Lets the copies of the search, if there are any, learn from a generation, without waiting for them.

        Args:
            evals: (N,) evaluations of the population.
            learner: Whose population it was.
        """
        if not self._scalar_only:
            return
        self._copied_generation += 1  # before anything can interrupt: copies that disagree are sent anew
        if self._workers:
            with self._ending_on_failure():
                self._scores = self._share(encode_scores(evals, learner.ranking_method))
                self._schedule.learn(self._cluster.now())
                self._make_calls()

    def kill(self) -> None:
        """Ends the workers; the next generation starts others."""
        workers, self._workers, self._rows = self._workers, {}, None
        if self._cluster.is_connected():  # else they have ended with the connection, which must not be made for them
            for worker in workers.values():
                self._cluster.end_worker(worker)

    # --- a generation ---

    def begin(
        self,
        plan: Plan,
        first_row: int,
        stop_row: int,
        *,
        values: torch.Tensor | None = None,
        learner: Learner | None = None,
    ) -> None:
        """Lets the workers begin with a generation, or a part of one; what they were at before is dropped.

        Args:
            plan: With rows, unless there are values.
            first_row: The first row to play.
            stop_row: The row after the last one.
            values: (stop_row − first_row, L) solutions, or None where the plan has rows.
            learner: What the workers are to have copies of, with `scalar_only`.
        """
        with self._ending_on_failure():
            self._start()
            self._rows, self._values, self._first_row = plan.rows, values, first_row
            if self._scalar_only:
                plan = self._plan_of_copies(plan, learner)
            self._generation = plan.generation
            self._plan, self._copy = self._share(plan), None
            shape = (stop_row - first_row, self._num_episodes)
            self._returns, self._lengths = np.zeros(shape), np.zeros(shape, dtype=np.int64)
            self._visited = VisitedStates(self._obs_length)
            self._schedule.begin(first_row, stop_row, self._cluster.now())
            self._make_calls()

    def results(self, first_row: int, stop_row: int) -> tuple[np.ndarray, np.ndarray]:
        """Waits until some rows are played, and returns their returns and the lengths of their episodes, see `play`.

        Raises:
            WorkerError: If an environment or agent has raised an exception, or workers are lost again and again.
        """
        with self._ending_on_failure():
            while not self._schedule.is_played(first_row, stop_row):
                self._turn()
        part = self._part((first_row, stop_row))
        return self._returns[part], self._lengths[part]

    def end(self) -> VisitedStates:
        """Ends the generation and returns the states that were visited in it.

        Raises:
            WorkerError: See `results`.
        """
        with self._ending_on_failure():
            while not self._schedule.is_counted:
                self._turn()
        self._rows = self._values = None  # the plan is kept: a worker that started just now may still be told of it
        self._reported, self._bytes = self._bytes, Counter()
        return self._visited

    # --- how it is done ---

    @contextmanager
    def _ending_on_failure(self) -> Iterator[None]:
        """Ends the workers if anything goes wrong or is interrupted: nobody knows then which calls were made."""
        try:
            yield
        except BaseException:
            self.kill()
            raise

    def _start(self) -> None:
        if self._workers and self._cluster.is_connected():
            return
        self._cluster.connect(self._count)
        self._setup = self._cluster.share(self._make_problem)
        self._bytes["startup_bytes_sent"] += len(self._make_problem)
        self._workers = {}
        self._schedule = Schedule(self._count, self._timeout, needs_copies=self._scalar_only, now=self._cluster.now())

    def _plan_of_copies(self, plan: Plan, learner: Learner) -> Plan:
        """Returns a plan for workers with copies of the learner, which are sent anew unless they are up to date."""
        generation = plan.rows.generation
        if self._learner is not learner or self._copied_generation != generation:
            self._schedule.forget_copies()
        self._learner, self._copied_generation = learner, generation
        return replace(plan, rows=None, copied=(generation, learner.digest()))

    def _turn(self) -> None:
        """Waits until something happens, for a second at most, and deals with it."""
        self._make_calls()
        waited_for = {call.answer: call for call in self._schedule.waited_for}
        seconds = self._schedule.seconds_to_wait(self._cluster.now())
        for answer in self._cluster.wait(list(waited_for), seconds):
            self._take_answer(waited_for[answer])
        now = self._cluster.now()
        for worker in self._schedule.overdue(now):
            self._replace(worker, f"no answer within actor_timeout = {self._timeout:g} seconds")
        self._check_start(now)

    def _make_calls(self) -> None:
        for call in self._schedule.take_calls(self._cluster.now()):
            if call.method == "ready":
                self._workers[call.worker] = self._cluster.start_worker(self._setup)
            call.answer = self._cluster.call(self._workers[call.worker], call.method, *self._message(call))

    def _message(self, call: Call) -> list:
        if call.method == "play":
            message = [RANGE.pack(*call.rows)]
            if self._values is not None:
                message.append(self._values[self._part(call.rows)].numpy().tobytes())
            self._bytes["bytes_sent"] += sum(map(len, message))
            return message
        if call.method == "begin":
            return [self._plan]
        if call.method == "learn":
            return [self._scores]
        if call.method == "adopt":
            if self._copy is None:
                self._copy = self._share(self._learner, "startup_bytes_sent")
            return [self._copy]
        return []

    def _share(self, message: object, name: str = "bytes_sent"):
        """Pickles a message that all workers read, and counts its bytes once."""
        message = self._cluster.pickle(message)
        self._bytes[name] += len(message)
        return self._cluster.share(message)

    def _take_answer(self, call: Call) -> None:
        try:
            content = self._cluster.result(call.answer)
        except WorkerLost as error:
            self._replace(call.worker, str(error))
            return
        except CallFailed as error:
            raise WorkerError(f"{self._doing(call)}: {error.cause!r}") from error
        self._schedule.answered(call.worker, self._cluster.now())
        self._bytes["bytes_received"] += len(content or b"")
        if call.method == "play" and call.counts:
            part = self._part(call.rows)
            self._returns[part], self._lengths[part] = unpack_episodes(content, self._returns[part].shape)
        elif call.method == "hand_over" and call.counts:
            self._visited.merge(VisitedStates.from_bytes(content))

    def _replace(self, worker: int, reason: str) -> None:
        loss = self._schedule.lost(worker, self._cluster.now())
        self._replaced += 1
        self._cluster.end_worker(self._workers.pop(worker))
        _logger.warning("%s: a worker was lost and is replaced: %s", self._doing(loss.call), reason)
        if loss.ends_the_run:
            doing = self._doing(loss.call)
            raise WorkerError(f"{doing}: {loss.in_a_row} workers were lost one after the other: {reason}")

    def _check_start(self, now: float) -> None:
        never, late = self._schedule.starts_never(now), self._schedule.starts_late(now)
        if not (never or late):
            return
        situation = (
            f"{self._schedule.num_starting} of {self._count} workers have not started; {self._cluster.describe_room()}"
        )
        if never:
            raise WorkerError(f"num_actors: {situation}, and has not for {schedule.START_SECONDS:g} seconds")
        _logger.warning("%s: waiting, see `ray status`", situation)

    def _doing(self, call: Call) -> str:
        if call.rows is None or not call.counts:
            return f"a worker failed in {call.method}"
        return f"rows {call.rows[0]} to {call.rows[1] - 1} of generation {self._generation + 1}"

    def _part(self, rows: tuple[int, int]) -> slice:
        """Where the results of some rows stand."""
        return slice(rows[0] - self._first_row, rows[1] - self._first_row)
