"""Ray workers that play a generation: who plays what, and what happens when one of them is lost."""

import contextlib
import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from ec_evotorch.generation.learner import Learner
from ec_evotorch.rollout.visited_states import VisitedStates
from ec_evotorch.rollout.workers.worker import RANGE, Worker

START_SECONDS = 300.0  # that the first worker may take to start, and to find room in the cluster
MOST_LOSSES = 3  # of workers at the same rows, or of one that never played anything
_SECONDS_BEFORE_COMPLAINT = 15.0
_CALLS_AHEAD = 2  # of ranges, so that no worker waits for its next one
_RANGES_PER_WORKER = 8  # if all ranges were as long as the first
_MOST_RANGES_PER_WORKER = 64

_logger = logging.getLogger(__name__)


class WorkerError(RuntimeError):
    """Rows that cannot be played, or workers that cannot be kept."""


@dataclass
class Plan:
    """What a worker must know of a generation.

    Attributes:
        generation: of the problem, for the seeds of episodes.
        rows: The population (`BernoulliRows` and the like), or None where values come with each range, or where the
            worker's copy of the search makes it.
        copied: (generation of the search, digest of what it has learned) where the worker has a copy.
        mean: of observations, or None; frozen within the generation.
        stdev: likewise.
    """

    generation: int
    rows: object
    copied: tuple[int, bytes] | None
    mean: np.ndarray | None
    stdev: np.ndarray | None


@dataclass
class _Call:
    method: str
    answer: object  # Ray's reference
    rows: tuple[int, int] | None = None


@dataclass
class _Member:
    """A worker as the driver sees it."""

    actor: object
    calls: deque[_Call] = field(default_factory=deque)  # it answers them one after the other
    since: float = field(default_factory=time.monotonic)  # when the first of them began
    ready: bool = False
    has_copy: bool = False  # of the search, and has been told all that it learned from
    counted: list[tuple[int, int]] = field(default_factory=list)  # played; it has not handed over what they visited
    losses: int = 0  # of its predecessors since the last one that played anything
    complained: bool = False


