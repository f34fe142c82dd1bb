"""The searchers: Evolving Connectivity, with and without a critic, the paper's evolution strategy, and PPO.

Evolving Connectivity without a critic and the evolution strategy share `PopulationSearch`, which samples a population,
evaluates it, and lets a `Learner` learn from it; a searcher over another seeded distribution is a subclass of it.
"""

from ec_evotorch.searchers.actor_critic_ec.actor_critic_ec import ActorCriticEC
from ec_evotorch.searchers.actor_critic_ec.staged_ec import StagedEC
from ec_evotorch.searchers.evolution_strategy import EvolutionStrategy
from ec_evotorch.searchers.evolving_connectivity import EvolvingConnectivity
from ec_evotorch.searchers.population_search import PopulationSearch
from ec_evotorch.searchers.ppo.ppo import PPO

__all__ = ["PPO", "ActorCriticEC", "EvolutionStrategy", "EvolvingConnectivity", "PopulationSearch", "StagedEC"]
