"""What holds for the whole test run."""

import os

os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's workers yield to all else by default, here to other tests
