"""Runs commands in processes that are killed: reads one JSON object a line, forks, and answers with the exit status.

Importing everything once and forking makes a process that runs `ec-evotorch` start in a moment. The first line has the
words of a run to warm up with. Needs NUMBA_THREADING_LAYER=workqueue, which survives a fork. A command is

    {"words": [...], "folder": path, "after": seconds or null, "at": [name of a function of os, number of call] or null}

and dies by SIGKILL after so many seconds of processor time, which do not depend on what else the machine does, or when
it calls that function for that time. The answer is the exit code, or minus the number of the signal, and the seconds of
processor time that it took.
"""

import json
import os
import signal
import sys
import threading
import time

import torch

from experiments.cli import main


def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)


def die_after(seconds: float) -> None:
    start = time.process_time()
    while time.process_time() - start < seconds:
        time.sleep(0.0005)
    die()


def die_at(name: str, number: int) -> None:
    function, calls = getattr(os, name), []

    def count_and_call(*arguments, **keywords):
        calls.append(name)
        if len(calls) == number:
            die()
        return function(*arguments, **keywords)

    setattr(os, name, count_and_call)


def run(words: list[str], folder: str, after: float | None, at: list | None) -> tuple[int, float]:
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        if after is not None:
            threading.Thread(target=die_after, args=(after,), daemon=True).start()
        if at is not None:
            die_at(*at)
        code = 99  # a bug: its traceback is on stderr
        try:
            code = main(words)
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


torch.set_num_threads(1)
main(json.loads(sys.stdin.readline()))  # a first run here: what it loads and compiles, all children have
for line in sys.stdin:
    print(*run(**json.loads(line)), flush=True)
