"""The driver of many workers, tried out without them: cluster and workers are simulated, the driver's code is real."""

import pickle
import time
from dataclasses import dataclass

import numpy as np
import torch

from ec_evotorch.rollout.visited_states import VisitedStates
from ec_evotorch.rollout.workers.driver import Workers
from ec_evotorch.rollout.workers.messages import RANGE, Plan, pack_episodes


@dataclass
class Costs:
    """What things take, in seconds.

    Attributes:
        step_seconds: An environment step, agent included, in one thread.
        learn_seconds: Sampling the population once more and learning from it, by the driver.
        call_seconds: What a call to a worker and its answer cost the driver.
        latency_seconds: From a call to the answer of a worker that has nothing to do.
    """

    step_seconds: float
    learn_seconds: float
    call_seconds: float
    latency_seconds: float


@dataclass
class Simulated:
    """What a simulated generation took.

    Attributes:
        seconds: Time until all results were in.
        calls: Number of calls to workers.
        sent: Bytes sent by the driver.
        received: Bytes received by the driver.
    """

    seconds: float
    calls: int
    sent: int
    received: int


class SimulatedCluster:
    """A `Cluster` in simulated time whose workers only say how long they would play.

    Time goes on as the driver computes, by `call_seconds` for each call, and jumps when the driver waits.

    Attributes:
        calls: Number of calls to workers so far.

    Args:
        lengths: (N,) steps of each row's episode.
        obs_length: Length of an observation.
        costs: What things take.
    """

    def __init__(self, lengths: np.ndarray, obs_length: int, costs: Costs):
        self._lengths, self._costs = lengths, costs
        self._now, self._mark = 0.0, time.perf_counter()
        self.calls = 0
        visited = VisitedStates(obs_length)
        visited.add(np.ones(2, dtype=np.int64), np.ones((2, obs_length)) / 3, np.ones((2, obs_length)) / 7)
        self._visited = visited.to_bytes()

    def connect(self, num_workers: int) -> None:
        """Does nothing: there is room for any number of workers."""

    def is_connected(self) -> bool:
        """Returns True."""
        return True

    def pickle(self, message: object) -> bytes:
        """Pickles an object."""
        return pickle.dumps(message)

    def share(self, message: bytes) -> bytes:
        """Returns the message, which takes no time."""
        return message

    def start_worker(self, make_problem: bytes) -> "_Worker":
        """Starts a worker, which takes no time."""
        return _Worker()

    def end_worker(self, worker: "_Worker") -> None:
        """Does nothing."""

    def call(self, worker: "_Worker", method: str, *message: bytes) -> "_Answer":
        """Lets a worker answer once it has answered all earlier calls and has played as many steps as it must."""
        self._now = self.now() + self._costs.call_seconds
        self.calls += 1
        seconds, content = 0.0, None
        if method == "play":
            first_row, stop_row = RANGE.unpack(message[0])
            lengths = self._lengths[first_row:stop_row]
            seconds, content = lengths.sum() * self._costs.step_seconds, pack_episodes(np.zeros(len(lengths)), lengths)
        elif method == "hand_over":
            content = self._visited
        worker.busy_until = max(worker.busy_until, self._now + self._costs.latency_seconds / 2) + seconds
        return _Answer(worker.busy_until + self._costs.latency_seconds / 2, content)

    def wait(self, answers: list["_Answer"], seconds: float) -> list["_Answer"]:
        """Lets time jump to the first answer, or to the end of the wait, and returns what has come by then."""
        now = self.now()
        self._now = max(now, min(now + seconds, min(answer.time for answer in answers)))
        return [answer for answer in answers if answer.time <= self._now]

    def result(self, answer: "_Answer") -> bytes | None:
        """Returns the content of an answer."""
        return answer.content

    def describe_room(self) -> str:
        """Says that there is room."""
        return "a simulated cluster has room for any number"

    def now(self) -> float:
        """Returns the simulated time."""
        mark = time.perf_counter()
        self._now += mark - self._mark
        self._mark = mark
        return self._now


@dataclass(eq=False)
class _Worker:
    busy_until: float = 0.0


@dataclass(eq=False)
class _Answer:
    time: float
    content: bytes | None


def simulate_generation(
    num_workers: int, lengths: np.ndarray, obs_length: int, solution_length: int, costs: Costs
) -> Simulated:
    """Lets the real driver play a generation with simulated workers.

    Args:
        num_workers: Number of workers.
        lengths: (N,) steps of each row's episode.
        obs_length: Length of an observation.
        solution_length: Length of a solution, L; the driver sends as many probabilities.
        costs: What things take, as measured.
    """
    cluster = SimulatedCluster(lengths, obs_length, costs)
    workers = Workers(dict, num_workers, float("inf"), 1, obs_length, scalar_only=False, cluster=cluster)
    rho = torch.full((solution_length,), 0.5)
    workers.begin(Plan(0, rho, None, np.zeros(obs_length), np.ones(obs_length)), 0, len(lengths))
    workers.results(0, len(lengths))
    workers.end()
    status = workers.status
    return Simulated(float(cluster.now()), cluster.calls, status["bytes_sent"], status["bytes_received"])
