"""From the words of a command line to one checked configuration, with Hydra."""

import math
from collections.abc import Iterator
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.errors import UserError, did_you_mean

CONFIG_DIR = str(Path(__file__).resolve().parents[1] / "conf")
CONFIG_NAME = "train"
EXPERIMENT = "experiment"  # the group of sweeps

OmegaConf.register_new_resolver("times", lambda *factors: math.prod(map(float, factors)), replace=True)
OmegaConf.register_new_resolver("number", lambda value: f"{float(value):g}", replace=True)  # 2.0 and 2 are one folder


def compose_config(overrides: list[str]) -> DictConfig:
    """Composes the configuration of one run; every interpolation in it is resolved.

    Args:
        overrides: Hydra's words, as in ["env=hopper", "seed=3", "+env.reset_noise_scale=0"].

    Raises:
        UserError: For a word that Hydra cannot read, an unknown group choice, an unknown key, or several runs in one.
    """
    with initialize_config_dir(CONFIG_DIR, version_base="1.3", job_name=CONFIG_NAME):
        parsed, groups = parse_words(overrides), _groups()
        for override in parsed:
            if override.is_sweep_override():
                raise UserError(f"'{override.input_line}' asks for several runs: add -m")
            if override.key_or_group in groups and not isinstance(override.value(), str):
                raise UserError(f"expected the name of a choice, as in env=hopper; got '{override.input_line}'")
        known = _compose([override.input_line for override in parsed if override.key_or_group in groups])
        for override in parsed:
            if override.key_or_group not in groups and not _is_for_hydra(override):
                _check_key(override, known)
        return _compose(overrides)


def compose_sweep(overrides: list[str]) -> tuple[DictConfig, list[list[str]]]:
    """Splits a sweep into its runs: ["seed=0,1", "budget=5"] gives [["seed=0", "budget=5"], ["seed=1", "budget=5"]].

    Args:
        overrides: Hydra's words. They replace what the YAML of an experiment has under hydra.sweeper.params.

    Returns:
        The configuration with Hydra's own part, such as the launcher, as yet unresolved; the words of each run.

    Raises:
        UserError: For a word that Hydra cannot read, an unknown choice, or a sweep without a finite list of values.
    """
    with initialize_config_dir(CONFIG_DIR, version_base="1.3", job_name=CONFIG_NAME):
        words, groups = parse_words(overrides), _groups()
        for word in words:
            if word.is_sweep_override() and (word.key_or_group == EXPERIMENT or _is_for_hydra(word)):
                raise UserError(f"expected one value, got '{word.input_line}'")
            if isinstance(word.value(), Glob):
                raise UserError(f"expected a list of values, got '{word.input_line}'")
        same = [word for word in words if not word.is_sweep_override()]
        for_all = [word.input_line for word in same if word.key_or_group in groups or _is_for_hydra(word)]
        config = _compose(for_all, return_hydra_config=True)
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
    """Whether the words ask for an experiment, which is a sweep."""
    return any(word.key_or_group == EXPERIMENT for word in parse_words(overrides))


def parse_words(overrides: list[str]) -> list[Override]:
    """Reads Hydra's words one by one.

    Raises:
        UserError: For a word that Hydra cannot read.
    """
    try:
        return OverridesParser.create().parse_overrides(overrides)
    except HydraException as error:
        raise UserError(f"expected key=value words, got {error}") from error


def _groups() -> list[str]:
    """Returns the names of our config groups: a word for one of them, as env=hopper, chooses a file."""
    return GlobalHydra.instance().config_loader().list_groups("")


def _is_for_hydra(override: Override) -> bool:
    """Whether the override is for Hydra itself, as hydra/launcher=joblib and hydra.launcher.n_jobs=2 are."""
    return override.key_or_group.startswith(("hydra.", "hydra/"))


def _compose(overrides: list[str], return_hydra_config: bool = False) -> DictConfig:
    """Composes, and resolves what is not Hydra's own."""
    try:
        config = compose(CONFIG_NAME, overrides, return_hydra_config=return_hydra_config)
        if not return_hydra_config:
            OmegaConf.resolve(config)
    except yaml.YAMLError as error:
        raise UserError(f"damaged, or no YAML: {error}") from error
    except MissingConfigException as error:
        group, _, choice = (error.missing_cfg_file or "").rpartition("/")
        if not error.options:
            raise UserError(error) from error
        hint = did_you_mean(choice, error.options)
        raise UserError(f"{group}: expected one of {', '.join(error.options)}; got '{choice}'{hint}") from error
    except (HydraException, OmegaConfBaseException, OSError) as error:
        raise UserError(error) from error
    except (ValueError, TypeError, AssertionError, AttributeError, KeyError, RecursionError) as error:
        # Hydra and OmegaConf take it for granted that a file of the right name has the right form.
        raise UserError(f"the YAML files do not make a configuration: {type(error).__name__}: {error}") from error
    return config


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
