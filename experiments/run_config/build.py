"""Builds the problem and the searcher that a configuration names."""

import math
import re
import sys
from collections.abc import Callable, Collection, Mapping
from functools import partial

import gymnasium
import torch
from evotorch import Problem
from evotorch.algorithms import SearchAlgorithm
from evotorch.neuroevolution.net.parser import NetParsingError
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from ec_evotorch.rollout.components import EnvError, try_env
from ec_evotorch.searchers.population_search import PopulationSearch
from experiments.errors import UserError
from experiments.run_config.check_search import check_agent, check_searcher
from experiments.run_config.keys import COMPONENTS, STARTS
from experiments.run_config.keywords import check_names, check_types, keywords, refusal
from experiments.run_config.own_code import told_of
from experiments.run_config.targets import check_targets, packages_of
from experiments.run_config.wrappers import check_wrappers, with_partial_wrappers
from native.memory import TooManyError

SOLUTIONS = {"boolean": torch.bool, "real": torch.float32}  # what a searcher says that it searches over
CHECKING_PACKAGES = ("envs", "agents", "ec_evotorch")  # whose constructors check all of their arguments by name
USER_MISTAKES = (ValueError, TypeError, gymnasium.error.Error, NetParsingError)  # raised for bad arguments
NO_MEMORY = re.compile(
    r"(unable|failed) to allocate|can't allocate memory|not enough memory|out of memory", re.IGNORECASE
)


def build(
    config: DictConfig, trust: Collection[str] = (), start: Callable[[Problem, dict], dict] | None = None
) -> tuple[Problem, SearchAlgorithm]:
    """Builds the problem (with environment and agent) and the searcher of a composed configuration.

    Args:
        config: A whole configuration, resolved.
        trust: Packages besides our own whose code it may name, see `check_targets`: `EVERYTHING` if the configuration
            is the user's own words.
        start: Function of the problem and the keywords of the searcher that returns the numbers for those `STARTS` that
            name a run, a rule or a file; None if there are none.

    Raises:
        UntrustedError: If it names code of another package.
        UserError: If a target does not exist, or a constructor refuses its keywords. The message names the dotted
            keys.
    """
    given = {component: keywords(component, config[component]) for component in COMPONENTS}
    check_targets(given, trust)
    check_wrappers(given["env"])
    for component, arguments in given.items():
        if "_target_" not in arguments:
            raise UserError(f"missing key '{component}._target_'")
        check_names(component, arguments)
        if arguments["_target_"].partition(".")[0] not in CHECKING_PACKAGES:
            check_types(component, {key: value for key, value in arguments.items() if not names_run(key, value)})
    if not isinstance(config.env.get("id"), str):
        raise UserError(f"env.id: expected the name of a Gymnasium environment; got {config.env.get('id')!r}")
    check_popsize(config)
    check_bonus(config)
    check_decrease(config)
    check_physics(given)
    env, agent, make_searcher = (_partial(component, given) for component in ("env", "agent", "searcher"))
    problem = _calling(
        ("problem", "agent", "env"), given, lambda: instantiate(given["problem"], env=env, agent=agent, _convert_="all")
    )
    try:
        check_episode(problem, given)
        check_pair(problem, config)
        check_agent(problem, packages_of(given))
        numbers = (lambda: {}) if start is None else partial(start, problem, given["searcher"])
        searcher = _calling(("searcher", "problem", "agent"), given, lambda: make_searcher(problem, **numbers()))
        check_copies(searcher, config)
        check_searcher(searcher, packages_of(given))
    except BaseException:
        close_problem(problem)
        raise
    return problem, searcher


def names_run(key: str, value: object) -> bool:
    """Returns whether a keyword of a searcher names a run, a rule or a file to start from, for all kernels or some."""
    values = value.values() if isinstance(value, Mapping) else [value]
    return key in STARTS and any(isinstance(one, str | Mapping) for one in values)


def close_search(searcher: SearchAlgorithm) -> None:
    """Frees the threads and the memory of a search that is not needed any more, and of its problem."""
    if hasattr(searcher, "close"):
        _close(searcher)
    close_problem(searcher.problem)


def close_problem(problem: Problem) -> None:
    """Frees the threads and the memory of the environments of a problem."""
    _close(problem if hasattr(problem, "close") else problem.env)


def _close(component) -> None:
    """Closes a component, and only warns if that fails: its work is done, or something else has failed before."""
    try:
        component.close()
    except Exception as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"ec-evotorch: warning: closing a {type(component).__name__} failed: {told}", file=sys.stderr)


