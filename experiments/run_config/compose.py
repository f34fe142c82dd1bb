"""From the words of a command line to one checked configuration, with Hydra's YAML composition.

Hydra's global state is neither needed nor touched: configurations can be composed within `@hydra.main`, within
`hydra.initialize`, and in several threads.
"""

import math
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import yaml
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.core.utils import setup_globals
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from experiments.array_files import embed_mask
from experiments.errors import UserError, did_you_mean
from experiments.run_config.config_dir import CONFIG_DIR, own_config_dir
from experiments.run_config.keys import COMPONENTS, LABELS
from experiments.run_config.settings import check_names
from experiments.run_config.wrappers import folder_name

CONFIG_NAME = "train"
_NO_CONFIGURATION = "the YAML files do not make a configuration: {}"
_OWN = "own"  # Hydra's name for the user's own folder
EXPERIMENT = "experiment"  # the group of sweeps
HYDRA_VERSION = "1.3"  # whose behaviour the YAML files are written for
FACTORS = ("agent.weight_scale",)  # labels that must be numbers, because others are computed from them

OmegaConf.register_new_resolver("times", lambda *factors: _product(factors), replace=True)
OmegaConf.register_new_resolver("number", lambda value: f"{float(value):g}", replace=True)  # 2.0 and 2 are one folder
OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
OmegaConf.register_new_resolver("two_decimals", lambda value: round(float(value), 2), replace=True)


def _product(factors: tuple) -> float | None:
    """Returns the product of numbers; null if one is null, as what an environment pays for not having fallen may be."""
    return None if None in factors else math.prod(map(float, factors))


def config_loader(config_dir: Path | None = None) -> ConfigLoaderImpl:
    """Returns what finds YAML files in our folder, and after it in the user's own.

    Args:
        config_dir: The user's own folder, as `own_config_dir` returns it.
    """
    setup_globals()
    if not isinstance(version.getbase(), version.Version):  # else whoever uses Hydra around us has chosen
        version.setbase(HYDRA_VERSION)
    search_path = create_config_search_path(CONFIG_DIR)
    if config_dir is not None:
        search_path.prepend(_OWN, str(config_dir), anchor="schema")
    return ConfigLoaderImpl(search_path)


def compose_config(overrides: list[str], config_dir: str | Path | None = None) -> DictConfig:
    """Composes the configuration of one run, in which every interpolation is resolved.

    Args:
        overrides: Hydra overrides, as in ["env=hopper", "seed=3", "+env.reset_noise_scale=0"].
        config_dir: The user's own folder of YAML files; None takes that of the environment variable
            `EC_EVOTORCH_CONFIG_DIR`, if there is one.

    Raises:
        UserError: For an override that Hydra cannot read, an unknown group choice, an unknown key, several runs in one,
            or a folder that is not one of YAML files.
    """
    loader = config_loader(own_config_dir(config_dir))
    parsed, groups = parse_words(overrides), _groups(loader)
    for override in parsed:
        if override.is_sweep_override():
            raise UserError(f"'{override.input_line}' asks for several runs: add -m")
        if override.key_or_group in groups and not isinstance(override.value(), str):
            raise UserError(f"expected the name of a choice, as in env=hopper; got '{override.input_line}'")
    try:
        config = _compose(loader, parsed)
    except UserError:
        _check_keys(loader, parsed, groups)  # says more of an unknown key
        raise
    check_names(config)
    _check_seed(config)
    return config


