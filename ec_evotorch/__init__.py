"""Evolving Connectivity for EvoTorch: distribution, searcher and the problem of acting in an environment."""

from ec_evotorch.distribution import SeparableBernoulli
from ec_evotorch.policy import Policy
from ec_evotorch.problem import RolloutProblem
from ec_evotorch.searcher import EvolvingConnectivity

__all__ = ["EvolvingConnectivity", "Policy", "RolloutProblem", "SeparableBernoulli"]
