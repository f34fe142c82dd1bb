"""Which importable names a configuration may build."""

import pkgutil
from collections.abc import Iterator

from experiments.errors import UserError

ALLOWED_PACKAGES = ("envs", "agents", "ec_evotorch", "evotorch")


def check_targets(node: object) -> None:
    """Refuses every `_target_`, however deep, that is not defined in one of `ALLOWED_PACKAGES`.

    Raises:
        UserError: Naming the target. So is a name inside an allowed package that leads out of it (envs.os.system).
    """
    for target in _targets(node):
        if not isinstance(target, str) or target.split(".")[0] not in ALLOWED_PACKAGES:
            raise UserError(f"_target_: expected a name in {', '.join(ALLOWED_PACKAGES)}; got '{target}'")
        try:
            home = getattr(pkgutil.resolve_name(target), "__module__", None) or ""
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(f"_target_: '{target}' does not exist: {error}") from error
        if home.split(".")[0] not in ALLOWED_PACKAGES:
            raise UserError(f"_target_: '{target}' leads to '{home}', outside {', '.join(ALLOWED_PACKAGES)}")


def _targets(node: object) -> Iterator[object]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _targets(child)