class Workers:
    """A fixed number of workers. Ranges of rows are pulled: who is early plays more.

    Ranges get shorter towards the end of a generation. Which worker plays what changes no result: returns are functions
    of the row, and the sums over visited states are exact, whatever their grouping.

    A worker that dies, or takes longer than `timeout` for one call, is killed and replaced. Rows whose results it has
    not yet given are played again, and so are those whose visited states it alone had counted: nothing is missing and
    nothing counts twice.

    With `scalar_only` each worker has a copy of the search, which is sent once; thereafter it learns by itself from the
    scores of all rows. Source: Wang et al. (2023), https://arxiv.org/abs/2305.17650, section 5.

    Args:
        make_problem: Called without arguments in each worker, returns its problem.
        count: Workers.
        timeout: Seconds that a call may take.
        num_episodes: of each row.
        obs_length: of an observation.
        scalar_only: see above.

    Raises:
        ValueError: `make_problem` cannot be pickled.
    """

    def __init__(
        self, make_problem: Callable, count: int, timeout: float, num_episodes: int, obs_length: int, scalar_only: bool
    ):
        from ray import cloudpickle

        try:
            self._make_problem = cloudpickle.dumps(make_problem)
        except Exception as error:  # whatever an object's own way of being pickled raises
            raise ValueError(f"env, agent: expected functions that can be pickled, for the workers; {error}") from error
        self._count, self._timeout = count, timeout
        self._num_episodes, self._obs_length, self._scalar_only = num_episodes, obs_length, scalar_only
        self._members: list[_Member] = []
        self._learner: Learner | None = None  # of which the members have copies
        self._copied_generation = 0  # the generation whose rows the copies would make next
        self._rows: object = None
        self._replaced = 0
        self._bytes, self._reported = Counter(), Counter()

    @property
    def actors(self) -> list | None:
        """Ray's handles of the workers, or None while there are none."""
        return [member.actor for member in self._members] or None

    @property
    def status(self) -> dict[str, int]:
        """Entries for EvoTorch's status; bytes are those of the last generation."""
        return {name: self._reported[name] for name in ("bytes_sent", "bytes_received", "startup_bytes_sent")} | {
            "replaced_workers": self._replaced
        }

    def is_playing(self, rows: object) -> bool:
        """Whether these are the rows of the generation that has begun."""
        return rows is not None and rows is self._rows

    def begin(
        self,
        first_row: int,
        stop_row: int,
        plan: Plan,
        values: torch.Tensor | None = None,
        learner: Learner | None = None,
    ) -> None:
        """Lets the workers begin with a generation; what they were at before is dropped.

        Args:
            first_row: of the rows to play.
            stop_row: the one after the last.
            plan: with rows unless there are values.
            values: (stop_row − first_row, L) solutions, or None.
            learner: of which the workers are to have copies, with `scalar_only`.
        """
        self._start()
        self._rows, self._values, self._first_row = plan.rows, values, first_row
        if self._scalar_only:
            generation = plan.rows.generation
            if self._learner is not learner or self._copied_generation != generation:
                for member in self._members:
                    member.has_copy = False
            self._learner, self._copied_generation = learner, generation
            plan.copied, plan.rows = (generation, learner.digest()), None
        self._generation = plan.generation
        self._plan, self._copy = self._put(plan), None
        shape = (stop_row - first_row, self._num_episodes)
        self._returns, self._lengths = np.zeros(shape), np.zeros(shape, dtype=np.int64)
        self._played = np.zeros(shape[0], dtype=bool)
        self._visited = VisitedStates(self._obs_length)
        self._uncounted = shape[0]  # rows whose visited states are not in yet
        self._losses_at: Counter = Counter()
        self._next_row, self._stop_row = first_row, stop_row
        self._again: deque[tuple[int, int]] = deque()
        for member in self._members:
            member.counted = []
            for call in member.calls:
                call.rows = None
            if member.ready:
                self._brief(member)
        self._hand_out()

    def results(self, first_row: int, stop_row: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns of some rows and lengths of their episodes, (rows, num_episodes) each, once they are played.

        Raises:
            WorkerError: an environment or agent raised an exception, or workers are lost again and again.
        """
        part = slice(first_row - self._first_row, stop_row - self._first_row)
        while not self._played[part].all():
            self._turn()
        return self._returns[part], self._lengths[part]

    def end(self) -> VisitedStates:
        """The states that were visited in the generation, which is over then.

        Raises:
            WorkerError: as `results`.
        """
        while self._uncounted:
            self._turn()
        self._rows = self._values = self._plan = self._copy = None
        self._reported, self._bytes = self._bytes, Counter()
        return self._visited

    def tell(self, scores: np.ndarray) -> None:
        """Lets the copies of the search learn from the generation that is over, without waiting for them.

        Args:
            scores: see `encode_scores`.
        """
        self._copied_generation += 1  # before anything can interrupt: copies that disagree are sent anew
        scores = self._put(scores)
        for member in self._members:
            if member.has_copy:
                self._call(member, "learn", scores)

    def kill(self) -> None:
        """Ends the workers; the next generation starts others."""
        import ray

        if ray.is_initialized():  # else they have ended with Ray, which must not start again for them
            for member in self._members:
                with contextlib.suppress(ray.exceptions.ActorHandleNotFoundError):  # of a Ray that was shut down
                    ray.kill(member.actor)
        self._members, self._rows = [], None

    # --- who does what ---

    def _turn(self) -> None:
        """Waits until something happens, for a second at most, and deals with it."""
        import ray

        self._hand_out()
        first_answers = {member.calls[0].answer: member for member in self._members if member.calls}
        ray.wait(list(first_answers), timeout=self._seconds_to_wait())
        answered, _ = ray.wait(list(first_answers), num_returns=len(first_answers), timeout=0)
        for answer in answered:
            self._take_answer(first_answers[answer])
        for member in list(self._members):
            self._check_time(member)

    def _hand_out(self) -> None:
        """Gives each worker ranges to play, or asks it for what it has counted once there are none left."""
        for _ in range(_CALLS_AHEAD):
            for member in self._members:
                if member.ready and sum(call.method == "play" for call in member.calls) < _CALLS_AHEAD:
                    self._give_range(member)
        for member in self._members:
            if member.counted and not member.calls:
                self._call(member, "hand_over")

    def _give_range(self, member: _Member) -> None:
        if self._again:
            rows = self._again.popleft()
        elif self._next_row < self._stop_row:
            left, all_rows = self._stop_row - self._next_row, len(self._played)
            size = max(
                -(-left // (_RANGES_PER_WORKER * self._count)), -(-all_rows // (_MOST_RANGES_PER_WORKER * self._count))
            )
            rows = self._next_row, min(self._next_row + size, self._stop_row)
            self._next_row = rows[1]
        else:
            return
        message = [RANGE.pack(*rows)]
        if self._values is not None:
            message.append(self._values[rows[0] - self._first_row : rows[1] - self._first_row].numpy().tobytes())
        self._bytes["bytes_sent"] += sum(map(len, message))
        self._call(member, "play", *message, rows=rows)

    def _brief(self, member: _Member) -> None:
        """Tells a worker what this generation is."""
        if self._scalar_only and not member.has_copy:
            if self._copy is None:
                self._copy = self._put(self._learner, "startup_bytes_sent")
            self._call(member, "adopt", self._copy)
            member.has_copy = True
        self._call(member, "begin", self._plan)

    def _call(self, member: _Member, method: str, *message, rows: tuple[int, int] | None = None) -> None:
        if not member.calls:
            member.since = time.monotonic()
        member.calls.append(_Call(method, getattr(member.actor, method).remote(*message), rows))

    def _put(self, message: object, name: str = "bytes_sent"):
        """Pickles a message for all workers to read; Ray moves it once to each machine."""
        import ray
        from ray import cloudpickle

        message = cloudpickle.dumps(message)
        self._bytes[name] += len(message)
        return ray.put(message)

    # --- answers ---

    def _take_answer(self, member: _Member) -> None:
        import ray

        call = member.calls[0]
        try:
            answer = ray.get(call.answer)
        except ray.exceptions.RayTaskError as error:
            raise WorkerError(f"{self._doing(call)}: {error.cause!r}") from error
        except ray.exceptions.RayError as error:
            lines = str(error).splitlines() or [type(error).__name__]
            self._replace(member, lines[-1 if "creation task" in lines[0] else 0])
            return
        member.calls.popleft()
        member.since = time.monotonic()
        if call.method == "ready":
            member.ready = True
            self._brief(member)
        elif call.method == "play" and call.rows is not None:
            self._take_results(*call.rows, answer)
            member.counted.append(call.rows)
            member.losses = 0
        elif call.method == "hand_over":
            self._bytes["bytes_received"] += len(answer)
            if member.counted:  # else they are of an earlier generation
                self._visited.merge(VisitedStates.from_bytes(answer))
                self._uncounted -= sum(stop - first for first, stop in member.counted)
                member.counted = []

    def _take_results(self, first_row: int, stop_row: int, answer: bytes) -> None:
        self._bytes["bytes_received"] += len(answer)
        part = slice(first_row - self._first_row, stop_row - self._first_row)
        shape = self._returns[part].shape
        count = shape[0] * shape[1]
        self._returns[part] = np.frombuffer(answer, dtype=np.float64, count=count).reshape(shape)
        self._lengths[part] = np.frombuffer(answer, dtype=np.int32, offset=8 * count).reshape(shape)
        self._played[part] = True

    def _doing(self, call: _Call) -> str:
        if call.rows is None:
            return f"a worker failed in {call.method}"
        return f"rows {call.rows[0]} to {call.rows[1] - 1} of generation {self._generation + 1}"

    # --- losses ---

    def _seconds_to_wait(self) -> float:
        now = time.monotonic()
        ends = [member.since + self._timeout - now for member in self._members if member.ready and member.calls]
        return max(0.0, min([1.0, *ends]))

    def _check_time(self, member: _Member) -> None:
        seconds = time.monotonic() - member.since
        if member.ready and member.calls and seconds > self._timeout:
            self._replace(member, f"no answer within actor_timeout = {self._timeout:g} seconds")
        elif not member.ready and seconds > _SECONDS_BEFORE_COMPLAINT:
            import ray

            room = ray.available_resources().get("CPU", 0.0)
            waiting = sum(not other.ready for other in self._members)
            situation = f"{waiting} of {self._count} workers have not started; Ray has {room:g} free CPUs, each needs 1"
            if seconds > START_SECONDS and waiting == self._count:
                raise WorkerError(f"num_actors: {situation}, and has not for {START_SECONDS:g} seconds")
            if not member.complained:
                _logger.warning("%s: waiting, see `ray status`", situation)
                for other in self._members:
                    other.complained = True

    def _replace(self, member: _Member, reason: str) -> None:
        import ray

        lost = member.calls[0]
        losses = member.losses + 1
        if lost.rows is not None:
            self._losses_at[lost.rows] += 1
            losses = max(losses, self._losses_at[lost.rows])
        _logger.warning("%s: a worker was lost and is replaced: %s", self._doing(lost), reason)
        ray.kill(member.actor)
        unfinished = [call.rows for call in member.calls if call.rows is not None]
        self._again.extendleft(reversed(unfinished + member.counted))
        self._replaced += 1
        self._members[self._members.index(member)] = self._start_one(member.losses + 1)
        if losses >= MOST_LOSSES:
            raise WorkerError(f"{self._doing(lost)}: {losses} workers were lost one after the other: {reason}")

    def _start(self) -> None:
        import ray

        if self._members and ray.is_initialized():
            return
        connect_to_ray(self._count)
        self._setup = ray.put(self._make_problem)
        self._bytes["startup_bytes_sent"] += len(self._make_problem)
        self._members = [self._start_one() for _ in range(self._count)]

    def _start_one(self, losses: int = 0) -> _Member:
        import ray

        member = _Member(ray.remote(num_cpus=1)(Worker).remote(self._setup), losses=losses)
        self._call(member, "ready")
        return member


def connect_to_ray(num_cpus: int) -> None:
    """Starts Ray, unless that was done already: the cluster that RAY_ADDRESS names, or one of this machine's own."""
    import ray

    if ray.is_initialized():
        return
    quietly = {"logging_level": logging.ERROR, "log_to_driver": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quietly)
    else:
        ray.init("local", num_cpus=max(num_cpus, os.cpu_count() or 1), include_dashboard=False, **quietly)
