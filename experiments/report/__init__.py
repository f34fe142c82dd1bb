"""One HTML page about runs: what was run, what came out of it, and what the trained networks look like.

`report` makes the page, and `run_command` the command line that repeats a run.
"""

from experiments.report.report import report
from experiments.run_folder.run_command import run_command

__all__ = ["report", "run_command"]
