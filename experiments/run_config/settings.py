"""The part of a configuration that is about the run itself, checked."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from experiments.errors import UserError, did_you_mean
from experiments.run_config.keys import COMPONENTS, STARTED_FROM
from experiments.run_config.keywords import check_mapping
from experiments.run_config.targets import IMPORTED_FROM

MOST_SEED = 2**32 - 1  # of a RolloutProblem
MOST = (1 << 63) - 1  # of a number in a file of a run
NAMED = ("env", "agent", "searcher")  # components whose names are in that of the run's folder
OPTIONAL = (
    "runs",
    "versions",
    "logger",
    "incumbent",
    "early_stop",
    IMPORTED_FROM,
    STARTED_FROM,
)  # keys that not every run has


@dataclass(frozen=True)
class EvalSettings:
    """When and for how long the centre is evaluated during training.

    Attributes:
        every: Environment steps of training between two evaluations; None to evaluate only at the end.
        episodes: Number of episodes of each evaluation before the end.
        final_episodes: Number of episodes of the evaluation at the end; 0 to leave it out.
    """

    every: int | None
    episodes: int
    final_episodes: int


@dataclass(frozen=True)
class IncumbentSettings:
    """How the policy of a run is chosen among the centres that its search has had, see `ec_evotorch.Incumbent`.

    Attributes:
        share: Share of the environment steps that its trials may take.
        num_episodes: Episodes of a trial.
    """

    share: float
    num_episodes: int


@dataclass(frozen=True)
class EarlyStopSettings:
    """When training ends before its budget, because the evaluations no longer rise.

    Attributes:
        patience: Number of evaluations in a row without a rise after which training ends.
        min_evals: Number of evaluations before which training does not end.
        min_delta: How much an evaluation must be above the last one that rose, to be a rise itself.
    """

    patience: int
    min_evals: int
    min_delta: float


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run besides its components.

    Attributes:
        seed: Seed that everything random in the run derives from.
        budget: Environment steps of training. The generation that crosses the budget is the last.
        run_dir: Folder of the run.
        overwrite: Whether a run that is already in `run_dir` is replaced.
        progress: Whether progress is shown.
        checkpoint_every: Generations between two checkpoints; None to write one only at the end and on interruption.
        eval: When and for how long the centre is evaluated.
        incumbent: How the policy is chosen; None if it is the centre of the last generation, as in runs of versions
            that had no such key.
        early_stop: When training ends before the budget; None for never, as in runs of versions that had no such key.
    """

    seed: int
    budget: int
    run_dir: Path
    overwrite: bool
    progress: bool
    checkpoint_every: int | None
    eval: EvalSettings
    incumbent: IncumbentSettings | None
    early_stop: EarlyStopSettings | None

    @classmethod
    def from_config(cls, config: DictConfig) -> "RunSettings":
        """Reads and checks the settings of a composed configuration, or of the config.yaml of a run.

        Raises:
            UserError: For a key that is missing or unknown, or a value of the wrong kind, naming it.
        """
        required = [name for name in (*cls.__dataclass_fields__, *COMPONENTS) if name not in OPTIONAL]
        _check_keys(config, "", required, optional=OPTIONAL)
        for component in COMPONENTS:
            check_mapping(component, config[component])
        _check_keys(config.eval, "eval.", EvalSettings.__dataclass_fields__)
        every, checkpoint_every = config.eval.every, config.checkpoint_every
        return cls(
            seed=_seed(config.seed),
            budget=_whole_number("budget", config.budget, minimum=1),
            run_dir=_path("run_dir", config.run_dir),
            overwrite=_truth("overwrite", config.overwrite),
            progress=_truth("progress", config.progress),
            checkpoint_every=(
                None if checkpoint_every is None else _whole_number("checkpoint_every", checkpoint_every, minimum=1)
            ),
            eval=EvalSettings(
                every=None if every is None else _whole_number("eval.every", every, minimum=1),
                episodes=_whole_number("eval.episodes", config.eval.episodes, minimum=1),
                final_episodes=_whole_number("eval.final_episodes", config.eval.final_episodes, minimum=0),
            ),
            incumbent=_incumbent(config.get("incumbent")),
            early_stop=_early_stop(config.get("early_stop"), is_evaluated=every is not None),
        )


