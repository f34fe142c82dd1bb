"""A search that starts where another run ended: at its ρ or its weights, with its observation normaliser.

`searcher.prob_init` and `searcher.center_init` may name the folder of a run, or zoo/NAME, for the whole network or in
the place of each kernel; `searcher.prob_init` also takes rules and files, see `experiments.training.priors`. What is
taken is read once and kept in the run's own folder, where resuming finds it.
"""

import hashlib
import math
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

import torch
from evotorch import Problem
from omegaconf import DictConfig, OmegaConf, open_dict

from ec_evotorch.protocols import StructuredProblem
from ec_evotorch.searchers.evolving_connectivity import PROB_MIN
from ec_evotorch.searchers.initial_center import number_or_vector
from experiments.errors import UserError
from experiments.run_config.build import names_run
from experiments.run_config.keys import STARTED_FROM
from experiments.run_config.targets import packages_of
from experiments.run_folder.archive import load_checkpoint, save_checkpoint
from experiments.run_folder.layout import START
from experiments.training.priors import files_of, is_prior, probabilities
from experiments.training.run_end import End, read_end

PROBABILITIES = "searcher.prob_init"  # the key that takes ρ; the other takes solutions
_KINDS = {torch.bool: "one-bit connections, as of searcher=ec", torch.float32: "real weights"}


