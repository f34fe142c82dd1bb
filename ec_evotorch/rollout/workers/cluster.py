"""What the driver of the workers needs of the processes that they run in; `RayCluster` offers it, and so may others."""

from typing import Protocol


class WorkerLost(Exception):
    """A worker's process has ended, or cannot be reached; the message says why."""


class CallFailed(Exception):
    """An exception in a worker; `cause` is that exception."""

    def __init__(self, cause: BaseException):
        super().__init__(repr(cause))
        self.cause = cause


class Cluster(Protocol):
    """Processes that workers run in, and the messages to them.

    A worker is whatever `start_worker` returns, a reference whatever `share` returns, an answer whatever `call`
    returns; answers can be keys of a dictionary.
    """

    def connect(self, num_workers: int) -> None:
        """Connects to the cluster, or starts one with room for so many workers, unless that was done already."""

    def is_connected(self) -> bool:
        """Returns whether there is a connection; the workers of an earlier one have ended with it."""

    def pickle(self, message: object) -> bytes:
        """Pickles an object, functions that are defined anywhere included."""

    def share(self, message: bytes) -> object:
        """Returns a reference, which a call may pass in the place of the message; the bytes then travel once."""

    def start_worker(self, make_problem: object) -> object:
        """Starts a `Worker` and returns it at once.

        Args:
            make_problem: A reference to the argument of `Worker`.
        """

    def end_worker(self, worker: object) -> None:
        """Ends a worker, whether or not it still lives."""

    def call(self, worker: object, method: str, *message) -> object:
        """Calls a method of a worker, after those called before, and returns the answer to come."""

    def wait(self, answers: list, seconds: float) -> list:
        """Waits until one of the answers has come, for so many seconds at most, and returns those that have."""

    def result(self, answer: object) -> bytes | None:
        """Returns what a method has returned.

        Raises:
            WorkerLost: If the worker was lost before.
            CallFailed: If the method has raised an exception.
        """

    def describe_room(self) -> str:
        """Returns, for a message, how much room there is for workers, and how much each needs."""

    def now(self) -> float:
        """Returns the time in seconds, from any beginning."""
