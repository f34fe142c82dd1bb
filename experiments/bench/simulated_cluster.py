"""The driver of many workers, tried out without them: Ray and the workers are simulated, the driver's code is real."""

import pickle
import sys
import time
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch

from ec_evotorch.generation.seeded_rows import BernoulliRows
from ec_evotorch.rollout.visited_states import VisitedStates
from ec_evotorch.rollout.workers import driver as workers
from ec_evotorch.rollout.workers.worker import RANGE


@dataclass
class Costs:
    """What things take, in seconds.

    Attributes:
        step_seconds: an environment step, agent included, in one thread.
        learn_seconds: sampling the population once more and learning from it, by the driver.
        call_seconds: of the driver, for a call to a worker and its answer.
        latency_seconds: from a call to the answer of a worker that has nothing to do.
    """

    step_seconds: float
    learn_seconds: float
    call_seconds: float
    latency_seconds: float


@dataclass
class Simulated:
    """What a simulated generation took.

    Attributes:
        seconds: until all results were in.
        calls: to workers.
        sent: bytes by the driver.
        received: bytes by the driver.
    """

    seconds: float
    calls: int
    sent: int
    received: int


class _Ray:
    """The part of Ray's interface that `Workers` uses, in simulated time.

    Time goes on as the driver computes, by `call_seconds` for each call, and jumps when the driver waits.
    """

    def __init__(self, lengths: np.ndarray, obs_length: int, costs: Costs):
        self._lengths, self._costs = lengths, costs
        self._now, self._mark = 0.0, time.perf_counter()
        self.calls = 0
        visited = VisitedStates(obs_length)
        visited.add(np.ones(2, dtype=np.int64), np.ones((2, obs_length)) / 3, np.ones((2, obs_length)) / 7)
        self._visited = visited.to_bytes()
        self.cloudpickle = pickle
        self.exceptions = SimpleNamespace(RayTaskError=_Never, RayError=_Never)

    def now(self) -> float:
        mark = time.perf_counter()
        self._now += mark - self._mark
        self._mark = mark
        return self._now

    def is_initialized(self) -> bool:
        return True

    def put(self, message: bytes) -> bytes:
        return message

    def remote(self, **options):
        return lambda worker: SimpleNamespace(remote=lambda setup: _Actor(self))

    def call(self, actor: "_Actor", method: str, message: tuple) -> "_Answer":
        self.now()
        self._now += self._costs.call_seconds
        self.calls += 1
        seconds, content = 0.0, None
        if method == "play":
            first_row, stop_row = RANGE.unpack(message[0])
            lengths = self._lengths[first_row:stop_row]
            seconds = lengths.sum() * self._costs.step_seconds
            content = np.zeros(len(lengths)).tobytes() + lengths.astype(np.int32).tobytes()
        elif method == "hand_over":
            content = self._visited
        actor.busy_until = max(actor.busy_until, self._now + self._costs.latency_seconds / 2) + seconds
        return _Answer(actor.busy_until + self._costs.latency_seconds / 2, content)

    def wait(self, answers: list["_Answer"], num_returns: int = 1, timeout: float | None = None):
        now = self.now()
        in_order = sorted(answers, key=lambda answer: answer.time)
        until = in_order[num_returns - 1].time
        if timeout is not None:
            until = min(until, now + timeout)
        self._now = max(now, until)
        ready = [answer for answer in in_order[:num_returns] if answer.time <= self._now]
        return ready, [answer for answer in answers if answer not in ready]

    def get(self, answer: "_Answer"):
        return answer.content


class _Never(Exception):
    """What the simulated workers never raise."""


class _Actor:
    def __init__(self, ray: _Ray):
        self._ray, self.busy_until = ray, 0.0

    def __getattr__(self, method: str):
        return SimpleNamespace(remote=lambda *message: self._ray.call(self, method, message))


class _Answer:
    def __init__(self, time: float, content: bytes | None):
        self.time, self.content = time, content


def simulate_generation(
    num_workers: int, lengths: np.ndarray, obs_length: int, solution_length: int, costs: Costs
) -> Simulated:
    """Lets the real driver play a generation with simulated workers.

    Args:
        num_workers: How many.
        lengths: (N,) steps of each individual's episode.
        obs_length: of an observation.
        solution_length: L, of ρ.
        costs: Measured ones.
    """
    ray = _Ray(lengths, obs_length, costs)
    real_ray, real_time = sys.modules.get("ray"), workers.time
    sys.modules["ray"], workers.time = ray, SimpleNamespace(monotonic=ray.now)
    try:
        driver = workers.Workers(dict, num_workers, float("inf"), 1, obs_length, False)
        rows = BernoulliRows(torch.full((solution_length,), 0.5), 0, 0)
        plan = workers.Plan(0, rows, None, np.zeros(obs_length), np.ones(obs_length))
        driver.begin(0, len(lengths), plan)
        driver.results(0, len(lengths))
        driver.end()
        status = driver.status
        return Simulated(float(ray.now()), ray.calls, status["bytes_sent"], status["bytes_received"])
    finally:
        workers.time = real_time
        del sys.modules["ray"]
        if real_ray is not None:
            sys.modules["ray"] = real_ray
