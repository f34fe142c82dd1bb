"""Continues a run from its last checkpoint, to the same end that it would have come to without an interruption."""

import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.errors import UserError
from experiments.run_config.build import close_search
from experiments.run_config.compose import parse_words
from experiments.run_config.environment import check_model, record_model
from experiments.run_config.foreign import check_plain
from experiments.run_config.settings import EarlyStopSettings, RunSettings
from experiments.run_config.targets import IMPORTED_FROM, UntrustedError
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.checkpoints import Checkpoint, comparable, differences, find_checkpoints, read_checkpoint
from experiments.run_folder.layout import CHECKPOINTS, CONFIG, METRICS, hold
from experiments.run_folder.read import read_config
from experiments.run_folder.status import FINISHED, read_status
from experiments.run_folder.trained_run import TrainedRun
from experiments.run_folder.versions import WARP_PACKAGES, software_versions
from experiments.training.run import Run, build_search, record_own_packages
from experiments.training.warm_start import WarmStart


def resume(
    folder: Path, overrides: list[str] = (), checkpoint: str | None = None, trust: Collection[str] = ()
) -> TrainedRun:
    """Continues a run to the end of its budget, or until its early stop ends it.

    Rows of metrics.csv after the checkpoint are cut off and written again: they come out the same, but for the clocks.
    A run that has neither a checkpoint nor a row starts from the beginning. A finished run is left as it is.

    Args:
        folder: Folder of the run. It may have been moved.
        overrides: Overrides such as "budget=2e6" or "early_stop=null"; the budget and the patience may only grow, and
            nothing else may change.
        checkpoint: Name of the checkpoint to continue from; None for the newest. Newer ones are deleted.
        trust: Packages whose code the run may use besides what is known, see `check_targets`; `EVERYTHING` if its
            config.yaml was compared with the user's own words.

    Returns:
        The run folder, as `train`.

    Raises:
        UserError: If there is no run, its configuration or its checkpoint is damaged or belongs to another run, it uses
            code of a package that is not trusted, or the model in its `env.xml_file` has changed; everything is left as
            it is. Later as `train`.
        KeyboardInterrupt: As `train`.
    """
    config = config_of(folder)
    before = RunSettings.from_config(config)
    _override(config, overrides)
    settings = RunSettings.from_config(config)
    if settings.budget < before.budget:
        raise UserError(f"budget: can only be raised on resuming, from {before.budget:,}; got {settings.budget:,}")
    if not _is_relaxed(before.early_stop, settings.early_stop):
        raise UserError(
            "early_stop: on resuming, expected a larger early_stop.patience or early_stop=null, because the run would "
            "have ended elsewhere with any other"
        )
    with hold(folder):
        if settings.early_stop == before.early_stop and _is_finished(folder):
            if advice := _how_to_train_on(folder, before.budget, settings.budget):
                print(f"'{folder}' is finished; {advice}", file=sys.stderr)
            if settings.budget == before.budget:
                _choose(folder, checkpoint)
                return TrainedRun(folder)
        path = _choose(folder, checkpoint)
        saved = None if path is None else read_checkpoint(path)
        config.budget = settings.budget
        if saved is not None:
            _check_same(path, config, saved)
        try:
            searcher = build_search(config, trust, WarmStart(config, folder))
        except UntrustedError as error:
            raise UntrustedError(error.what, error.packages, config.get(IMPORTED_FROM)) from error
        try:
            check_model(config, searcher.problem.env)
            record_model(config, searcher.problem.env)
            run = Run(config, searcher)
            if saved is None:
                (folder / METRICS).unlink(missing_ok=True)  # its header at most
            else:
                run.load(saved)
                for other in find_checkpoints(folder):
                    if other.name > path.name:
                        other.unlink()
            record_own_packages(config)
            run.announce()  # first, so that a kill leaves no finished run whose configuration asks for more
            write_atomic(folder / CONFIG, OmegaConf.to_yaml(config).encode())
            return run.go_on()
        finally:
            close_search(searcher)


