"""What a file that comes from elsewhere may say: policy.json or config.yaml of a run, which anybody may have written.

Training writes plain values and few names of code. Whatever else Hydra, OmegaConf or Gymnasium would act upon is
refused before they see it, because each can be made to run code: interpolations, positional arguments, names of code
in other places than these, and environment ids that name a module.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from experiments.errors import UserError

_AGENTS = ("GRU", "LSTM", "RNN", "RSNN", "ModuleAgent")
_MODULES = ("gru.GRU", "lstm.LSTM", "rnn.RNN", "rsnn.agent.RSNN", "module_agent.ModuleAgent")
_SEARCHERS = ("ActorCriticEC", "EvolvingConnectivity", "EvolutionStrategy", "PPO", "StagedEC")
_OF_EVOTORCH = ("CEM", "CMAES", "Cosyne", "GeneticAlgorithm", "MAPElites", "PGPE", "SNES", "SteadyStateGA", "XNES")
_WRAPPERS = (  # of Gymnasium's, those that call no function given by name, write no file and keep nothing for later
    "ClipAction",
    "ClipReward",
    "DelayObservation",
    "DiscretizeAction",
    "DiscretizeObservation",
    "FilterObservation",
    "FlattenObservation",
    "FrameStackObservation",
    "GrayscaleObservation",
    "MaxAndSkipObservation",
    "RepeatAction",
    "RescaleAction",
    "RescaleObservation",
    "ReshapeObservation",
    "ResizeObservation",
    "StickyAction",
    "TimeAwareObservation",
    "TimeLimit",
)
# Place -> names of code that are harmless there whatever their keywords are. EvoTorch's `PyCMAES` is none of them,
# because the package cma evaluates its options as Python. `str_to_net` is: it parses its text with `ast.parse`, looks
# the names of layers up in two modules, and takes only literals as arguments, so that no text reaches `eval`.
KNOWN = {
    "env": ("envs.make_vec", "envs.make.make_vec"),
    "agent": tuple(f"agents.{name}" for name in (*_AGENTS, *_MODULES)),
    "agent.module": ("evotorch.neuroevolution.net.str_to_net", "evotorch.neuroevolution.net.parser.str_to_net"),
    "searcher": (
        *(f"ec_evotorch.{name}" for name in _SEARCHERS),
        *(f"evotorch.algorithms.{name}" for name in _OF_EVOTORCH),
    ),
    "env.wrappers": ("envs.GoNoGo", *(f"gymnasium.wrappers.{name}" for name in _WRAPPERS)),
    "problem": ("ec_evotorch.RolloutProblem", "ec_evotorch.rollout.problem.RolloutProblem"),
}
_REFUSED_KEYS = ("_args_", "_recursive_")  # Hydra's own; training writes only _target_ and _partial_
_DEVICE = re.compile(r"(cpu|cuda|mps|xpu):\d+")  # of torch
_A_WRAPPER = re.compile(r"env\.wrappers\.\d+")


def known_in(where: str) -> tuple[str, ...]:
    """Returns the names of code that are harmless in the place of a dotted key, such as "env.wrappers.0._target_"."""
    place = where.rpartition(".")[0]
    return KNOWN.get("env.wrappers" if _A_WRAPPER.fullmatch(place) else place, ())


def check_plain(node: object, key: str = "") -> None:
    """Checks that no value is an interpolation, which OmegaConf would resolve by running a resolver.

    Args:
        node: Plain containers, unresolved.
        key: Dotted key of `node`, for messages.

    Raises:
        UserError: For the first interpolation, by its dotted key.
    """
    for where, value in _values(node, key):
        if "${" in _text(value):
            raise UserError(f"{where}: expected a plain value, as training writes it; got the interpolation {value!r}")


def check_keys(node: object, key: str = "") -> None:
    """Checks that no key tells Hydra to call code in another way than training does.

    Args:
        node: Plain containers.
        key: Dotted key of `node`, for messages.

    Raises:
        UserError: For the first such key.
    """
    for where, child in _nodes(node, key):
        name = where.rpartition(".")[2]
        if name in _REFUSED_KEYS or (name == "_convert_" and child != "all"):
            raise UserError(f"{where}: expected no such key in the file of a run: training does not write it")
        if name == "_target_" and not isinstance(child, str):
            raise UserError(f"{where}: expected a name; got {child!r}")
        if name == "_partial_" and not isinstance(child, bool):
            raise UserError(f"{where}: expected true or false; got {child!r}")


def foreign_names(node: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yields (dotted key, name) of all that code could be looked up by, but for what is `KNOWN` in its place.

    These are each `_target_`, and the module in each text of the form "module:Env", wherever it is.

    Args:
        node: Plain containers.
        key: Dotted key of `node`: "env" where that is the environment.
    """
    for where, value in _values(node, key):
        place, _, name = where.rpartition(".")
        text = _text(value)
        if name == "_target_":
            if text not in known_in(where):
                yield where, text
        elif names_module(text) and (_component(where) == "env" or not _DEVICE.fullmatch(text)):
            yield where, text.partition(":")[0]
        elif place == "agent.module" and "__" in text:
            raise UserError(f"{where}: expected layers of a network, none of which begins with '__'; got {text!r}")


def names_module(text: str) -> bool:
    """Returns whether Gymnasium would import a module for this environment id."""
    return ":" in text and "/" not in text.partition(":")[0].partition(".")[0]


def _component(where: str) -> str:
    return where.partition(".")[0]


def _text(value: object) -> str:
    """Returns the text in a value; "" where there is none."""
    return os.fsdecode(value) if isinstance(value, str | bytes | PurePath) else ""


def _values(node: object, key: str) -> Iterator[tuple[str, object]]:
    return ((where, child) for where, child in _nodes(node, key) if not isinstance(child, Mapping | list | tuple))


def _nodes(node: object, key: str) -> Iterator[tuple[str, object]]:
    """Yields (dotted key, value) of a node and of everything in it, however deep."""
    yield key, node
    if isinstance(node, list | tuple):
        node = dict(enumerate(node))
    for name, child in node.items() if isinstance(node, Mapping) else ():
        yield from _nodes(child, f"{key}.{name}" if key else str(name))
