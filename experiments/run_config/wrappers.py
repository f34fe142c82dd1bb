"""The wrappers of an environment: each a `_target_` and keywords in the configuration, a function for `make_vec`."""

import re
from collections.abc import Mapping
from inspect import Parameter, signature

from envs import make_vec
from experiments.errors import UserError
from experiments.run_config.construct import construct

WRAPPERS = "wrappers"  # key of an environment
_ONLY_OF_MAKE_VEC = {"_target_", "_partial_"} | {
    name for name, parameter in signature(make_vec).parameters.items() if parameter.kind is Parameter.KEYWORD_ONLY
} - {WRAPPERS}
_REFUSED_KEYS = ("_args_", "_recursive_", "_convert_")  # Hydra's own, of which no wrapper needs one


def check_wrappers(given: Mapping) -> None:
    """Checks the form of the wrappers of an environment.

    Args:
        given: Keywords of the environment, as plain containers.

    Raises:
        UserError: If they are no list, or one of them is not `_target_` and keywords.
    """
    wrappers = given.get(WRAPPERS)
    if wrappers is None:
        return
    if not isinstance(wrappers, list):
        raise UserError(f"env.{WRAPPERS}: expected a list of _target_ and keywords; got {wrappers!r}")
    for index, wrapper in enumerate(wrappers):
        name = f"env.{WRAPPERS}[{index}]"
        if not isinstance(wrapper, Mapping) or not isinstance(wrapper.get("_target_"), str):
            raise UserError(f"{name}: expected the key _target_, a dotted path, and keywords; got {wrapper!r}")
        for key in _REFUSED_KEYS:
            if key in wrapper:
                raise UserError(f"{name}: expected keywords of {wrapper['_target_']}; got {key}")


def with_partial_wrappers(given: Mapping) -> dict:
    """Returns keywords of an environment in which functions are made of the wrappers, not environments.

    Args:
        given: Keywords of the environment, as plain containers, checked.
    """
    made = dict(given)
    if WRAPPERS in made:
        made[WRAPPERS] = [{**wrapper, "_partial_": True} for wrapper in made[WRAPPERS] or ()]
    return made


def saved_keywords(given: Mapping) -> dict:
    """Returns the keywords of an environment that `gymnasium.make` takes, and the wrappers if there are any.

    Args:
        given: Keywords of `make_vec`, as plain containers.
    """
    kept = {key: value for key, value in given.items() if key not in _ONLY_OF_MAKE_VEC}
    if not kept.get(WRAPPERS, True):
        del kept[WRAPPERS]
    return kept


def keywords_of_plain(given: Mapping) -> dict:
    """Returns the keywords of `make_plain`, the wrappers as functions.

    Args:
        given: Keywords of `make_vec` or of a saved policy's environment, as plain containers. Their names of code have
            been checked.

    Raises:
        UserError: If the wrappers are no wrappers.
    """
    check_wrappers(given)
    made = with_partial_wrappers(saved_keywords(given))
    if WRAPPERS in made:
        made[WRAPPERS] = [construct(wrapper) for wrapper in made[WRAPPERS]]
    return made


def folder_name(env_id: object) -> str:
    """Returns an environment's id as a name that a folder can have: "ALE-Pong-v5" for "ale_py:ALE/Pong-v5"."""
    name = str(env_id).partition(":")[2] or str(env_id)
    return re.sub(r"[^\w.+-]+", "-", name).strip("-. ") or "environment"
