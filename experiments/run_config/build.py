"""Builds the problem and the searcher that a configuration names."""

import gymnasium
import torch
from evotorch import Problem
from evotorch.algorithms import SearchAlgorithm
from evotorch.neuroevolution.net.parser import NetParsingError
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ec_evotorch.searchers.population_search import PopulationSearch
from experiments.errors import UserError
from experiments.run_config.settings import LABELS
from experiments.run_config.targets import check_targets
from experiments.training.loggers import live_logging

SOLUTIONS = {"boolean": torch.bool, "real": torch.float32}  # what a searcher says that it searches over
USER_MISTAKES = (ValueError, TypeError, gymnasium.error.Error, NetParsingError)  # raised for bad arguments


def build(config: DictConfig) -> tuple[Problem, SearchAlgorithm]:
    """Builds the problem (with environment and agent) and the searcher of a composed configuration.

    Raises:
        UserError: If a target is not allowed or does not exist, a constructor refuses its arguments, or what the run
            is to be logged with is not installed.
    """
    live_logging(config.get("logger"))
    for node in (config.env, config.agent, config.searcher, config.problem):
        check_targets(OmegaConf.to_container(node))
    try:
        env = instantiate(keywords("env", config.env))
        agent = instantiate(keywords("agent", config.agent))
        problem = instantiate(config.problem, env=env, agent=agent, _convert_="all")
        check_episode(problem)
        check_pair(problem, config)
        check_popsize(config)
        searcher = instantiate(keywords("searcher", config.searcher))(problem)
        check_copies(searcher, config)
    except InstantiationException as error:
        if error.__cause__ is None or isinstance(error.__cause__, USER_MISTAKES):
            raise UserError(error.__cause__ or error) from error
        raise
    except USER_MISTAKES as error:
        raise UserError(error) from error
    return problem, searcher


def keywords(component: str, node: DictConfig) -> dict:
    """Returns the configuration of a component ("env", "agent" or "searcher") as plain containers, without labels."""
    return {key: value for key, value in OmegaConf.to_container(node).items() if key not in LABELS[component]}


def check_pair(problem: Problem, config: DictConfig) -> None:
    """Checks that the searcher searches over what the agent is made of.

    Raises:
        UserError: Naming both, and the key to change.
    """
    solutions = config.searcher.get("solutions")
    if solutions is None or SOLUTIONS.get(solutions) == problem.dtype:
        return
    if solutions not in SOLUTIONS:
        raise UserError(f"searcher.solutions: expected one of {', '.join(SOLUTIONS)}; got {solutions!r}")
    if "connections" in config.agent:
        change = f"set agent.connections={solutions}, or choose another searcher="
    else:
        change = "choose another agent= or searcher="
    raise UserError(
        f"searcher={config.searcher.name} searches over {solutions} solutions, but those of agent={config.agent.name} "
        f"are {problem.dtype}: {change}"
    )


def check_episode(problem: Problem) -> None:
    """Checks that an episode can begin, which finds keywords that an environment uses no earlier.

    Raises:
        UserError: If not.
    """
    try:
        problem.env.reset(seed=0)
    except USER_MISTAKES as error:
        raise UserError(f"env: no episode can begin: {error}") from error


def check_popsize(config: DictConfig) -> None:
    """Checks the population size, which not every searcher does.

    Raises:
        UserError: If it is given, and is no whole number of at least 2.
    """
    popsize = config.searcher.get("popsize", 2)
    if isinstance(popsize, bool) or not isinstance(popsize, int) or popsize < 2:
        raise UserError(f"searcher.popsize: expected a whole number, at least 2; got {popsize!r}")


def check_copies(searcher: SearchAlgorithm, config: DictConfig) -> None:
    """Checks that the workers can have copies of the searcher, if they are to.

    Raises:
        UserError: If they cannot.
    """
    if config.problem.get("scalar_only") and not isinstance(searcher, PopulationSearch):
        raise UserError(f"problem.scalar_only: expected searcher=ec or es, got {config.searcher.name}")
