"""Evolving Connectivity for EvoTorch: a search distribution, searchers, and the problem of acting in an environment."""

from importlib import metadata

from native.fresh_cache import drop_outdated

drop_outdated(__file__)  # before anything is compiled or loaded

from ec_evotorch.distributions.separable_bernoulli import SeparableBernoulli  # noqa: E402
from ec_evotorch.logging import TensorBoardLogger  # noqa: E402
from ec_evotorch.resumable import Resumable  # noqa: E402
from ec_evotorch.rollout.policy import Policy  # noqa: E402
from ec_evotorch.rollout.problem import RolloutProblem  # noqa: E402
from ec_evotorch.searchers.evolution_strategy import EvolutionStrategy  # noqa: E402
from ec_evotorch.searchers.evolving_connectivity import EvolvingConnectivity  # noqa: E402
from ec_evotorch.searchers.ppo.ppo import PPO  # noqa: E402

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


def _find_version() -> str:
    try:
        return metadata.version("ec-evotorch")
    except metadata.PackageNotFoundError:  # a checkout that was put on the path without being installed
        return "0+not.installed"


__version__ = _find_version()
