"""Evolving Connectivity for EvoTorch: distribution, searchers and the problem of acting in an environment."""

from ec_evotorch.distribution import SeparableBernoulli
from ec_evotorch.evolution_strategy import EvolutionStrategy
from ec_evotorch.policy import Policy
from ec_evotorch.problem import RolloutProblem
from ec_evotorch.searcher import EvolvingConnectivity

__all__ = ["EvolutionStrategy", "EvolvingConnectivity", "Policy", "RolloutProblem", "SeparableBernoulli"]
