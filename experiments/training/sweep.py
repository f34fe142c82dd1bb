"""Several runs from one command line, through Hydra's launchers.

Running the same command again continues the sweep: finished runs are skipped, interrupted ones are resumed.
"""

import signal
import sys
import traceback
from contextlib import suppress
from multiprocessing import current_process
from pathlib import Path

from hydra._internal.callbacks import Callbacks
from hydra.core.plugins import Plugins
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from ec_evotorch.logging import quiet_evotorch
from experiments.errors import RunCrashed, UserError
from experiments.run_config.build import close_search
from experiments.run_config.compose import compose_config, compose_sweep, config_loader, settle_files
from experiments.run_config.config_dir import own_config_dir
from experiments.run_config.targets import EVERYTHING, make_own_code_importable
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.layout import CONFIG, TRACEBACK, HeldError, hold
from experiments.run_folder.status import EVALUATIONS, FAILED, write_status
from experiments.training.resume import resume
from experiments.training.run import build_search, train
from experiments.training.stop_signals import sigterm_interrupts
from experiments.training.sweep_outcome import report
from experiments.training.sweep_plan import BEGIN, RESUME, RunPlan, plan_run, status_of, status_time
from experiments.training.warm_start import WarmStart


def run_sweep(overrides: list[str], config_dir: str | Path | None = None) -> int:
    """Brings every combination of values to its end: ["searcher.popsize=16,32", "seed=0,1"] are four runs.

    Every combination is checked before the first is started. Runs that are finished, or that another process is
    training, are skipped; those that were interrupted are resumed. A run that fails does not stop the others. At the
    end, a line for each run says how it stands. The override `hydra/launcher=` chooses where the runs are trained: one
    after another, side by side, or on a cluster.

    Args:
        overrides: Hydra overrides, the user's own words.
        config_dir: As of `compose_config`.

    Returns:
        The exit code: 1 if a run is neither finished nor another process's, else 0.

    Raises:
        UserError: If one of the configurations is wrong, two runs would share a folder, or a folder holds another run;
            nothing was written then.
        KeyboardInterrupt: After Ctrl-C or SIGTERM; the remaining runs were not started.
    """
    hydra_config, runs = compose_sweep(overrides, config_dir)
    configs = [compose_config(words, config_dir) for words in runs]
    own_dir = own_config_dir(config_dir)
    for config in configs:
        make_own_code_importable(OmegaConf.to_container(config), own_dir)
    plans = check_sweep(configs)
    stopped = None
    try:
        launch(hydra_config, [words for words, plan in zip(runs, plans, strict=True) if plan.trains], own_dir)
    except Exception as error:
        stopped = error
    finally:
        lines, unfinished = report(plans)
        print("\n".join(lines))
    if stopped is not None:
        reason = " ".join(f"{type(stopped).__name__}: {stopped}".split())
        print(f"ec-evotorch: error: the launcher stopped: {reason}", file=sys.stderr)
    return int(unfinished or stopped is not None)


def check_sweep(configs: list[DictConfig]) -> list[RunPlan]:
    """Checks every run of a sweep without writing anything, and returns what is to be done for each.

    Args:
        configs: A configuration for each run, the user's own words.

    Raises:
        UserError: As `run_sweep`.
    """
    plans: dict = {}
    for config in configs:
        plan = plan_run(config)
        if plan.folder in plans:
            raise UserError(
                f"two runs of the sweep would share the folder '{plan.folder}': name the swept key in run_dir, "
                "as in 'run_dir=runs/popsize-${searcher.popsize}-seed${seed}'"
            )
        plans[plan.folder] = plan
        if plan.trains:
            start = WarmStart(config, plan.folder if plan.action == RESUME else None)
            close_search(build_search(config, EVERYTHING, start))
    return list(plans.values())


def launch(hydra_config: DictConfig, runs: list[list[str]], config_dir: Path | None = None) -> None:
    """Hands the overrides of each run to Hydra's launcher, and returns when all runs have been trained.

    Args:
        hydra_config: Configuration with Hydra's own part, see `compose_sweep`.
        runs: Overrides of each run.
        config_dir: The user's own folder of YAML files, as `own_config_dir` returns it.
    """
    if not runs:
        return
    with sigterm_interrupts():
        context = HydraContext(config_loader(config_dir), Callbacks(hydra_config))
        launcher = Plugins.instance().instantiate_launcher(context, train_or_resume, hydra_config)
        for job in launcher.launch(runs, initial_job_idx=0):
            _ = job.return_value  # raises what `train_or_resume` should not have raised


def train_or_resume(config: DictConfig) -> None:
    """Does what is left to do for a run, in the process where a launcher calls it.

    If the run fails, the reason is in its status.json afterwards, with a traceback beside it unless it failed
    numerically. A folder that was refused before anything was written in it stays as it is.

    Args:
        config: Configuration of the run, composed from the user's own words.
    """
    quiet_evotorch()
    if current_process().name != "MainProcess":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C comes to the whole terminal; the main process answers it
    settle_files(config)  # a launcher composes by itself
    plan = plan_run(config)  # another process may have been at it since the sweep was checked
    try:
        if plan.action == BEGIN:
            train(config, EVERYTHING)
        elif plan.trains:  # `plan_run` found its configuration to be this one
            resume(plan.folder, [f"budget={plan.budget}"], trust=EVERYTHING)
    except HeldError:
        pass
    except Exception as error:
        _record_failure(plan, error)


def _record_failure(plan: RunPlan, error: Exception) -> None:
    reason = " ".join((str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}").split())
    print(f"ec-evotorch: error: {plan.folder}: {reason}", file=sys.stderr)
    is_recorded = isinstance(error, RunCrashed) or isinstance(error.__cause__, FloatingPointError)
    if is_recorded or not (plan.folder / CONFIG).exists():
        return  # its own status.json has the reason, or the run has not begun
    if plan.status_time is not None and status_time(plan.folder) == plan.status_time:
        return  # as when there is no checkpoint to go on from: what there was before is still true
    with suppress(UserError), hold(plan.folder):  # unless the disk is full, or it has become another process's
        write_atomic(plan.folder / TRACEBACK, traceback.format_exc().encode())
        before = status_of(plan.folder)
        evaluations = map(before.get, EVALUATIONS)
        write_status(plan.folder, FAILED, before.get("steps", 0), plan.budget, reason, *evaluations)
