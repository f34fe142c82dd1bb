"""One training run, from a configuration to a finished run folder."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from evotorch.algorithms import SearchAlgorithm
from omegaconf import DictConfig, OmegaConf, open_dict

from ec_evotorch import Resumable
from ec_evotorch.rollout.workers.driver import WorkerError
from ec_evotorch.threads import limit_threads
from experiments.errors import UserError
from experiments.figures.single_run import save_learning_curve
from experiments.run_config.build import build
from experiments.run_config.settings import RunSettings
from experiments.run_folder.atomic_write import write_atomic, writing
from experiments.run_folder.checkpoints import Checkpoint, Checkpoints
from experiments.run_folder.layout import (
    CONFIG,
    CURVE,
    METRICS,
    RHO_HISTOGRAM,
    TRACEBACK,
    check_vacant,
    open_run_folder,
)
from experiments.run_folder.metrics import VALUES, MetricsWriter
from experiments.run_folder.policy import save_policy
from experiments.run_folder.rho_histogram import RhoHistogram
from experiments.run_folder.status import FAILED, FINISHED, INTERRUPTED, RUNNING, write_status
from experiments.run_folder.versions import software_versions
from experiments.training.loggers import Live, live_logging
from experiments.training.progress import SilentProgress, make_progress
from experiments.training.stop_signals import sigterm_interrupts
from native.threads import default_num_threads

COUNTS_OF_STATUS = {
    "generation": "iter",
    "steps": "total_interaction_count",
    "episodes": "total_episode_count",
    "failed_episodes": "failed_episode_count",
}


def train(config: DictConfig) -> Path:
    """Trains until the budget of environment steps is spent.

    Everything that can be wrong with the configuration is found before anything is written. Ctrl-C and SIGTERM keep
    what there is: the rows of all whole generations, a checkpoint, the centre as the policy, and the curve. So does a
    search that fails numerically or loses its workers for good. A run that was killed goes on from its last checkpoint:
    `experiments.training.resume.resume`.

    Args:
        config: A composed configuration (`compose_config`), or the config.yaml of an earlier run.

    Returns:
        The run folder: config.yaml, metrics.csv, policy.safetensors, policy.json, curve.png, status.json, checkpoints.

    Raises:
        UserError: If the configuration is wrong, the folder holds a run already, the search fails numerically, or
            its workers are lost again and again, or something cannot be written.
        KeyboardInterrupt: After Ctrl-C or SIGTERM, when all is saved.
    """
    config = config.copy()
    OmegaConf.resolve(config)
    settings = RunSettings.from_config(config)
    check_vacant(settings.run_dir, settings.overwrite)
    _, searcher = build(config)
    with open_run_folder(settings.run_dir, settings.overwrite):
        with open_dict(config):
            config.budget = settings.budget
            config.versions = software_versions()
        write_atomic(settings.run_dir / CONFIG, OmegaConf.to_yaml(config).encode())
        return Run(config, searcher).go_on()


class Run:
    """A run whose folder and configuration are there, at its beginning or taken up again.

    Args:
        config: Resolved, with versions.
        searcher: As `build` makes it.
    """

    def __init__(self, config: DictConfig, searcher: SearchAlgorithm):
        self._config, self._settings = config, RunSettings.from_config(config)
        self._folder = self._settings.run_dir
        self._searcher, self._problem = searcher, searcher.problem
        try:
            self._resumable = Resumable(searcher)
        except ValueError as error:
            self._resumable, self._why_not_resumable = None, error
        self._live, self._logging = Live(), live_logging(config.get("logger"))
        self._row: dict[str, object] = {}  # of the last generation
        self._steps_before = 0  # that generation
        self._policy = None
        self._metrics: MetricsWriter | None = None  # of what was loaded
        self._rho_histogram = RhoHistogram(self._folder / RHO_HISTOGRAM)
        self._elapsed_before = 0.0  # what was loaded had been taken

    def load(self, checkpoint: Checkpoint) -> None:
        """Goes to where a checkpoint was taken; of metrics.csv the rows from there on are cut off.

        Raises:
            UserError: If the checkpoint is not one of such a run, or metrics.csv not the one it was taken with; nothing
                was changed then.
        """
        if self._resumable is None:
            raise UserError(self._why_not_resumable)
        try:
            self._resumable.load_state_dict(checkpoint.search)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(f"the checkpoint does not fit the run: {type(error).__name__}: {error}") from error
        path, generation = self._folder / METRICS, checkpoint.row.get("generation", 0)
        self._rho_histogram = RhoHistogram.resume(self._folder / RHO_HISTOGRAM, generation)
        self._metrics = MetricsWriter.resume(path, checkpoint.metrics_size, checkpoint.metrics_sha256)
        self._elapsed_before = checkpoint.elapsed_seconds
        self._row, self._steps_before = dict(checkpoint.row), checkpoint.steps_before
        if self._row:
            self._policy = self._problem.to_policy(center_of(self._searcher))

    def go_on(self) -> Path:
        """Trains to the end of the budget, from the beginning or from what was loaded.

        Raises:
            UserError, KeyboardInterrupt: As `train`.
        """
        settings, folder = self._settings, self._folder
        limit_threads(default_num_threads())
        with make_progress(settings.budget, settings.progress, folder.name) as progress, sigterm_interrupts():
            begins = self._metrics is None
            metrics = MetricsWriter(folder / METRICS) if begins else self._metrics
            words = "training in {}" if begins else "going on in {} after generation {}"
            progress.say(words.format(folder, self._row.get("generation", 0)))
            checkpoints = self._open_checkpoints(progress)
            write_status(folder, RUNNING, self._steps, settings.budget)
            (folder / TRACEBACK).unlink(missing_ok=True)
            try:
                with metrics, self._logging(self._live, folder):
                    self._generations(metrics, checkpoints, progress)
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
                raise UserError(f"{error}; {self._how_to_go_on()}") from error
            finally:
                if self._problem.actors:
                    self._problem.kill_actors()  # a run that follows in this process needs their room
            self._end(FINISHED, checkpoints, progress)
        return folder

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

    def _generations(self, metrics: MetricsWriter, checkpoints: Checkpoints | None, progress: SilentProgress) -> None:
        start = time.perf_counter() - self._elapsed_before
        clock = lambda: time.perf_counter() - start  # noqa: E731 (a name for the one place where time is read)
        if self._row:
            self._finish_row(metrics, progress, clock)
        elif checkpoints is not None:
            checkpoints.take({}, 0, 0.0, metrics)
            checkpoints.write()
        while self._steps < self._settings.budget:
            row, steps_before = self._step(), self._steps
            if checkpoints is not None:
                checkpoints.take(row, steps_before, clock(), metrics)
            self._row, self._steps_before = row, steps_before
            self._policy = self._problem.to_policy(center_of(self._searcher))
            self._finish_row(metrics, progress, clock)

    def _step(self) -> dict[str, object]:
        """Steps the searcher and returns the row of that generation, as yet without an evaluation of the centre.

        Raises:
            FloatingPointError: If the searcher fails numerically, or its centre becomes NaN or infinite.
        """
        before = time.perf_counter()
        self._searcher.step()
        seconds = time.perf_counter() - before
        status = self._searcher.status
        if not torch.isfinite(center_of(self._searcher)).all():
            raise FloatingPointError(f"generation {status['iter']}: the searcher's centre is no longer finite")
        steps = int(status["total_interaction_count"])
        row = {name: float(status[name]) for name in VALUES if name in status and not np.isnan(status[name])}
        row |= {name: int(status[entry]) for name, entry in COUNTS_OF_STATUS.items()}
        return row | {"steps_per_second": (steps - self._steps) / seconds}

    def _finish_row(self, metrics: MetricsWriter, progress: SilentProgress, clock: Callable[[], float]) -> None:
        """Evaluates the centre where it is due, and writes the row.

        It is due after the first generation that reaches each multiple of `eval.every` steps, and after the last one.
        """
        steps, evaluations = self._row["steps"], self._settings.eval
        episodes = 0
        if steps >= self._settings.budget:
            episodes = evaluations.final_episodes
        elif evaluations.every is not None and steps // evaluations.every > self._steps_before // evaluations.every:
            episodes = evaluations.episodes
        if episodes:
            center, generation = center_of(self._searcher), self._row["generation"]
            returns = self._problem.evaluate_center(center, num_episodes=episodes, seed=generation)
            self._row |= {"center_return_mean": np.mean(returns), "center_return_std": np.std(returns)}
            if "prob" in self._searcher.status:
                self._rho_histogram.append(generation, steps, self._searcher.status["prob"].cpu().numpy())
        self._row["elapsed_seconds"] = clock()
        metrics.append(self._row)
        with writing(self._folder):
            self._live.log(self._row)
        progress.update(self._row)

    def _end(
        self, state: str, checkpoints: Checkpoints | None, progress: SilentProgress, reason: str | None = None
    ) -> None:
        folder, config, settings = self._folder, self._config, self._settings
        if checkpoints is not None:
            checkpoints.write()
        if self._policy is not None:
            save_policy(folder, self._policy, config.agent, config.env)
            title = f"{config.env.name}, {config.agent.name}, {config.searcher.name}, seed {settings.seed}"
            save_learning_curve(folder / METRICS, folder / CURVE, title)
        write_status(folder, state, self._steps, settings.budget, reason)
        progress.say(self._last_words({FINISHED: "done"}.get(state, state)))

    def _last_words(self, outcome: str) -> str:
        row, folder = self._row, self._folder
        if not row:
            return f"{outcome} before the first generation was over; '{folder}' holds the configuration only"
        words = [f"{outcome} after {row['steps']:,} steps"]
        if row.get("center_return_mean") is not None:
            words.append(f"centre return {row['center_return_mean']:,.1f} ± {row['center_return_std']:,.1f}")
        words.append(f"metrics, policy and {CURVE} are in {folder}")
        return "; ".join(words)


def center_of(searcher: SearchAlgorithm) -> torch.Tensor:
    """Returns the searcher's centre (L,), or where it has none the best solution so far."""
    return searcher.status["center"] if "center" in searcher.status else searcher.status["best"].values
