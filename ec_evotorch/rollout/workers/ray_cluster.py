"""Workers as Ray actors."""

import contextlib
import logging
import os
import time

from ec_evotorch.rollout.workers.cluster import CallFailed, WorkerLost
from ec_evotorch.rollout.workers.worker import Worker
from native.threads import default_num_threads


class RayCluster:
    """A `Cluster` of Ray actors with one CPU each. Ray is imported when the first object of this class is made."""

    def __init__(self):
        import ray
        from ray import cloudpickle

        self._ray, self.pickle = ray, cloudpickle.dumps

    def __reduce__(self):
        return RayCluster, ()

    def connect(self, num_workers: int) -> None:
        """Connects as `connect_to_ray` does."""
        connect_to_ray(num_workers)

    def is_connected(self) -> bool:
        """Returns whether Ray is initialised."""
        return self._ray.is_initialized()

    def share(self, message: bytes):
        """Puts a message into Ray's object store, which brings it to each machine once."""
        return self._ray.put(message)

    def start_worker(self, make_problem):
        """Starts an actor."""
        return self._ray.remote(num_cpus=1)(Worker).remote(make_problem)

    def end_worker(self, worker) -> None:
        """Kills an actor."""
        with contextlib.suppress(self._ray.exceptions.ActorHandleNotFoundError):  # of a Ray that was shut down
            self._ray.kill(worker)

    def call(self, worker, method: str, *message):
        """Calls a method of an actor."""
        return getattr(worker, method).remote(*message)

    def wait(self, answers: list, seconds: float) -> list:
        """Waits for the first answer, and returns all that have come by then."""
        self._ray.wait(answers, timeout=seconds)
        answered, _ = self._ray.wait(answers, num_returns=len(answers), timeout=0)
        return answered

    def result(self, answer) -> bytes | None:
        """Returns what a method has returned, or raises `WorkerLost` or `CallFailed`."""
        try:
            return self._ray.get(answer)
        except self._ray.exceptions.RayTaskError as error:
            raise CallFailed(error.cause) from error
        except self._ray.exceptions.RayError as error:
            lines = str(error).splitlines() or [type(error).__name__]
            # Where the actor could not be made, the last line has the reason.
            raise WorkerLost(lines[-1 if "creation task" in lines[0] else 0]) from error

    def describe_room(self) -> str:
        """Returns, for a message, how many CPUs Ray has left."""
        return f"Ray has {self._ray.available_resources().get('CPU', 0.0):g} free CPUs, each needs 1"

    def now(self) -> float:
        """Returns the time of a clock that is never set back."""
        return time.monotonic()


def connect_to_ray(num_cpus: int) -> None:
    """Connects to the cluster that RAY_ADDRESS names, or starts Ray on this machine, unless Ray was started already.

    Args:
        num_cpus: Number of workers for which a Ray on this machine must have room. It has room for one on each core
            that this process may use (see `default_num_threads`), if these are more.
    """
    import ray

    if ray.is_initialized():
        return
    quietly = {"logging_level": logging.ERROR, "log_to_driver": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quietly)
    else:
        ray.init("local", num_cpus=max(num_cpus, default_num_threads()), include_dashboard=False, **quietly)