def check_pair(problem: Problem, config: DictConfig) -> None:
    """Checks that the searcher searches over what the agent is made of.

    Raises:
        UserError: If not, naming both and the key to change.
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


def check_episode(problem: Problem, given: dict[str, dict]) -> None:
    """Checks that an episode can begin, which finds what an environment does wrong no earlier.

    Raises:
        UserError: If it cannot.
    """
    try:
        try_env(problem.env)
    except EnvError as error:
        raise refusal(error, {"env": given["env"]}) from error


def check_popsize(config: DictConfig) -> None:
    """Checks the population size, which not every searcher does.

    Raises:
        UserError: If it is given, and is no whole number of at least 2.
    """
    popsize = config.searcher.get("popsize", 2)
    if isinstance(popsize, bool) or not isinstance(popsize, int) or popsize < 2:
        is_whole = isinstance(popsize, float) and popsize.is_integer()
        advice = f", which is to be written as {int(popsize)}" if is_whole and popsize >= 2 else ""
        raise UserError(f"searcher.popsize: expected a whole number, at least 2; got {popsize!r}{advice}")


def check_bonus(config: DictConfig) -> None:
    """Checks what an environment pays for staying alive, which is often the value of one of its keywords.

    Raises:
        UserError: If it is neither a finite number nor null, naming the keyword that it comes from.
    """
    bonus = config.env.get("alive_bonus")
    if _is_finite_or_null(bonus):
        return
    same = [key for key, value in config.env.items() if key != "alive_bonus" and repr(value) == repr(bonus)]
    raise UserError(f"env.{(same or ['alive_bonus'])[0]}: expected a finite number; got {bonus!r}")


def check_decrease(config: DictConfig) -> None:
    """Checks what a searcher wants subtracted from rewards, a label from which the problem takes its keyword.

    Raises:
        UserError: If it is neither a finite number nor null.
    """
    decrease = config.searcher.get("decrease_rewards_by")
    if not _is_finite_or_null(decrease):
        raise UserError(f"searcher.decrease_rewards_by: expected a finite number or null; got {decrease!r}")


def _is_finite_or_null(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (is_number and -math.inf < value < math.inf)


def check_physics(given: Mapping[str, Mapping]) -> None:
    """Checks that what is to be played on Warp's CPU device has physics there; other devices imply them.

    Raises:
        UserError: If not, or if the environment is to be given tensors, naming the key to set.
    """
    targets = given["env"]["_target_"], given["problem"]["_target_"]
    if targets != ("envs.make_vec", "ec_evotorch.RolloutProblem"):
        return
    if given["env"].get("output") == "torch":
        raise UserError("env.output: expected numpy, whose arrays a training hands to its environment; got torch")
    if given["problem"].get("device") != "cpu":
        return
    chosen = [part for part in ("problem", "env") if given[part].get("physics") is not None]  # the first one counts
    component = chosen[0] if chosen else "problem"
    physics = given[component].get("physics")
    if physics in (None, "auto", "mujoco"):
        got = "null" if physics is None else physics
        raise UserError(f"{component}.physics: expected warp with problem.device=cpu; got {got}")


def check_copies(searcher: SearchAlgorithm, config: DictConfig) -> None:
    """Checks that the workers can have copies of the searcher, if they are asked to.

    Raises:
        UserError: If they cannot.
    """
    if config.problem.get("scalar_only") and not isinstance(searcher, PopulationSearch):
        raise UserError(f"problem.scalar_only: expected searcher=ec or es, got {config.searcher.name}")


def _partial(component: str, given: dict[str, dict]) -> Callable:
    """Returns a function that makes a component from what its YAML does not say."""
    keywords = with_partial_wrappers(given[component]) if component == "env" else given[component]
    arguments = {**keywords, "_partial_": True, "_convert_": "all"}
    return _calling((component,), given, lambda: instantiate(arguments))


def _calling(components: tuple[str, ...], given: dict[str, dict], construct: Callable):
    """Returns what a constructor makes, and turns its refusal into a message that names the keys.

    Args:
        components: Whose keywords it may refuse, its own first.
        given: Of `keywords`, for each component.
        construct: Calls it.
    """
    arguments = {component: given[component] for component in components}
    try:
        return construct()
    except InstantiationException as error:
        if error.__cause__ is None:  # Hydra itself refuses to call the target
            raise UserError(f"{components[0]}: _target_: {error}") from error
        raise _refused(error.__cause__, arguments) from error
    except Exception as error:
        raise _refused(error, arguments) from error


def _refused(error: BaseException, arguments: dict[str, dict]) -> UserError:
    """Returns what a constructor raised as a message: of its arguments, of its memory, or of a fault in its code."""
    if isinstance(error, UserError):
        return error
    first = next(iter(arguments))
    if isinstance(error, TooManyError):
        return refusal(error, arguments)
    if isinstance(error, MemoryError) or NO_MEMORY.search(str(error)):
        numbers = [f"{first}.{key}={value}" for key, value in arguments[first].items() if type(value) is int]
        asked = f" with {', '.join(numbers)}" if numbers else ""
        return UserError(f"{first}: there is not enough memory for it{asked}: {error}")
    if isinstance(error, USER_MISTAKES):
        return refusal(error, arguments)
    return UserError(f"{first}: cannot be made: {told_of(error, packages_of(arguments))}")
