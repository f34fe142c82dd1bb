"""One training run, from a configuration to a finished run folder."""

import time
import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from evotorch.algorithms import SearchAlgorithm
from omegaconf import DictConfig, OmegaConf, open_dict

from ec_evotorch import Incumbent, Resumable
from ec_evotorch.protocols import BlockAgent, TrialProblem
from ec_evotorch.rollout.workers.driver import WorkerError
from ec_evotorch.searchers.incumbent import latest_center
from ec_evotorch.threads import limit_threads
from experiments.errors import RunCrashed, UserError
from experiments.figures.single_run import save_learning_curve
from experiments.run_config.build import build, close_search
from experiments.run_config.config_dir import CONFIG_DIR
from experiments.run_config.environment import record_model, with_limit
from experiments.run_config.keys import MODEL_DIGEST
from experiments.run_config.own_code import told_of
from experiments.run_config.settings import RunSettings
from experiments.run_config.targets import EVERYTHING, IMPORTED_FROM, UntrustedError, own_packages, packages_of
from experiments.run_folder.atomic_write import write_atomic, writing
from experiments.run_folder.checkpoints import Checkpoint, Checkpoints, find_checkpoints
from experiments.run_folder.layout import (
    CONFIG,
    CURVE,
    METRICS,
    TRACEBACK,
    check_vacant,
    open_run_folder,
)
from experiments.run_folder.metrics import MetricsWriter
from experiments.run_folder.policy import save_policy
from experiments.run_folder.rho.history import RhoHistory
from experiments.run_folder.status import FAILED, FINISHED, INTERRUPTED, RUNNING, write_status
from experiments.run_folder.trained_run import TrainedRun
from experiments.run_folder.versions import software_versions
from experiments.training.evaluations import Evaluations
from experiments.training.loggers import Live, live_logging
from experiments.training.progress import SilentProgress, make_progress
from experiments.training.row import center_evaluation, episodes_due, generation_row, policy_of
from experiments.training.stop_signals import sigterm_interrupts
from experiments.training.warm_start import WarmStart
from native.threads import default_num_threads


def train(config: DictConfig, trust: Collection[str] = ()) -> TrainedRun:
    """Trains until the budget of environment steps is spent, or until its early stop ends it.

    Everything that can be wrong with the configuration is found before anything is written. Ctrl-C and SIGTERM keep
    the work done so far: the rows of all whole generations, a checkpoint, the centre as the policy, and the curve. The
    same is kept when a search fails numerically or loses its workers for good. A run that was killed continues from its
    last checkpoint, see `experiments.training.resume.resume`.

    Args:
        config: A composed configuration (`compose_config`), or the config.yaml of an earlier run.
        trust: Packages besides our own whose code the configuration may name; `EVERYTHING` if it is the user's own
            words. See `experiments.run_config.targets.check_targets`.

    Returns:
        The run folder: config.yaml, metrics.csv, policy.safetensors, policy.json, curve.png, status.json, checkpoints.
        It is a path with what is in them as `score`, `status` and `metrics`.

    Raises:
        UserError: If the configuration is wrong, the folder holds a run already, the search fails numerically, or
            its workers are lost again and again, or something cannot be written.
        RunCrashed: If there is an error in code, such as that of a component of the user's own. The traceback is in the
            folder, and what was done is kept.
        KeyboardInterrupt: After Ctrl-C or SIGTERM, when everything is saved.
    """
    config = config.copy()
    OmegaConf.resolve(config)
    settings = RunSettings.from_config(config)
    check_vacant(settings.run_dir, settings.overwrite)
    start = WarmStart(config)
    searcher = build_search(config, trust, start)
    try:
        with open_run_folder(settings.run_dir, settings.overwrite):
            with open_dict(config):
                config.budget = settings.budget
                config.versions = software_versions(with_warp=hasattr(searcher.problem.env, "on_device"))
                config.env.pop(MODEL_DIGEST, None)  # what the configuration of an earlier run says
            record_model(config, searcher.problem.env)
            record_own_packages(config)
            start.save(config, settings.run_dir)
            write_atomic(settings.run_dir / CONFIG, OmegaConf.to_yaml(config).encode())
            return Run(config, searcher).go_on()
    finally:
        close_search(searcher)