def compose_sweep(overrides: list[str], config_dir: str | Path | None = None) -> tuple[DictConfig, list[list[str]]]:
    """Splits a sweep into its runs: ["seed=0,1", "budget=5"] gives [["seed=0", "budget=5"], ["seed=1", "budget=5"]].

    Args:
        overrides: Hydra overrides. They replace what the YAML of an experiment has under hydra.sweeper.params.
        config_dir: As of `compose_config`.

    Returns:
        The configuration with Hydra's own part, such as the launcher, as yet unresolved; the overrides of each run.

    Raises:
        UserError: For an override that Hydra cannot read, an unknown choice, or a sweep whose values cannot be listed.
    """
    loader = config_loader(own_config_dir(config_dir))
    words, groups = parse_words(overrides), _groups(loader)
    for word in words:
        if word.is_sweep_override() and (word.key_or_group == EXPERIMENT or _is_for_hydra(word)):
            raise UserError(f"expected one value, got '{word.input_line}'")
        if isinstance(word.value(), Glob):
            raise UserError(f"expected a list of values, got '{word.input_line}'")
    same = [word for word in words if not word.is_sweep_override()]
    for_all = [word.input_line for word in same if word.key_or_group in groups or _is_for_hydra(word)]
    config = _load(loader, for_all)
    if not config.hydra.sweeper._target_.endswith(f".{BasicSweeper.__name__}"):
        raise UserError("hydra/sweeper: expected 'basic', which lists all runs before the first is started")
    params = [f"{key}={values}" for key, values in (config.hydra.sweeper.get("params") or {}).items()]
    words = [*parse_words(params), *(word for word in words if not _is_for_hydra(word))]
    try:
        (runs,) = BasicSweeper.split_arguments(words, max_batch_size=None)
    except HydraException as error:
        raise UserError(error) from error
    return config, runs


def names_experiment(overrides: list[str]) -> bool:
    """Returns whether overrides ask for an experiment, which is a sweep."""
    return any(word.key_or_group == EXPERIMENT for word in parse_words(overrides))


def parse_words(overrides: list[str]) -> list[Override]:
    """Parses Hydra overrides one by one.

    Raises:
        UserError: For a word that Hydra cannot read.
    """
    parser = OverridesParser.create()
    return [_parse_word(parser, word) for word in overrides]


def _parse_word(parser: OverridesParser, word: str) -> Override:
    expected = f"expected key=value words, such as env=hopper; got '{word}'"
    if "=" not in word and not word.startswith("~"):
        raise UserError(expected)
    try:
        parsed = parser.parse_override(word)
        if not parsed.is_delete():
            parsed.value()
    except HydraException as error:
        reason = str(error).partition("\n")[0].removeprefix(f"Error parsing override '{word}'").strip()
        raise UserError(f"{expected}{f': {reason}' if reason else ''}; quote what stands for itself") from error
    if not parsed.key_or_group:
        raise UserError(expected)
    return parsed


def _groups(loader: ConfigLoaderImpl) -> list[str]:
    """Returns the names of the config groups: an override of one of them, as env=hopper, chooses a file."""
    return loader.repository.get_group_options("", ObjectType.GROUP)


def _is_for_hydra(override: Override) -> bool:
    """Whether the override is for Hydra itself, as hydra/launcher=joblib and hydra.launcher.n_jobs=2 are."""
    return override.key_or_group.startswith(("hydra.", "hydra/"))


def _compose(loader: ConfigLoaderImpl, overrides: list[Override]) -> DictConfig:
    """Composes a configuration without Hydra's own part, and resolves it.

    Raises:
        UserError: If the YAML files and the overrides do not make one.
    """
    config, chosen = _load_run(loader, overrides)
    for component in COMPONENTS:
        _check_component(component, config, chosen.get(component))
    try:
        for key in FACTORS:
            _check_factor(key, OmegaConf.select(config, key, default=1.0))
        OmegaConf.resolve(config)
    except InterpolationKeyError as error:
        raise UserError(_missing_label(chosen, error) or error) from error
    except (
        OmegaConfBaseException,
        ArithmeticError,
        ValueError,
        TypeError,
        AssertionError,
        AttributeError,
        RecursionError,
    ) as error:
        raise UserError(error) from error
    settle_files(config)
    return config


def settle_files(config: DictConfig) -> None:
    """Writes `env.xml_file` so that it names the same file from every folder, and reads that of a connection mask.

    Args:
        config: A whole configuration.

    Raises:
        UserError: If the mask cannot be read.
    """
    embed_mask(config)
    path = OmegaConf.select(config, "env.xml_file")
    if isinstance(path, str) and path.startswith("."):  # other relative paths are those of Gymnasium's own models
        config.env.xml_file = os.path.abspath(path)


