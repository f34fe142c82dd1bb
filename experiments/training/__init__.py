"""Training one run or a sweep of runs, with progress, logging and resumption."""