def config_of(folder: Path) -> DictConfig:
    """Reads the config.yaml of a run, and sets its `run_dir` to the name that the folder has now.

    Raises:
        UserError: If it is not there, or not one of ours.
    """
    if not (folder / CONFIG).is_file():
        raise UserError(f"'{folder}' holds no run: it has no {CONFIG}")
    plain = read_config(folder / CONFIG)
    try:
        check_plain(plain)
    except UserError as error:
        raise UserError(f"'{folder / CONFIG}': {error}") from error
    config = OmegaConf.create(plain)
    config.run_dir = str(folder)
    return config


def _override(config: DictConfig, overrides: list[str]) -> None:
    refused = []
    for override in parse_words(overrides):
        if override.is_sweep_override():
            raise UserError(f"expected one value, got '{override.input_line}'")
        key, value = override.key_or_group, override.value()
        if key == "budget":
            config.budget = value
        elif key.partition(".")[0] == "early_stop" and not (override.is_add() or override.is_delete()):
            _override_early_stop(config, key, value)
        else:
            now = OmegaConf.select(config, key)
            refused.append(f"{key} ({now.get('name') if isinstance(now, DictConfig) else now!r}, now {value!r})")
    if refused:
        raise UserError(
            f"only budget= and early_stop= may change on resuming, got {', '.join(refused)}: train that in another "
            "run_dir="
        )


def _override_early_stop(config: DictConfig, key: str, value: object) -> None:
    with open_dict(config):
        if not isinstance(config.get("early_stop"), DictConfig):  # null, or a run of an earlier version
            config.early_stop = {"patience": None, "min_evals": 0, "min_delta": 0.0}
        OmegaConf.update(config, key, value)


def _is_relaxed(before: EarlyStopSettings | None, now: EarlyStopSettings | None) -> bool:
    """Returns whether a run goes on with a rule wherever it went on before."""
    if now is None or before is None:
        return now is before or now is None
    return now.patience >= before.patience and now == replace(before, patience=now.patience)


def _how_to_train_on(folder: Path, budget_before: int, budget: int) -> str | None:
    reason = read_status(folder).get("reason")
    if reason is not None:
        return f"{reason}; to go on with it, add early_stop=null, or a larger early_stop.patience="
    return f"to go on with it, raise its budget= of {budget:,} steps" if budget == budget_before else None


def _is_finished(folder: Path) -> bool:
    try:
        return read_status(folder)["state"] == FINISHED
    except (FileNotFoundError, UserError):
        return False  # the end of the run is repeated, and writes the file anew


def _check_same(path: Path, config: DictConfig, saved: Checkpoint) -> None:
    differing = differences(saved.config, comparable(config))
    if differing:
        raise UserError(
            f"'{path}': expected the checkpoint of a run with the same {CONFIG}, but for the budget; "
            f"these differ: {', '.join(differing)}"
        )
    differing = differences(saved.versions, software_versions(with_warp=WARP_PACKAGES[0] in saved.versions))
    if differing:
        words = "the run may not end as it would have: since the checkpoint these versions changed:"
        print(f"ec-evotorch: warning: {words} {', '.join(differing)}", file=sys.stderr)


def _choose(folder: Path, name: str | None) -> Path | None:
    found = find_checkpoints(folder)
    if name is not None:
        if name not in [path.name for path in found]:
            there = ", ".join(path.name for path in found) or "none"
            raise UserError(f"--checkpoint: expected a name in '{folder / CHECKPOINTS}' ({there}); got '{name}'")
        return folder / CHECKPOINTS / name
    if found:
        return found[-1]
    metrics = folder / METRICS
    if metrics.exists() and metrics.read_bytes().count(b"\n") > 1:
        raise UserError(
            f"'{folder}' has no checkpoint, but rows in {METRICS}: to lose them and start from the beginning, train "
            "with overwrite=true"
        )
    return None