def _load_run(loader: ConfigLoaderImpl, overrides: list[Override]) -> tuple[DictConfig, dict]:
    """Composes a configuration without Hydra's own part, unresolved, and says what it has chosen from the groups.

    Hydra merges the files that the overrides choose, which takes nearly all of the time, and then applies the other
    overrides in their order. What it has merged is kept for the next run, unless there are files of the user's own,
    whose changes nobody watches, or words for Hydra itself.

    Raises:
        UserError: If the YAML files and the overrides do not make one.
    """
    if _has_own_files(loader) or any(override.key_or_group.startswith("hydra") for override in overrides):
        return _without_hydra(_load(loader, [override.input_line for override in overrides]))
    choosing, others = [], []
    with _user_errors(loader):
        for override in overrides:
            is_choice = loader.repository.group_exists(override.key_or_group) and not isinstance(override.value(), dict)
            (choosing if is_choice else others).append(override)
        state = _state_of_our_files()
    config, chosen = pickle.loads(_merged(tuple(choice.input_line for choice in choosing), version.getbase(), state))
    with _user_errors(loader):
        ConfigLoaderImpl._apply_overrides_to_config(others, config)
    return config, chosen


def _has_own_files(loader: ConfigLoaderImpl) -> bool:
    return any(source.provider == _OWN for source in loader.get_sources())


@lru_cache(maxsize=256)
def _merged(overrides: tuple[str, ...], version_base: object, state: tuple) -> bytes:
    """Returns what our own files make of some choices, pickled: a copy for everybody who asks.

    Args:
        overrides: Those that choose from the config groups.
        version_base: The version of Hydra whose behaviour is asked for.
        state: That of our files, as they are now.
    """
    return pickle.dumps(_without_hydra(_load(config_loader(), list(overrides))))


def _state_of_our_files() -> tuple:
    """Returns what differs after one of our YAML files was changed, added or removed."""
    state = []
    for folder, _, names in os.walk(CONFIG_DIR):
        for name in names:
            path = os.path.join(folder, name)
            status = os.stat(path)
            state.append((path, status.st_mtime_ns, status.st_size))
    return tuple(state)


def _without_hydra(config: DictConfig) -> tuple[DictConfig, dict]:
    """Takes Hydra's own part out of a configuration, and returns what was chosen from the config groups with it."""
    chosen = OmegaConf.to_container(config.hydra.runtime.choices)
    with open_dict(config):
        del config["hydra"]
    return config, chosen


def _load(loader: ConfigLoader, overrides: list[str]) -> DictConfig:
    """Composes a configuration with Hydra's own part, unresolved.

    Raises:
        UserError: If the YAML files and the overrides do not make one.
    """
    with _user_errors(loader):
        return loader.load_configuration(CONFIG_NAME, overrides, run_mode=RunMode.RUN, from_shell=False)


