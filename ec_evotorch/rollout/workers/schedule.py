"""Which worker plays which rows of a generation, and what is to be done when a worker is lost.

Nothing here knows of processes, messages or clocks: a caller asks which calls to make, and tells which were answered
and which workers were lost, and at what time.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

Rows = tuple[int, int]
"""The first row of a range, and the one after the last."""

START_SECONDS = 300.0  # that the first worker may take to start, and to find room in the cluster
SECONDS_BEFORE_COMPLAINT = 15.0  # that any worker may take to start before the user is told
MOST_LOSSES = 3  # of workers at the same rows, or of one and its replacements that never played anything
_CALLS_AHEAD = 2  # ranges that a worker has at once, so that it never waits for its next one
_RANGES_PER_WORKER = 8  # if all ranges were as long as the first
_MOST_RANGES_PER_WORKER = 64
_LONGEST_WAIT = 1.0  # seconds


@dataclass(eq=False)
class Call:
    """A method of a worker that the caller calls for the schedule.

    Attributes:
        worker: Number of the worker.
        method: "ready", "adopt", "begin", "play", "hand_over" or "learn", see `Worker`.
        rows: The rows to play, for "play".
        counts: Whether the answer counts; it does not once another generation has begun.
        answer: Whatever the caller waits for; the schedule does not look at it.
    """

    worker: int
    method: str
    rows: Rows | None = None
    counts: bool = True
    answer: object = None


@dataclass(frozen=True)
class Loss:
    """A worker that was lost.

    Attributes:
        call: The call that it was answering.
        in_a_row: How many workers were lost one after the other, at the same rows or without having played anything.
    """

    call: Call
    in_a_row: int

    @property
    def ends_the_run(self) -> bool:
        """Whether so many were lost that another replacement would hardly fare better."""
        return self.in_a_row >= MOST_LOSSES


@dataclass(eq=False)
class _Worker:
    """What the schedule knows of a worker."""

    number: int
    since: float  # when it began its first call, in seconds
    losses: int = 0  # of its predecessors since the last one that played anything
    calls: deque[Call] = field(default_factory=deque)  # it answers them one after the other
    ready: bool = False
    has_copy: bool = False  # of the search, and was told all that the search has learned from
    counted: list[Rows] = field(default_factory=list)  # played, but the states visited there are not handed over yet
    late: bool = False  # the user was told that it has not started yet

    @property
    def has_room(self) -> bool:
        return self.ready and sum(call.method == "play" for call in self.calls) < _CALLS_AHEAD


class Schedule:
    """Hands out the rows of a generation to a fixed number of workers.

    Workers fetch small ranges of rows, so that faster workers play more; ranges get shorter towards the end of a
    generation. A worker that was lost is replaced by a new one with a new number. Rows that it had not answered yet are
    played again, and so are those whose visited states it alone had counted: in the end every row is played, and the
    states of every row are handed over exactly once.

    Times are in seconds, from any beginning.

    Args:
        count: Number of workers.
        timeout: Seconds that a worker may take for a call, once it has started.
        needs_copies: Whether each worker must adopt a copy of the search before it begins its first generation.
        now: Time at which the workers are started.
    """

    def __init__(self, count: int, timeout: float, *, needs_copies: bool, now: float):
        self._count, self._timeout, self._needs_copies = count, timeout, needs_copies
        self._to_make: list[Call] = []
        self._started = 0
        self._workers: dict[int, _Worker] = {}
        for _ in range(count):
            self._start_worker(now)
        self._set_rows(0, 0)

    # --- what the caller does ---

    def begin(self, first_row: int, stop_row: int, now: float) -> None:
        """Begins a generation; answers that are still to come from the one before no longer count.

        Args:
            first_row: The first row to play.
            stop_row: The row after the last one.
            now: The time.
        """
        self._set_rows(first_row, stop_row)
        for worker in self._workers.values():
            worker.counted = []
            for call in worker.calls:
                call.counts = False
            if worker.ready:
                self._brief(worker, now)

    def learn(self, now: float) -> None:
        """Lets every copy of the search learn from the generation that is over."""
        for worker in self._workers.values():
            if worker.has_copy:
                self._call(worker, "learn", now)

    def forget_copies(self) -> None:
        """Lets every worker adopt another copy of the search before the next generation."""
        for worker in self._workers.values():
            worker.has_copy = False

    def take_calls(self, now: float) -> list[Call]:
        """Returns the calls to make now, in their order; a "ready" is the first call of a worker yet to be started."""
        for _ in range(_CALLS_AHEAD):
            for worker in self._workers.values():
                if worker.has_room and (rows := self._next_rows()) is not None:
                    self._call(worker, "play", now, rows)
        for worker in self._workers.values():
            if worker.counted and not worker.calls:
                self._call(worker, "hand_over", now)
        calls, self._to_make = self._to_make, []
        return calls

    # --- what the caller is told ---

    def answered(self, number: int, now: float) -> Call:
        """Takes note that a worker has answered its first call, and returns that call."""
        worker = self._workers[number]
        call = worker.calls.popleft()
        worker.since = now
        if call.method == "ready":
            worker.ready = True
            self._brief(worker, now)
        elif call.method == "play" and call.counts:
            self._mark_played(call.rows)
            worker.counted.append(call.rows)
            worker.losses = 0
        elif call.method == "hand_over" and call.counts:
            self._uncounted -= sum(stop - first for first, stop in worker.counted)
            worker.counted = []
        return call

    def lost(self, number: int, now: float) -> Loss:
        """Takes note that a worker was lost before it answered its first call, and has another one started."""
        worker = self._workers.pop(number)
        unanswered = [call.rows for call in worker.calls if call.rows is not None and call.counts]
        self._again.extendleft(reversed(unanswered + worker.counted))
        self._to_make = [call for call in self._to_make if call.worker != number]
        self._start_worker(now, worker.losses + 1)
        at, in_a_row = worker.calls[0], worker.losses + 1
        if at.rows is not None and at.counts:
            self._losses_at[at.rows] += 1
            in_a_row = max(in_a_row, self._losses_at[at.rows])
        return Loss(at, in_a_row)

    # --- what the caller may ask ---

    @property
    def waited_for(self) -> Iterator[Call]:
        """The call that each worker answers next."""
        return (worker.calls[0] for worker in self._workers.values() if worker.calls)

    def is_played(self, first_row: int, stop_row: int) -> bool:
        """Returns whether all of some rows are played."""
        return self._played.find(0, first_row - self._first_row, stop_row - self._first_row) < 0

    @property
    def is_counted(self) -> bool:
        """Whether the states visited in the generation are all handed over."""
        return not self._uncounted

    @property
    def num_starting(self) -> int:
        """Number of workers that have not started yet."""
        return sum(not worker.ready for worker in self._workers.values())

    def overdue(self, now: float) -> list[int]:
        """Returns the numbers of workers that have taken all the time they may for a call."""
        return [w.number for w in self._workers.values() if w.ready and w.calls and now - w.since >= self._timeout]

    def starts_late(self, now: float) -> bool:
        """Returns whether a worker has not started for long; once for all that are starting now."""
        starting = [worker for worker in self._workers.values() if not worker.ready]
        if not any(now - worker.since > SECONDS_BEFORE_COMPLAINT and not worker.late for worker in starting):
            return False
        for worker in starting:
            worker.late = True
        return True

    def starts_never(self, now: float) -> bool:
        """Returns whether no worker has started, for so long that none will."""
        nobody = self.num_starting == self._count
        return nobody and any(now - worker.since > START_SECONDS for worker in self._workers.values())

    def seconds_to_wait(self, now: float) -> float:
        """Returns for how long to wait for an answer before asking for what is overdue, a second at most."""
        ends = [
            worker.since + self._timeout - now for worker in self._workers.values() if worker.ready and worker.calls
        ]
        return max(0.0, min([_LONGEST_WAIT, *ends]))

    # --- how it is done ---

    def _set_rows(self, first_row: int, stop_row: int) -> None:
        self._first_row, self._next_row, self._stop_row = first_row, first_row, stop_row
        self._played = bytearray(stop_row - first_row)  # 1 where a row is played
        self._uncounted = stop_row - first_row  # rows whose visited states are not handed over yet
        self._again: deque[Rows] = deque()
        self._losses_at: Counter[Rows] = Counter()

    def _mark_played(self, rows: Rows) -> None:
        first, stop = rows[0] - self._first_row, rows[1] - self._first_row
        self._played[first:stop] = b"\1" * (stop - first)

    def _next_rows(self) -> Rows | None:
        if self._again:
            return self._again.popleft()
        left = self._stop_row - self._next_row
        if not left:
            return None
        size = max(
            _divide_up(left, _RANGES_PER_WORKER * self._count),
            _divide_up(len(self._played), _MOST_RANGES_PER_WORKER * self._count),
        )
        first_row, self._next_row = self._next_row, min(self._next_row + size, self._stop_row)
        return first_row, self._next_row

    def _start_worker(self, now: float, losses: int = 0) -> None:
        worker = _Worker(self._started, since=now, losses=losses)
        self._started += 1
        self._workers[worker.number] = worker
        self._call(worker, "ready", now)

    def _brief(self, worker: _Worker, now: float) -> None:
        """Tells a worker what this generation is."""
        if self._needs_copies and not worker.has_copy:
            self._call(worker, "adopt", now)
            worker.has_copy = True
        self._call(worker, "begin", now)

    def _call(self, worker: _Worker, method: str, now: float, rows: Rows | None = None) -> None:
        if not worker.calls:
            worker.since = now
        call = Call(worker.number, method, rows)
        worker.calls.append(call)
        self._to_make.append(call)


def _divide_up(number: int, divisor: int) -> int:
    return -(-number // divisor)
