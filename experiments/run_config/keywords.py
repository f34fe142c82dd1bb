"""The keywords of a component, checked against the signature of its constructor before it is called."""

import collections.abc
import inspect
import json
import math
import re
import types
import typing
from collections.abc import Mapping

import numpy as np
import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from ec_evotorch.rollout.components import EnvError
from experiments.errors import UserError, did_you_mean
from experiments.run_config.env_refusal import env_refusal
from experiments.run_config.keys import LABELS, leaves

FOR_HYDRA = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")
HANDED_ON = {"device", "physics"}  # keywords of the problem that the environment gets
WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    list: "a list",
    dict: "keys of its own",
    types.NoneType: "null",
}
CONTAINERS = {
    list: (list, tuple, set, collections.abc.Sequence, collections.abc.Iterable, torch.Tensor, np.ndarray),
    dict: (dict, collections.abc.Mapping, collections.abc.MutableMapping),
}


def keywords(component: str, node: DictConfig) -> dict:
    """Returns the configuration of a component as plain containers, without the labels.

    Args:
        component: "env", "agent", "searcher" or "problem".
        node: Its part of the configuration.

    Raises:
        UserError: If it is not one.
    """
    check_mapping(component, node)
    return {key: value for key, value in OmegaConf.to_container(node).items() if key not in LABELS[component]}


def check_mapping(component: str, node: object) -> None:
    """Checks that a component has keys.

    Raises:
        UserError: If not, naming it.
    """
    if not isinstance(node, DictConfig):
        raise UserError(f"{component}: expected the key _target_ and keywords; got {node!r}")


def check_names(component: str, given: Mapping) -> None:
    """Checks that a constructor takes every keyword.

    Args:
        component: Its name, for messages.
        given: `_target_` and keywords; the target has been checked.

    Raises:
        UserError: For the first keyword that it does not take, by its dotted key.
    """
    parameters, _ = _signature(given["_target_"])
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for key in given:
        if key not in FOR_HYDRA and key not in parameters:
            hint = did_you_mean(key, parameters, prefix=f"{component}.")
            takes = ", ".join(parameters) or "none"
            raise UserError(f"unknown key '{component}.{key}'{hint}; keywords of _target_ {given['_target_']}: {takes}")


def check_types(component: str, given: Mapping) -> None:
    """Checks the types of keywords, as far as the signature of the constructor tells them.

    A type is known from the annotation of a parameter, or else from a default that is a number. Of keywords whose type
    is not known only those are refused that are, or hold, a number which is NaN.

    Args:
        component: Its name, for messages.
        given: `_target_` and keywords; the target has been checked.

    Raises:
        UserError: For the first keyword that does not fit, by its dotted key.
    """
    _, accepted = _signature(given["_target_"])
    for key, value in given.items():
        if key in FOR_HYDRA:
            continue
        name, kinds = f"{component}.{key}", accepted.get(key)
        if kinds is not None and not _fits(value, kinds):
            expected = " or ".join(WORDS[kind] for kind in WORDS if kind in kinds)
            raise UserError(f"{name}: expected {expected}; got {_as_yaml(value)}")
        for leaf, number in leaves(value, name):
            numbers = number if isinstance(number, list) else [number]
            if any(isinstance(one, float) and math.isnan(one) for one in numbers):
                raise UserError(f"{leaf}: expected a number; got nan")


def refusal(error: object, components: Mapping[str, Mapping]) -> UserError:
    """Returns what a constructor said of its arguments, with the dotted keys of those that it is about.

    Where it does not name one itself, the keyword is named whose type does not fit; or else all that may be meant.

    Args:
        error: What it raised, or its text.
        components: Component -> `_target_` and keywords, of all that may be meant; first the one that was called.
    """
    text = " ".join(str(error).split())
    if isinstance(error, EnvError) and "env" in components:
        text = text.removeprefix("env: ")
        if text.partition(":")[0] in HANDED_ON.difference(components["env"]):
            return UserError(f"problem.{text}")
        return env_refusal(text, components["env"])
    for component, given in components.items():
        leading = [key for key in given if key not in FOR_HYDRA and re.match(rf"{re.escape(key)}\b", text)]
        if leading:
            is_within = isinstance(given[leading[0]], Mapping) and re.match(r"\w+ \w+:", text)  # "surrogate beta: …"
            return UserError(f"{component}.{text.replace(' ', '.', 1) if is_within else text}")
    for component, given in components.items():
        mentioned = [key for key in given if key not in FOR_HYDRA and re.search(rf"\b{re.escape(key)}\b", text)]
        if mentioned:
            return UserError(f"{', '.join(f'{component}.{key}' for key in mentioned)}: {text}")
    for component, given in components.items():
        try:
            check_types(component, given)
        except UserError as found:
            return found
    for component, given in components.items():
        unknown = [
            f"{leaf}={_as_yaml(value)}"
            for key in _unchecked(given)
            for leaf, value in leaves(given[key], f"{component}.{key}")
        ]
        if unknown:
            return UserError(f"{component}: {text}; given were {', '.join(unknown)}")
    return UserError(f"{next(iter(components))}: {text}")


def _unchecked(given: Mapping) -> list[str]:
    """Returns the keywords whose values `check_types` cannot judge: of unknown type, or with values within."""
    _, accepted = _signature(given["_target_"])
    return [
        key
        for key, value in given.items()
        if key not in FOR_HYDRA and (accepted.get(key) is None or isinstance(value, list | Mapping))
    ]


def _signature(target: str) -> tuple[Mapping[str, inspect.Parameter], dict[str, set[type]]]:
    """Returns the parameters of a constructor or function, and the types that those accept of which that is known."""
    called = get_object(target)
    try:
        parameters = inspect.signature(called).parameters
    except (ValueError, TypeError):  # a builtin without a signature
        anything = inspect.Parameter("keywords", inspect.Parameter.VAR_KEYWORD)
        return {"keywords": anything}, {}
    try:
        hints = typing.get_type_hints(called.__init__ if inspect.isclass(called) else called)
    except (NameError, TypeError, AttributeError):  # an annotation that is no type here, or nothing annotated
        hints = {}
    accepted = {}
    for name, parameter in parameters.items():
        if name in hints:
            kinds = _kinds(hints[name])
        else:
            is_number = isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool)
            kinds = {int, float, list, dict, types.NoneType} if is_number else None
        if kinds is not None:
            accepted[name] = kinds | ({types.NoneType} if parameter.default is None else set())
    return parameters, accepted


def _kinds(hint: object) -> set[type] | None:
    """Returns the keys of `WORDS` that an annotation stands for; None where a part of it is something else."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [_kinds(part) for part in typing.get_args(hint)]
        return None if None in parts else set().union(*parts)
    plain = typing.get_origin(hint) or hint
    if plain in WORDS and plain not in CONTAINERS:
        return {plain}
    for kind, containers in CONTAINERS.items():
        if plain in containers:
            return {kind}
    return None


def _fits(value: object, kinds: set[type]) -> bool:
    if isinstance(value, Mapping) and "_target_" in value:
        return True  # it becomes something else
    kind = type(value)
    return kind in kinds or (kind is int and float in kinds)


def _as_yaml(value: object) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
