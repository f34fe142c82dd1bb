"""The command line that repeats a run, from its config.yaml."""

import json
import re
import shlex
from collections.abc import Mapping

from omegaconf import OmegaConf

from experiments.errors import UserError
from experiments.run_config.compose import compose_config
from experiments.run_config.keys import COMPONENTS, keys_without_influence, leaves
from experiments.run_folder.read import select

GROUPS = ("env", "agent", "searcher")
REPEATED = (*COMPONENTS, "eval", "incumbent", "early_stop")  # the parts of a configuration that must come out the same
PLAIN = re.compile(r"[A-Za-z_/][\w./-]*")  # text around which Hydra needs no quotes


def run_command(config: Mapping) -> str | None:
    """Returns an `ec-evotorch train` command whose configuration is that of a run; None if there is none.

    Keys that change no result, such as the number of threads, are left out. The command was checked to compose to the
    same configuration today. A key that a run of an earlier version does not have gets today's value; a run without
    the key `incumbent` had none.

    Args:
        config: The contents of a config.yaml, resolved.
    """
    wanted = _leaves(config)
    try:
        words = [f"{group}={config[group]['name']}" for group in GROUPS] + [f"seed={config['seed']}"]
        composed = _composed(words)
        if differing := _differing(wanted, composed):
            words += differing
            composed = _composed(words)
            if _differing(wanted, composed):
                return None
    except (UserError, KeyError, TypeError):  # the name of a YAML that is not here, or a value that Hydra cannot say
        return None
    words.append(f"budget={config['budget']}")
    if isinstance(config.get("run_dir"), str) and config["run_dir"] != composed["run_dir"]:
        words.append(f"run_dir={_text(config['run_dir'])}")
    return shlex.join(["ec-evotorch", "train", *words])


def _differing(wanted: Mapping, composed: Mapping) -> list[str]:
    there = _leaves(composed)
    differing = [key for key, value in wanted.items() if key not in there or there[key] != value]
    added = {key for key in differing if not any(f"{name}.".startswith(f"{key}.") for name in there)}
    return [f"{'+' if key in added else ''}{key}={_text(wanted[key])}" for key in differing]


def _composed(words: list[str]) -> dict:
    return OmegaConf.to_container(compose_config(words))


def _leaves(config: Mapping) -> dict[str, object]:
    left_out = keys_without_influence(config)
    parts = (leaves(select(config, part), part) for part in REPEATED)
    return {key: value for part in parts for key, value in part if key not in left_out}


def _text(value: object) -> str:
    """Returns a value as it is written in an override of Hydra."""
    if isinstance(value, str) and PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