def check_names(config: DictConfig) -> None:
    """Checks the names that the folder of a run is made of, and those that tables have.

    Raises:
        UserError: If `runs` or the name of a component is no text, or such a name would lead into another folder; or
            if a label is no text of one line.
    """
    if "runs" in config:
        _path("runs", config.runs)
    for component in NAMED:
        node = config.get(component)
        if isinstance(node, DictConfig) and "name" in node:
            name = node.name
            if not isinstance(name, str) or not name.strip(" .") or any(sign in name for sign in "/\\\0\n\r\t"):
                raise UserError(f"{component}.name: expected a name that a folder can have; got {name!r}")
        for label in ("label", "gradient_label"):
            text = node.get(label) if isinstance(node, DictConfig) else None
            if text is not None and not (isinstance(text, str) and text.isprintable()):
                raise UserError(f"{component}.{label}: expected a text of one line; got {text!r}")


def _incumbent(node: object) -> IncumbentSettings | None:
    if node is None:
        return None
    _check_keys(node, "incumbent.", IncumbentSettings.__dataclass_fields__)
    share = node.share
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 < share < 1.0:
        raise UserError(f"incumbent.share: expected a number between 0 and 1; got {share!r}")
    return IncumbentSettings(
        share=float(share), num_episodes=_whole_number("incumbent.num_episodes", node.num_episodes, minimum=1)
    )


def _early_stop(node: object, is_evaluated: bool) -> EarlyStopSettings | None:
    if node is None:
        return None
    _check_keys(node, "early_stop.", EarlyStopSettings.__dataclass_fields__)
    patience, min_evals, min_delta = node.patience, node.min_evals, node.min_delta
    min_evals = _whole_number("early_stop.min_evals", min_evals, minimum=0)
    if isinstance(min_delta, bool) or not isinstance(min_delta, int | float) or not 0.0 <= min_delta < math.inf:
        raise UserError(f"early_stop.min_delta: expected a number, at least 0; got {min_delta!r}")
    if patience is None:
        return None
    patience = _whole_number("early_stop.patience", patience, minimum=1)
    if not is_evaluated:
        raise UserError(f"early_stop.patience: expected null where eval.every is null; got {patience}")
    return EarlyStopSettings(patience=patience, min_evals=min_evals, min_delta=float(min_delta))


def _check_keys(node: object, prefix: str, expected: Collection[str], optional: tuple[str, ...] = ()) -> None:
    if not isinstance(node, DictConfig):
        raise UserError(f"{prefix.rstrip('.')}: expected the keys {', '.join(expected)}; got {node!r}")
    for key in node:
        if key not in expected and key not in optional:
            raise UserError(f"unknown key '{prefix}{key}'{did_you_mean(str(key), expected)}")
    for key in expected:
        if key not in node:
            raise UserError(f"missing key '{prefix}{key}'")


def _whole_number(name: str, value: object, minimum: int) -> int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and MOST < value < math.inf:
        raise UserError(f"{name}: expected a number of at most 63 bits; got {_short(value)}")
    if not is_number or not float(value).is_integer() or value < minimum:
        raise UserError(f"{name}: expected a whole number, at least {minimum}; got {value!r}")
    return int(value)


def _seed(value: object) -> int:
    if isinstance(value, int | float) and MOST_SEED < value < math.inf:
        raise UserError(f"seed: expected a whole number, at most {MOST_SEED}; got {_short(value)}")
    seed = _whole_number("seed", value, minimum=0)
    if isinstance(value, float):
        raise UserError(f"seed: expected a whole number, at least 0; got {value!r}, which is to be written as {seed}")
    return seed


def _short(value: float) -> str:
    return str(value) if value < 1 << 999 else "one of hundreds of digits"


def _truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UserError(f"{name}: expected true or false; got {value!r}")
    return value


def _path(name: str, value: object) -> Path:
    if not isinstance(value, str) or not value:
        raise UserError(f"{name}: expected the path of a folder; got {value!r}")
    return Path(value)
