"""Making what a configuration names, without Hydra: `_target_` is called with the other keys as its keywords."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments.run_config.targets import resolve

NO_KEYWORDS = ("_target_", "_partial_", "_convert_")


def construct(node: Mapping, *arguments: object) -> Any:
    """Returns what Hydra's `instantiate(node, *arguments)` does, for what training writes into policy.json.

    Parts with a `_target_` of their own are made first, however deep they are; `_partial_: true` makes a function that
    calls the target.

    Args:
        node: `_target_` and keywords, plain containers whose targets have been checked, see `check_targets`.
        *arguments: Further arguments of the target, before the keywords.

    Raises:
        Exception: Whatever the target raises.
    """
    called, _ = resolve(node["_target_"])
    keywords = {key: _construct_within(value) for key, value in node.items() if key not in NO_KEYWORDS}
    return partial(called, *arguments, **keywords) if node.get("_partial_") else called(*arguments, **keywords)


def _construct_within(value: object) -> object:
    if isinstance(value, list):
        return [_construct_within(child) for child in value]
    if not isinstance(value, Mapping):
        return value
    return construct(value) if "_target_" in value else {key: _construct_within(child) for key, child in value.items()}
