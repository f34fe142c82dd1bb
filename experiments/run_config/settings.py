"""The part of a configuration that is about the run itself, checked."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from experiments.errors import UserError, did_you_mean
from experiments.run_config.keys import COMPONENTS
from experiments.run_config.keywords import check_mapping
from experiments.run_config.targets import IMPORTED_FROM

OPTIONAL = ("runs", "versions", "logger", IMPORTED_FROM)  # keys that not every run has


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
    """

    seed: int
    budget: int
    run_dir: Path
    overwrite: bool
    progress: bool
    checkpoint_every: int | None
    eval: EvalSettings

    @classmethod
    def from_config(cls, config: DictConfig) -> "RunSettings":
        """Reads and checks the settings of a composed configuration, or of the config.yaml of a run.

        Raises:
            UserError: For a key that is missing or unknown, or a value of the wrong kind, naming it.
        """
        _check_keys(config, "", (*cls.__dataclass_fields__, *COMPONENTS), optional=OPTIONAL)
        for component in COMPONENTS:
            check_mapping(component, config[component])
        _check_keys(config.eval, "eval.", EvalSettings.__dataclass_fields__)
        every, checkpoint_every = config.eval.every, config.checkpoint_every
        return cls(
            seed=_whole_number("seed", config.seed, minimum=0),
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
        )


def _check_keys(node: object, prefix: str, expected: tuple[str, ...] | dict, optional: tuple[str, ...] = ()) -> None:
    if not isinstance(node, DictConfig):
        raise UserError(f"{prefix.rstrip('.')}: expected the keys {', '.join(expected)}; got {node!r}")
    for key in node:
        if key not in expected and key not in optional:
            raise UserError(f"unknown key '{prefix}{key}'{did_you_mean(str(key), expected)}")
    for key in expected:
        if key not in node:
            raise UserError(f"missing key '{prefix}{key}'")


def _whole_number(name: str, value: object, minimum: int) -> int:
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
    if not is_whole or value < minimum:
        raise UserError(f"{name}: expected a whole number, at least {minimum}; got {value!r}")
    return int(value)


def _truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UserError(f"{name}: expected true or false; got {value!r}")
    return value


def _path(name: str, value: object) -> Path:
    if not isinstance(value, str) or not value:
        raise UserError(f"{name}: expected the path of a folder; got {value!r}")
    return Path(value)
