"""Evolving Connectivity for EvoTorch: distribution, searchers and the problem of acting in an environment."""

from native.fresh_cache import drop_outdated

drop_outdated(__file__)  # before anything is compiled or loaded

from ec_evotorch.distribution import SeparableBernoulli  # noqa: E402
from ec_evotorch.evolution_strategy import EvolutionStrategy  # noqa: E402
from ec_evotorch.policy import Policy  # noqa: E402
from ec_evotorch.ppo import PPO  # noqa: E402
from ec_evotorch.problem import RolloutProblem  # noqa: E402
from ec_evotorch.resumable import Resumable  # noqa: E402
from ec_evotorch.searcher import EvolvingConnectivity  # noqa: E402
from ec_evotorch.tensorboard_logger import TensorBoardLogger  # noqa: E402

__all__ = [
    "PPO",
    "EvolutionStrategy",
    "EvolvingConnectivity",
    "Policy",
    "Resumable",
    "RolloutProblem",
    "SeparableBernoulli",
    "TensorBoardLogger",
]