@contextmanager
def _user_errors(loader: ConfigLoader) -> Iterator[None]:
    """Says in our words what Hydra raises for YAML files and overrides that do not make a configuration."""
    try:
        yield
    except yaml.YAMLError as error:
        raise UserError(f"damaged, or no YAML: {error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"damaged, or no YAML: {_not_text(loader) or error}") from error
    except MissingConfigException as error:
        group, _, choice = (error.missing_cfg_file or "").rpartition("/")
        if not error.options:
            raise UserError(error) from error
        hint = did_you_mean(choice, error.options)
        raise UserError(f"{group}: expected one of {', '.join(error.options)}; got '{choice}'{hint}") from error
    except (HydraException, OmegaConfBaseException, OSError) as error:
        raise UserError(str(error) or _NO_CONFIGURATION.format(repr(error.__cause__))) from error
    except (ValueError, TypeError, AssertionError, AttributeError, LookupError, RecursionError) as error:
        # Hydra and OmegaConf take it for granted that a file of the right name has the right form.
        raise UserError(_NO_CONFIGURATION.format(f"{type(error).__name__}: {error}")) from error


def _not_text(loader: ConfigLoader) -> str | None:
    """Returns the first YAML file that is not UTF-8, with the reason; None if all are."""
    for source in loader.get_search_path().get_path():
        for path in sorted(Path(source.path).rglob("*.yaml")):
            try:
                path.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                return f"'{path}': {error}"
    return None


def _check_seed(config: DictConfig) -> None:
    """Refuses a seed of the problem's own: runs are told apart by the one from which everything derives."""
    of_run = OmegaConf.select(config, "seed")
    seed = OmegaConf.select(config, "problem.seed", default=of_run)
    if seed != of_run:
        got = "null" if seed is None else seed
        raise UserError(f"problem.seed: expected that of the run, {of_run}; got {got}: set seed instead")


def _check_factor(key: str, value: object) -> None:
    """Refuses a label that others are computed from unless it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -math.inf < value < math.inf:
        raise UserError(f"{key}: expected a number; got {value!r}")


def _check_component(component: str, config: DictConfig, choice: str | None) -> None:
    """Refuses a YAML file that is empty, a list or a text, or lacks the keys that all components of its kind have."""
    if choice is None:
        return  # it is in no file of its own
    node = config.get(component)
    if node is not None and not isinstance(node, DictConfig):
        if isinstance(node, ListConfig):
            raise UserError(f"{component}={choice}: expected a YAML file with keys such as _target_; got a list")
        return  # the words of the command line have put it in the place of the file
    lacking = [
        key for key in ("_target_", "name") if node is None or OmegaConf.is_missing(node, key) or key not in node
    ]
    if len(lacking) == 2:
        raise UserError(f"{component}={choice}: expected a YAML file with the keys _target_ and name; it has neither")
    if lacking:
        raise UserError(f"missing key '{component}.{lacking[0]}': add it to the YAML of {component}={choice}")


def _missing_label(chosen: dict, error: InterpolationKeyError) -> str | None:
    """Says in which YAML a label is missing, if that is what an interpolation failed for."""
    for component in COMPONENTS:
        for label in LABELS[component]:
            key = f"{component}.{label}"
            if f"'{key}'" in str(error):
                needed = f"; {error.full_key} needs it" if error.full_key else ""
                return f"missing key '{key}': add it to the YAML of {component}={chosen.get(component)}{needed}"
    return None


def _check_keys(loader: ConfigLoaderImpl, overrides: list[Override], groups: list[str]) -> None:
    """Refuses keys that what the overrides choose from the groups does not have.

    Raises:
        UserError: For an unknown key, or if the choices make no configuration.
    """
    for_groups = [override for override in overrides if override.key_or_group in groups]
    for_groups += [override for override in overrides if override.key_or_group == "hydra.searchpath"]
    known = _compose(loader, for_groups)
    for override in overrides:
        if override.key_or_group not in groups and not _is_for_hydra(override):
            _check_key(override, known)


def _check_key(override: Override, known: DictConfig) -> None:
    """Refuses a key that the composed configuration does not have, unless it is added to a component with a plus."""
    key = override.key_or_group
    keys = list(_dotted_keys(OmegaConf.to_container(known)))
    if key in keys or override.is_add() or override.is_force_add():
        return
    parent = OmegaConf.select(known, key.rpartition(".")[0]) if "." in key else None
    hint = _nearest_key(key, keys)
    if not hint and isinstance(parent, DictConfig) and "_target_" in parent:
        hint = f"; a keyword of {parent._target_} that is not listed is added with a plus: +{override.input_line}"
    raise UserError(f"unknown key '{key}'{hint}")


def _dotted_keys(node: object, prefix: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for name, child in node.items():
            yield f"{prefix}{name}"
            yield from _dotted_keys(child, f"{prefix}{name}.")


def _nearest_key(key: str, keys: list[str]) -> str:
    """Suggests searcher.popsize for popsize, and agent.num_neurons for agent.num_neuron."""
    parent, dot, name = key.rpartition(".")
    same_name = [known for known in keys if known.rpartition(".")[2] == name]
    if same_name:
        return f" (did you mean '{same_name[0]}'?)"
    siblings = [known.rpartition(".")[2] for known in keys if known.rpartition(".")[0] == parent]
    return did_you_mean(name, siblings, prefix=parent + dot)
