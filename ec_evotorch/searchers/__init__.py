"""The searchers: Evolving Connectivity, the paper's evolution strategy, and PPO with surrogate gradients.

The first two share `PopulationSearch`, which samples a population, evaluates it, and lets a `Learner` learn from it; a
searcher over another seeded distribution is a subclass of it.
"""

from ec_evotorch.searchers.evolution_strategy import EvolutionStrategy
from ec_evotorch.searchers.evolving_connectivity import EvolvingConnectivity
from ec_evotorch.searchers.population_search import PopulationSearch
from ec_evotorch.searchers.ppo.ppo import PPO

__all__ = ["PPO", "EvolutionStrategy", "EvolvingConnectivity", "PopulationSearch"]
