"""One generation of a search: its rows are made from a seed, evaluated as a population, ranked, and learned from.

`seeded_rows` makes the rows, `population` holds them, `learner` ranks their evaluations and learns from them by an
`optimizer`; `rank_codes` and `solution_state` put evaluations and solutions into plain arrays.
"""

from ec_evotorch.generation.learner import Learner
from ec_evotorch.generation.population import Population
from ec_evotorch.generation.seeded_rows import SeededRows

__all__ = ["Learner", "Population", "SeededRows"]
