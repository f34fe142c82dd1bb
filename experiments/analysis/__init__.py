"""From run folders to numbers: results as one table, summaries of methods, statistics, claims, and tables of texts.

`load` reads runs into a pandas table with a row for each generation, and `save` writes it into one file. `summary`
compares methods, `run_scores` has the score of each run, `overall` compares over several environments, and
`check_claims` says what runs show about the claims of the paper.
"""

from experiments.analysis.claims import check_claims
from experiments.analysis.load_results import load, save, thin
from experiments.analysis.summary import (
    choose_methods,
    label_methods,
    overall,
    probability_of_improvement,
    run_scores,
    summary,
)
from experiments.errors import ResultsWarning

__all__ = [
    "ResultsWarning",
    "check_claims",
    "choose_methods",
    "label_methods",
    "load",
    "overall",
    "probability_of_improvement",
    "run_scores",
    "save",
    "summary",
    "thin",
]
