"""Loading results of runs, and comparing methods: scores, statistics, claims and tables."""

from experiments.analysis.load_results import (
    ResultsWarning,
    choose_methods,
    label_methods,
    load,
    probability_of_improvement,
    save,
    summary,
)

__all__ = [
    "ResultsWarning",
    "choose_methods",
    "label_methods",
    "load",
    "probability_of_improvement",
    "save",
    "summary",
]
