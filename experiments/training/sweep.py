"""Several runs from one command line, through Hydra's launchers. Asking again does what is left to do."""

import logging
import signal
import sys
import traceback
from contextlib import suppress
from multiprocessing import current_process

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext
from omegaconf import DictConfig

from experiments.errors import UserError
from experiments.run_config.build import build
from experiments.run_config.compose import CONFIG_DIR, CONFIG_NAME, compose_config, compose_sweep
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.layout import CONFIG, TRACEBACK, HeldError, hold
from experiments.run_folder.status import FAILED, write_status
from experiments.training.resume import resume
from experiments.training.run import train
from experiments.training.stop_signals import sigterm_interrupts
from experiments.training.sweep_outcome import report
from experiments.training.sweep_plan import BEGIN, RunPlan, plan_run, status_of


def run_sweep(overrides: list[str]) -> int:
    """Brings every combination of values to its end: ["searcher.popsize=16,32", "seed=0,1"] are four runs.

    Every combination is checked before the first is started. Runs that are finished, or that another process is
    training, are skipped; those that were interrupted go on. One that fails does not stop the others. At the end a line
    for each says how it stands. Which launcher trains them, here or on a cluster, is Hydra's `hydra/launcher` word.

    Returns:
        The exit code: 1 if a run is neither finished nor another process's.

    Raises:
        UserError: If one of the configurations is wrong, two runs would share a folder, or a folder holds another run;
            nothing was written then.
        KeyboardInterrupt: After Ctrl-C or SIGTERM; the rest was not started.
    """
    hydra_config, runs = compose_sweep(overrides)
    plans = check_sweep([compose_config(words) for words in runs])
    stopped = None
    try:
        launch(hydra_config, [words for words, plan in zip(runs, plans, strict=True) if plan.trains])
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
            build(config)
    return list(plans.values())


def launch(hydra_config: DictConfig, runs: list[list[str]]) -> None:
    """Hands the words of each run to Hydra's launcher, and returns when all have been trained."""
    if not runs:
        return
    with initialize_config_dir(CONFIG_DIR, version_base="1.3", job_name=CONFIG_NAME), sigterm_interrupts():
        context = HydraContext(GlobalHydra.instance().config_loader(), Callbacks(hydra_config))
        launcher = Plugins.instance().instantiate_launcher(context, train_or_resume, hydra_config)
        for job in launcher.launch(runs, initial_job_idx=0):
            _ = job.return_value  # raises what `train_or_resume` should not have raised


def train_or_resume(config: DictConfig) -> None:
    """Does what is left to do for a run, in the process where a launcher calls it.

    If it goes wrong, the reason is in the run's status.json afterwards, and a traceback beside it unless it failed
    numerically.
    """
    logging.getLogger("evotorch").setLevel(logging.WARNING)
    if current_process().name != "MainProcess":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C comes to the whole terminal; the main process answers it
    plan = plan_run(config)  # another process may have been at it since the sweep was checked
    try:
        if plan.action == BEGIN:
            train(config)
        elif plan.trains:
            resume(plan.folder, [f"budget={plan.budget}"])
    except HeldError:
        pass
    except Exception as error:
        _record_failure(plan, error)


def _record_failure(plan: RunPlan, error: Exception) -> None:
    reason = " ".join((str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}").split())
    print(f"ec-evotorch: error: {plan.folder}: {reason}", file=sys.stderr)
    if isinstance(error.__cause__, FloatingPointError) or not (plan.folder / CONFIG).exists():
        return  # its own status.json has the reason, or the run has not begun
    with suppress(UserError), hold(plan.folder):  # unless the disk is full, or it has become another process's
        write_atomic(plan.folder / TRACEBACK, traceback.format_exc().encode())
        write_status(plan.folder, FAILED, status_of(plan.folder).get("steps", 0), plan.budget, reason)