class WarmStart:
    """The numbers that the searcher of a run starts with, where its configuration names runs, rules or files for them.

    Args:
        config: A whole configuration, resolved.
        folder: Folder of the run, if it is resumed: then nothing but its own file is read.
    """

    def __init__(self, config: DictConfig, folder: Path | None = None):
        self._folder, self._trust = folder, packages_of(OmegaConf.to_container(config))
        self._keys = {
            key: value for key, value in OmegaConf.to_container(config.searcher).items() if names_run(key, value)
        }
        self._ends: dict[str, End] = {}
        self._files: dict[str, dict[str, str]] = {}
        self._numbers: dict[str, torch.Tensor] = {}
        self._normalizer: dict | None = None

    def __call__(self, problem: Problem, keywords: Mapping) -> dict[str, torch.Tensor]:
        """Returns the numbers (L,) for each keyword that names a start, and puts its normaliser into the problem.

        The normaliser is that of the run whose first kernel is taken, which is the one that reads observations.

        Args:
            problem: Problem of the run.
            keywords: Keywords of its searcher.

        Raises:
            UserError: If there is no such run, rule or file, or it does not fit.
            ValueError: If a number in the place of another kernel is none, or `prob_min` is not.
        """
        if self._keys and self._folder is not None:
            self._load()
        for key, value in self._keys.items() if self._folder is None else ():
            self._numbers[key] = self._vector(problem, key, value, keywords)
        if self._normalizer is not None:
            problem.normalizer.load_state_dict(self._normalizer)
        return self._numbers

    def save(self, config: DictConfig, folder: Path) -> None:
        """Keeps the numbers in the folder of the run, and in its configuration where they came from.

        Raises:
            UserError: If the file cannot be written.
        """
        with open_dict(config):
            config.pop(STARTED_FROM, None)
            if self._keys:
                config[STARTED_FROM] = {name: end.record for name, end in self._ends.items()} | self._files
        if self._keys:
            save_checkpoint(folder / START, {"searcher": self._numbers, "normalizer": self._normalizer})

    def _load(self) -> None:
        path = self._folder / START
        try:
            saved = load_checkpoint(path)
            self._numbers = {key: torch.as_tensor(saved["searcher"][key]) for key in self._keys}
            self._normalizer = saved["normalizer"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = error.strerror if isinstance(error, OSError) else error
            raise UserError(f"'{path}': expected what the search began with: {what}") from error

    def _vector(self, problem: Problem, key: str, value: object, keywords: Mapping) -> torch.Tensor:
        shapes, dotted = _shapes(problem), f"searcher.{key}"
        if is_prior(value):
            value = self._prior(problem, dotted, value, keywords)
        elif isinstance(value, str):
            self._check_kind(problem, dotted, value)
            self._check_whole(dotted, value, shapes)
            value = dict.fromkeys(shapes, value)
        first, parts = next(iter(shapes)), {}
        for kernel, part in value.items():
            if is_prior(part) and kernel in shapes:
                parts |= self._prior(problem, f"{dotted}.{kernel}", part, keywords, kernel)
            elif isinstance(part, str) and kernel in shapes:
                parts[kernel] = self._kernel(problem, f"{dotted}.{kernel}", part, kernel, shapes[kernel], keywords)
                if kernel == first:
                    self._take_normalizer(problem, dotted, part)
            else:
                parts[kernel] = part
        if list(parts) == [""]:
            return parts[""]
        vector = number_or_vector(key, problem, parts, of="element")
        return vector if dotted == PROBABILITIES else vector.to(problem.dtype)

    def _prior(
        self, problem: Problem, key: str, value: object, keywords: Mapping, kernel: str | None = None
    ) -> dict[str, torch.Tensor]:
        """Returns the probabilities of a rule or a file by kernel, within the bounds of ρ."""
        if not key.startswith(PROBABILITIES):
            raise UserError(f"{key}: expected numbers or a run; rules and files give probabilities, for searcher=ec")
        if not isinstance(problem, StructuredProblem):
            raise UserError(f"{key}: expected numbers, because this problem names no kernels")
        found = probabilities(key, value, problem.agent, kernel)
        for name in files_of(value):
            digest = _digest(Path(name))
            self._files[name] = {"path": str(Path(name).resolve()), "sha256": digest, "run": f"file {digest[:12]}"}
        return {name: _bounded(problem, keywords, name, torch.from_numpy(array)) for name, array in found.items()}

    def _end(self, key: str, name: str) -> End:
        if name not in self._ends:
            try:
                self._ends[name] = read_end(name, self._trust)
            except UserError as error:
                raise UserError(f"{key}: {str(error).removeprefix('run: ')}") from error
        return self._ends[name]

    def _check_kind(self, problem: Problem, key: str, name: str) -> None:
        wanted = torch.bool if key.startswith(PROBABILITIES) else problem.dtype
        there = self._end(key, name).solution.dtype
        if there != wanted:
            raise UserError(f"{key}: expected a run with {_KINDS[wanted]}; '{name}' has {_KINDS[there]}")

    def _check_whole(self, key: str, name: str, shapes: dict) -> None:
        there = self._end(key, name).shapes
        if list(there) != list(shapes):
            raise UserError(f"{key}: expected a run with the kernels {_listed(shapes)}; '{name}' has {_listed(there)}")
        for kernel, shape in shapes.items():
            if tuple(there[kernel]) != tuple(shape):
                fitting = [other for other in shapes if tuple(there[other]) == tuple(shapes[other])]
                number = 0.5 if key == PROBABILITIES else 0.0
                parts = ", ".join(f"{other}: {name if other in fitting else number}" for other in shapes)
                advice = f"; what fits can be taken by itself: '{key}={{{parts}}}'" if fitting else ""
                raise UserError(
                    f"{key}: '{name}' does not fit: its {kernel} is {_size(there[kernel])}, here it is "
                    f"{_size(shape)}{advice}"
                )

    def _kernel(
        self, problem: Problem, key: str, name: str, kernel: str, shape: tuple, keywords: Mapping
    ) -> torch.Tensor:
        end = self._end(key, name)
        if kernel not in end.shapes:
            raise UserError(f"{key}: expected a run that has this kernel; '{name}' has {_listed(end.shapes)}")
        if tuple(end.shapes[kernel]) != tuple(shape):
            raise UserError(
                f"{key}: '{name}' does not fit: there it is {_size(end.shapes[kernel])}, here {_size(shape)}"
            )
        self._check_kind(problem, key, name)
        is_rho = key.startswith(PROBABILITIES)
        values = _part(end.rho if is_rho else end.solution, end.shapes, kernel, end.connection_mask)
        return _bounded(problem, keywords, kernel, values) if is_rho else values

    def _take_normalizer(self, problem: Problem, key: str, name: str) -> None:
        end, normalizer = self._end(key, name), getattr(problem, "normalizer", None)
        state = end.normalizer if key.startswith(PROBABILITIES) else end.policy_normalizer
        if (state is None) != (normalizer is None):
            was = "without" if state is None else "with"
            word = "false" if state is None else "true"
            raise UserError(
                f"{key}: '{name}' was trained {was} normalised observations, and its network would not see the same: "
                f"set problem.observation_normalization={word}"
            )
        if state is not None and len(state["sum"]) != len(normalizer.sum):
            observed = f"{len(state['sum'])} numbers, here they are {len(normalizer.sum)}"
            raise UserError(f"{key}: '{name}' does not fit: it observes {observed}")
        self._normalizer = state


def changed_starts(config: DictConfig) -> list[str]:
    """Tells what a run began from and is another one today; what is gone has not changed.

    Args:
        config: The configuration of the run, as in its folder.

    Returns:
        Words for each such run or file.
    """
    trust, changed = packages_of(OmegaConf.to_container(config)), []
    for name, known in (config.get(STARTED_FROM) or {}).items():
        with suppress(OSError, UserError):
            path = Path(known.path)
            digest = _digest(path) if path.is_file() else read_end(path, trust).record["sha256"]
            if digest != known.sha256:
                changed.append(f"what is in '{name}', where the search began")
    return changed


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _shapes(problem: Problem) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the kernels by name; one without a name where the problem does not tell them."""
    is_structured = isinstance(problem, StructuredProblem)
    return dict(problem.parameter_shapes) if is_structured else {"": (problem.solution_length,)}


def _bounded(problem: Problem, keywords: Mapping, kernel: str, rho: torch.Tensor) -> torch.Tensor:
    """Returns the probabilities of a kernel, brought into [prob_min, 1 − prob_min]."""
    low = number_or_vector("prob_min", problem, keywords.get("prob_min", PROB_MIN), of="bit")
    mask = getattr(problem, "connection_mask", None)
    low = _part(low.expand(problem.solution_length), _shapes(problem), kernel, mask)
    return torch.minimum(torch.maximum(rho, low), 1.0 - low)


def _part(vector: torch.Tensor, shapes: Mapping, kernel: str, mask: Mapping | None) -> torch.Tensor:
    """Returns the numbers of a kernel in its shape, with 0 for what the mask excludes."""
    if mask is not None:
        is_there = torch.cat([torch.from_numpy(mask[name]).flatten() for name in shapes])
        whole = torch.zeros(len(is_there), dtype=vector.dtype)
        whole[is_there] = vector
        vector = whole
    sizes = [math.prod(shape) for shape in shapes.values()]
    return dict(zip(shapes, vector.split(sizes), strict=True))[kernel].reshape(shapes[kernel])


def _listed(shapes: Mapping) -> str:
    return ", ".join(filter(None, shapes)) or "none"


def _size(shape: Collection[int]) -> str:
    return " x ".join(map(str, shape))
