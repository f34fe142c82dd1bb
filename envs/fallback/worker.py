"""The process that plays some sub-environments of an `AsyncFallbackVectorEnv`.

It answers messages (number, method, arguments) with (number, result, exception), one after another, and ends with the
connection: when the process at its other end has closed it, or has ended.
"""

import pickle
import signal
from multiprocessing.connection import Connection

from envs.fallback.sync_env import FallbackVectorEnv

START = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from envs.fallback.worker import main
main(int(sys.argv[1]))
"""
"""What Python is started with: the number of a file descriptor, and where modules are searched, as JSON."""


def main(descriptor: int) -> None:
    """Serves the connection that is open under a file descriptor, to its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    with Connection(descriptor) as connection:
        env = None
        while True:
            try:
                number, method, arguments = connection.recv()
            except (EOFError, OSError):
                return
            try:
                if env is None:
                    env = _make(*arguments)
                    answer = None
                else:
                    answer = getattr(env, method)(*arguments[0], **arguments[1])
                connection.send((number, answer, None))
            except (BrokenPipeError, ConnectionResetError):
                return
            except Exception as error:  # whatever the environment's author did not think of
                connection.send((number, None, _that_travels(error)))


def _make(pickled: bytes, num_envs: int) -> FallbackVectorEnv:
    return FallbackVectorEnv(pickle.loads(pickled), num_envs)


def _that_travels(error: Exception) -> Exception:
    """Returns an exception as it is, or what it says if it cannot be pickled and unpickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
