"""Decides what is to be done for a run when it is asked for again: nothing, the rest, or all of it."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from envs import is_other_model
from experiments.errors import UserError
from experiments.run_config.environment import model_of
from experiments.run_config.keys import MODEL_DIGEST, keys_without_effect, leaves
from experiments.run_config.settings import RunSettings
from experiments.run_folder.checkpoints import comparable, differences
from experiments.run_folder.layout import CONFIG, STATUS, TRACEBACK, check_vacant, is_held, run_files
from experiments.run_folder.status import FAILED, FINISHED, read_status
from experiments.training.resume import config_of
from experiments.training.warm_start import changed_starts

BEGIN, RESUME, SKIP, LEAVE_FAILED, LEAVE_HELD = ("begin", "resume", "skip", "leave failed", "leave held")


@dataclass(frozen=True)
class RunPlan:
    """The work that is left to do for a run.

    Attributes:
        folder: Folder of the run.
        action: BEGIN or RESUME; or one of those that do nothing: SKIP for a finished run, LEAVE_FAILED for one that
            would fail again, LEAVE_HELD for one that another process is training.
        budget: Environment steps to train to, never less than were asked for earlier.
        status_time: When status.json was last written, in nanoseconds; None where there is none.
    """

    folder: Path
    action: str
    budget: int
    status_time: int | None

    @property
    def trains(self) -> bool:
        """Tells whether there is something to train."""
        return self.action in (BEGIN, RESUME)


def plan_run(config: DictConfig) -> RunPlan:
    """Compares a configuration with what is in its folder, without writing.

    A run that failed numerically would fail again and is left as it is; a run that crashed, for example because memory
    ran out, is resumed.

    Args:
        config: Configuration of the run, composed.

    Raises:
        UserError: If a setting is wrong, or the folder holds a run of another configuration that may not be
            overwritten.
    """
    settings = RunSettings.from_config(config)
    folder, budget = settings.run_dir, settings.budget
    check_vacant(folder, overwrite=True)
    action = BEGIN
    if is_held(folder):
        _check_held(folder, config, settings)
        action = LEAVE_HELD
    elif run_files(folder) and not settings.overwrite:
        budget_before = _same_run(folder, config).budget
        action = _what_is_left(folder, budget > budget_before)
        budget = max(budget, budget_before)
    return RunPlan(folder, action, budget, status_time(folder))


def _check_held(folder: Path, config: DictConfig, settings: RunSettings) -> None:
    """Checks that the run which another process is training is the one asked for."""
    training = f"'{folder}': another process is training in it"
    if settings.overwrite:
        raise UserError(f"{training}, which overwrite=true does not stop")
    if not (folder / CONFIG).is_file():
        return  # it has just begun
    budget = _same_run(folder, config).budget
    if settings.budget > budget:
        raise UserError(f"{training} with a budget of {budget:,} steps: ask for {settings.budget:,} when it has ended")


def _what_is_left(folder: Path, more_is_asked: bool) -> str:
    state = status_of(folder).get("state")
    if state == FINISHED and not more_is_asked:
        return SKIP
    if state == FAILED and not (folder / TRACEBACK).exists():
        return LEAVE_FAILED
    return RESUME


def status_time(folder: Path) -> int | None:
    """Returns when status.json was last written, in nanoseconds; None where there is none."""
    try:
        return (folder / STATUS).stat().st_mtime_ns
    except OSError:
        return None


def status_of(folder: Path) -> dict:
    """Returns the content of status.json, or an empty dictionary where the file is missing or damaged."""
    try:
        return read_status(folder)
    except (FileNotFoundError, UserError):
        return {}


def _same_run(folder: Path, config: DictConfig) -> RunSettings:
    refusal = f"'{folder}' holds a run already, {{}}: choose another run_dir=, or overwrite=true to replace it"
    try:
        before = config_of(folder)
        settings = RunSettings.from_config(before)
    except UserError as error:
        raise UserError(refusal.format(f"which cannot be read ({error})")) from error
    differing = differences(*(_with_effect(comparable(one)) for one in (before, config))) + differences(
        *(
            {"early_stop": one and vars(one)}
            for one in (settings.early_stop, RunSettings.from_config(config).early_stop)
        )
    )
    recorded = before.env.get(MODEL_DIGEST)
    if not differing and recorded is not None and is_other_model(recorded, now := model_of(config)):
        differing = [f"the model in env.xml_file ({recorded}, now {now})"]
    differing += changed_starts(before)
    if differing:
        raise UserError(refusal.format(f"with another configuration; these differ: {', '.join(differing)}"))
    return settings


def _with_effect(config: dict) -> dict:
    """Returns settings by dotted keys, without those that do nothing: a run of an earlier version may not have them."""
    left_out = keys_without_effect(config)
    settings = (setting for part, node in config.items() for setting in leaves(node, part))
    return {key: value for key, value in settings if key not in left_out}
