"""Evolving Connectivity for EvoTorch: a search distribution, searchers, and the problem of acting in an environment."""

from importlib import metadata

from ec_evotorch.distributions.separable_bernoulli import SeparableBernoulli
from ec_evotorch.logging import TensorBoardLogger
from ec_evotorch.resumable import Resumable
from ec_evotorch.rollout.policy import Policy
from ec_evotorch.rollout.problem import RolloutProblem
from ec_evotorch.searchers.actor_critic_ec.actor_critic_ec import ActorCriticEC
from ec_evotorch.searchers.actor_critic_ec.staged_ec import StagedEC
from ec_evotorch.searchers.evolution_strategy import EvolutionStrategy
from ec_evotorch.searchers.evolving_connectivity import EvolvingConnectivity
from ec_evotorch.searchers.incumbent import Incumbent
from ec_evotorch.searchers.ppo.ppo import PPO

__all__ = [
    "PPO",
    "ActorCriticEC",
    "EvolutionStrategy",
    "EvolvingConnectivity",
    "Incumbent",
    "Policy",
    "Resumable",
    "RolloutProblem",
    "SeparableBernoulli",
    "StagedEC",
    "TensorBoardLogger",
]


def _find_version() -> str:
    try:
        return metadata.version("ec-evotorch")
    except metadata.PackageNotFoundError:  # a checkout that was put on the path without being installed
        return "0+not.installed"


__version__ = _find_version()
