"""New Python processes that have imported the heavy packages already: forked from one that did nothing but import them.

Starting Python and importing PyTorch, EvoTorch and Ray takes five seconds of processor time, a fork a hundredth of one.
What is forked is a process of its own, with its own modules, folder, environment, streams and exit code, and knows of
no module but these packages. A test whose subject is what is imported, or how Python starts, starts Python instead.

Run as a program, this file is the process that is forked. It reads one JSON object a line, the arguments of `_become`,
and answers with the exit code, or minus the number of the signal.
"""

import atexit
import gc
import json
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = "import evotorch.algorithms, experiments.training.run, matplotlib.pyplot, ray"


def forked_python(*words: str, after: str = PACKAGES, **environment: str) -> subprocess.CompletedProcess:
    """Runs `python WORDS` in the working directory, in a process forked from one that has imported packages.

    Args:
        *words: `-m MODULE`, `-c PROGRAM` or the path of a program, and then its arguments.
        after: What the process that is forked has done before, once for all calls with these words: Python.
        **environment: Further variables of its environment. `PYTHONPATH` is the root of the checkout.

    Returns:
        The exit code, and what was written to stdout and stderr.
    """
    server = _server(after)
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("stdout", "stderr")]
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
        asked = {"words": words, "folder": os.getcwd(), "environment": environment, "streams": [*map(str, streams)]}
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess([*words], code, *(stream.read_text("utf-8") for stream in streams))


@cache
def _server(after: str) -> subprocess.Popen:
    """Starts the process that is forked; it ends when the tests do, with its stdin."""
    command = [sys.executable, "-P", __file__, after]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _become(words: list[str], folder: str, environment: dict[str, str], streams: list[str]) -> None:
    """Does in a fork what Python does when it starts, and runs the program."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in enumerate([os.devnull, *streams]):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), descriptor)
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = os.fdopen(0, encoding=encoding)
    sys.stdout = os.fdopen(1, "w", encoding=encoding)
    sys.stderr = os.fdopen(2, "w", encoding=encoding, errors="backslashreplace", buffering=1)
    kind, *rest = words
    if kind == "-m":
        sys.argv, sys.path = rest, [folder, *sys.path]
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv, sys.path = ["-c", *rest[1:]], ["", *sys.path]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv, sys.path = words, [str(Path(kind).resolve().parent), *sys.path]
        runpy.run_path(kind, run_name="__main__")


def _exit_code(run: Callable[[], None]) -> int:
    """Returns the code with which Python ends after a program, of which it says on stderr what it has raised."""
    try:
        run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _serve(after: str) -> None:
    exec(after, {})
    gc.freeze()  # so that the forks do not copy what they do not change
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = _exit_code(partial(_become, **json.loads(line)))
            threading._shutdown()
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # to take all modules down would take a second
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