def build_search(config: DictConfig, trust: Collection[str] = (), start: WarmStart | None = None) -> SearchAlgorithm:
    """Builds the searcher of a run with its problem, and checks that the run can be logged as its configuration says.

    Args:
        config: A whole configuration, resolved.
        trust: Packages besides our own whose code it may name, as for `build`.
        start: What gives the numbers that the configuration takes from other runs; None to read them there.

    Raises:
        UntrustedError: As `build`, or if what the run is to be logged with gets keywords that its YAML does not have.
        UserError: As `build`, or if what the run is to be logged with is not installed.
    """
    logger = config.get("logger")
    live_logging(logger)
    if trust is not EVERYTHING:
        _check_logger(logger, trust)
    problem, searcher = build(config, trust, start or WarmStart(config))
    if RunSettings.from_config(config).incumbent is not None and not isinstance(problem, TrialProblem):
        close_search(searcher)
        raise UserError(f"incumbent: expected null with a {type(problem).__name__}, which cannot play trials")
    return searcher


def _check_logger(logger: DictConfig | None, trust: Collection[str]) -> None:
    """Checks that a logger gets no other keywords than its YAML has, each a text or null, or is trusted.

    Raises:
        UntrustedError: If not.
    """
    name = None if logger is None else logger.name
    if name is None or name in trust:
        return
    known = OmegaConf.load(Path(CONFIG_DIR, "logger", f"{name}.yaml"))
    for key, value in logger.items():
        if key not in known or not isinstance(value, str | None):
            expected = ", ".join(f"logger.{key}" for key in known)
            raise UntrustedError(f"logger.{key}: expected texts for {expected} and no other key; got {value!r}", [name])


def record_own_packages(config: DictConfig) -> None:
    """Writes into a configuration where the user's own packages were imported from, if it names any."""
    packages = own_packages(OmegaConf.to_container(config))
    with open_dict(config):
        if packages:
            config[IMPORTED_FROM] = packages
        else:
            config.pop(IMPORTED_FROM, None)


