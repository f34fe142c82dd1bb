"""What holds for the whole test run."""

import os

# By default Ray's workers yield to all other processes: beside two busy ones a test of 12 s took 145.
os.environ.setdefault("RAY_worker_niceness", "0")
