"""What holds for the whole test run: how many tests run side by side, and that none waits for another one's work."""

import os

from native.threads import default_num_threads

os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's workers yield to all else by default, here to other tests


def pytest_xdist_auto_num_workers():
    """One process more than there are cores, because some tests wait for processes of their own."""
    return default_num_threads() + 1