class Run:
    """The life of a run whose folder and configuration are there: begun or loaded, trained, interrupted, ended.

    Args:
        config: Configuration of the run, resolved, with versions.
        searcher: Searcher that `build` made from it.
    """

    def __init__(self, config: DictConfig, searcher: SearchAlgorithm):
        self._config, self._settings = config, RunSettings.from_config(config)
        self._folder = self._settings.run_dir
        self._searcher, self._problem = searcher, searcher.problem
        choice = self._settings.incumbent
        incumbent = None if choice is None else Incumbent(searcher, **vars(choice))
        try:
            self._resumable = Resumable(searcher, incumbent)
        except ValueError as error:
            self._resumable, self._why_not_resumable = None, error
        self._live, self._logging = Live(), live_logging(config.get("logger"))
        self._row: dict[str, object] = {}  # of the last generation
        self._steps_before = 0  # environment steps before the last generation
        self._evaluations = Evaluations(self._settings.early_stop)
        self._why_ended: str | None = None  # if that is before the budget
        self._policy = None
        self._metrics: MetricsWriter | None = None  # None until the run is loaded or begins
        self._rho_history = RhoHistory(self._folder)
        self._elapsed_before = 0.0  # seconds that a loaded run had already taken

    def load(self, checkpoint: Checkpoint) -> None:
        """Goes back to where a checkpoint was taken, and cuts off the rows of metrics.csv that came later.

        Raises:
            UserError: If the checkpoint does not fit the run, or metrics.csv is not the one that it was taken with;
                nothing was changed then.
        """
        if self._resumable is None:
            raise UserError(self._why_not_resumable)
        try:
            self._resumable.load_state_dict(checkpoint.search)
        except Exception as error:  # of the checkpoint, or of a searcher's own load_state_dict
            told = told_of(error, packages_of(OmegaConf.to_container(self._config)))
            raise UserError(f"the checkpoint does not fit the run: {told}") from error
        path, generation = self._folder / METRICS, checkpoint.row.get("generation", 0)
        self._rho_history.cut(generation)
        self._metrics = MetricsWriter.resume(path, checkpoint.metrics_size, checkpoint.metrics_sha256)
        self._evaluations.read(path)
        self._elapsed_before = checkpoint.elapsed_seconds
        self._row, self._steps_before = dict(checkpoint.row), checkpoint.steps_before
        if self._row:
            solution, how = policy_of(self._searcher)
            self._policy = self._problem.to_policy(solution, **how)

    def announce(self) -> None:
        """Writes that the run is going on.

        Raises:
            UserError: If it cannot be written.
        """
        self._write_status(RUNNING)

    def go_on(self) -> TrainedRun:
        """Trains to the end of the budget, from the beginning or from what was loaded.

        Returns:
            The run folder.

        Raises:
            UserError, RunCrashed: As `train`.
            KeyboardInterrupt: As `train`.
        """
        settings, folder = self._settings, self._folder
        limit_threads(default_num_threads())
        with make_progress(settings.budget, settings.progress, folder.name) as progress, sigterm_interrupts():
            if self._metrics is None:
                self._metrics = MetricsWriter(folder / METRICS)
                progress.say(f"training in {folder}")
            else:
                progress.say(f"going on in {folder} after generation {self._row.get('generation', 0)}")
            checkpoints = self._open_checkpoints(progress)
            self.announce()
            (folder / TRACEBACK).unlink(missing_ok=True)
            try:
                self._train(checkpoints, progress)
            except UserError:
                raise
            except Exception as error:
                raise self._crashed(error, checkpoints) from error
        return TrainedRun(folder)

    def _train(self, checkpoints: Checkpoints | None, progress: SilentProgress) -> None:
        try:
            with self._metrics, self._logging(self._live, self._folder):
                self._generations(checkpoints, progress)
        except KeyboardInterrupt:
            self._end(INTERRUPTED, checkpoints, progress)
            raise
        except FloatingPointError as error:
            kept = "there is no policy"
            if self._policy is not None:
                kept = "the policy is that of the last good generation"
            self._end(FAILED, checkpoints, progress, reason=str(error))
            raise UserError(f"{error}; training stops, and {kept}") from error
        except WorkerError as error:
            self._end(INTERRUPTED, checkpoints, progress, reason=str(error))
            raise UserError(f"{error}; {self._how_to_go_on()}") from error
        except UserError as error:
            with suppress(UserError):  # the disk may be full
                self._write_status(INTERRUPTED, str(error))
            raise UserError(f"{error}; {self._how_to_go_on()}") from error
        finally:
            if self._problem.actors:
                self._problem.kill_actors()  # a run that follows in this process needs their room
        self._end(FINISHED, checkpoints, progress, reason=self._why_ended)

    def _crashed(self, error: Exception, checkpoints: Checkpoints | None) -> RunCrashed:
        """Keeps what can be kept of a run that an error in code has ended, and returns what is to be said of it."""
        folder = self._folder
        reason = told_of(error, packages_of(OmegaConf.to_container(self._config)))
        for keep in (lambda: checkpoints and checkpoints.write(), self._save_policy):
            with suppress(Exception):  # what has failed may fail again
                keep()
        with suppress(UserError):
            write_atomic(folder / TRACEBACK, "".join(traceback.format_exception(error)).encode(errors="replace"))
            self._write_status(FAILED, reason)
        advice = f"the traceback is in {folder / TRACEBACK}"
        if find_checkpoints(folder):
            advice += f"; {self._how_to_go_on()}"
        return RunCrashed(reason, advice)

    def _how_to_go_on(self) -> str:
        return f"to go on when that is mended: ec-evotorch resume {self._folder}"

    def _open_checkpoints(self, progress: SilentProgress) -> Checkpoints | None:
        if self._resumable is None:
            progress.say(f"no checkpoints: {self._why_not_resumable}")
            return None
        return Checkpoints(self._folder, self._resumable, self._config, self._settings.checkpoint_every)

    @property
    def _steps(self) -> int:
        return self._row.get("steps", 0)

    def _generations(self, checkpoints: Checkpoints | None, progress: SilentProgress) -> None:
        start = time.perf_counter() - self._elapsed_before
        clock = lambda: time.perf_counter() - start  # noqa: E731 (a name for the one place where time is read)
        if self._row:
            self._finish_row(progress, clock)
        elif checkpoints is not None:
            checkpoints.take({}, 0, 0.0, self._metrics)
            checkpoints.write()
        while self._steps < self._settings.budget and self._why_ended is None:
            row, steps_before = self._step(), self._steps
            if checkpoints is not None:
                checkpoints.take(row, steps_before, clock(), self._metrics)
            self._row, self._steps_before = row, steps_before
            solution, how = policy_of(self._searcher)
            self._policy = self._problem.to_policy(solution, **how)
            self._finish_row(progress, clock)

    def _step(self) -> dict[str, object]:
        """Steps the searcher and returns the row of that generation, without an evaluation of the centre.

        Raises:
            FloatingPointError: If the searcher fails numerically, or its centre becomes NaN or infinite.
        """
        before = time.perf_counter()
        self._searcher.step()
        seconds = time.perf_counter() - before
        if not torch.isfinite(latest_center(self._searcher)).all():
            raise FloatingPointError(
                f"generation {self._searcher.status['iter']}: the searcher's centre is no longer finite"
            )
        return generation_row(self._searcher, self._steps, seconds, self._metrics.diagnostics)

    def _finish_row(self, progress: SilentProgress, clock: Callable[[], float]) -> None:
        """Evaluates the centre if an evaluation is due, and hands the row to everyone who wants it."""
        settings, steps, generation = self._settings, self._row["steps"], self._row["generation"]
        episodes = episodes_due(settings, self._steps_before, steps)
        if episodes:
            self._evaluate(episodes)
            if steps < settings.budget:
                self._why_ended = self._evaluations.reason_to_stop()
            if self._why_ended is not None and settings.eval.final_episodes:
                self._evaluate(settings.eval.final_episodes)
            if "prob" in self._searcher.status:
                rho = self._searcher.status["prob"].cpu().numpy()
                self._rho_history.append(generation, steps, rho, _blocks_of(self._problem))
        self._row["elapsed_seconds"] = clock()
        self._metrics.append(self._row)
        with writing(self._folder):
            self._live.log(self._row)
        if episodes:
            self._write_status(RUNNING)
        progress.update(self._row)

    def _evaluate(self, num_episodes: int) -> None:
        self._row |= center_evaluation(self._searcher, num_episodes, self._row["generation"])
        self._evaluations.add(self._row)

    def _write_status(self, state: str, reason: str | None = None) -> None:
        evaluations = self._evaluations
        write_status(
            self._folder, state, self._steps, self._settings.budget, reason, evaluations.last, evaluations.best
        )

    def _end(
        self, state: str, checkpoints: Checkpoints | None, progress: SilentProgress, reason: str | None = None
    ) -> None:
        if checkpoints is not None:
            checkpoints.write()
        self._save_policy()
        self._write_status(state, reason)
        progress.say(self._last_words({FINISHED: "done"}.get(state, state)))

    def _save_policy(self) -> None:
        """Writes the policy and the learning curve, if there is a generation to make them of."""
        folder, config = self._folder, self._config
        if self._policy is not None:
            save_policy(folder, self._policy, config.agent, with_limit(config, self._problem.env))
            title = f"{config.env.name}, {config.agent.name}, {config.searcher.name}, seed {self._settings.seed}"
            save_learning_curve(folder / METRICS, folder / CURVE, title)

    def _last_words(self, outcome: str) -> str:
        row, folder = self._row, self._folder
        if not row:
            return f"{outcome} before the first generation was over; '{folder}' holds the configuration only"
        words = [f"{outcome} after {row['steps']:,} steps"]
        if self._why_ended is not None:
            words.append(self._why_ended)
        if row.get("center_return_mean") is not None:
            words.append(f"centre return {row['center_return_mean']:,.1f} ± {row['center_return_std']:,.1f}")
        words.append(f"metrics, policy and {CURVE} are in {folder}")
        return "; ".join(words)


def _blocks_of(problem) -> dict[str, np.ndarray]:
    """Returns where in a solution the connections of each block are, where the agent of a problem tells it."""
    return problem.agent.solution_blocks() if isinstance(getattr(problem, "agent", None), BlockAgent) else {}
