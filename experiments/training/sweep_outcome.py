"""Tells the state of the runs of a sweep by their status.json files, in the same way for every launcher."""

from collections import Counter

from experiments.run_folder.layout import is_held
from experiments.run_folder.status import FAILED, FINISHED
from experiments.training.sweep_plan import BEGIN, LEAVE_FAILED, LEAVE_HELD, SKIP, RunPlan, status_of, status_time

SKIPPED, ENDED, RESUMED, HELD, NOT_RUN, INTERRUPTED, BROKEN = OUTCOMES = (
    "finished before",
    "finished now",
    "resumed and finished now",
    "running elsewhere",
    "not run",
    "interrupted",
    "failed",
)


def report(plans: list[RunPlan]) -> tuple[list[str], bool]:
    """Reports the state of the runs of a sweep.

    Args:
        plans: What was to be done for each run.

    Returns:
        A line for each run, the failed ones last and with their reasons, then a line with counts; and whether any run
        is neither finished nor being trained by another process.
    """
    outcomes = {plan: _outcome(plan) for plan in plans}
    lines = [
        f"{outcome}: {plan.folder}{_reason(plan) if outcome == BROKEN else ''}"
        for plan, outcome in sorted(outcomes.items(), key=lambda item: OUTCOMES.index(item[1]))
    ]
    counts = Counter(outcomes.values())
    summary = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
    total = f"{len(plans)} run{'s' if len(plans) > 1 else ''}: {summary}"
    return [*lines, total], bool(counts[NOT_RUN] + counts[INTERRUPTED] + counts[BROKEN])


def _outcome(plan: RunPlan) -> str:
    if plan.action == SKIP:
        return SKIPPED
    if plan.action == LEAVE_FAILED:
        return BROKEN
    if plan.action == LEAVE_HELD or is_held(plan.folder):
        return HELD
    if status_time(plan.folder) == plan.status_time:
        return NOT_RUN
    state = status_of(plan.folder).get("state")
    if state == FINISHED:
        return ENDED if plan.action == BEGIN else RESUMED
    return BROKEN if state == FAILED else INTERRUPTED


def _reason(plan: RunPlan) -> str:
    return f": {status_of(plan.folder).get('reason')}"
