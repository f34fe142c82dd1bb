"""One training run, from a configuration to a finished run folder."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from evotorch import Problem
from evotorch.algorithms import SearchAlgorithm
from omegaconf import DictConfig, OmegaConf, open_dict

from ec_evotorch.workers import WorkerError
from experiments.atomic import write_atomic
from experiments.components import build
from experiments.curve import save_learning_curve
from experiments.errors import UserError
from experiments.metrics import VALUES, MetricsWriter
from experiments.policy_file import save_policy
from experiments.progress import make_progress
from experiments.run_folder import CONFIG, CURVE, METRICS, check_vacant, open_run_folder
from experiments.settings import RunSettings
from experiments.versions import software_versions


def train(config: DictConfig) -> Path:
    """Trains until the budget of environment steps is spent.

    Everything that can be wrong with the configuration is found before anything is written. Ctrl-C keeps what there is:
    the rows of all whole generations, the centre as the policy, and the curve. So does a search that fails numerically
    or loses its workers for good.

    Args:
        config: A composed configuration (`compose_config`), or the config.yaml of an earlier run.

    Returns:
        The run folder: config.yaml, metrics.csv, policy.safetensors, policy.json, curve.png.

    Raises:
        UserError: If the configuration is wrong, the folder holds a run already, the search fails numerically, or
            its workers are lost again and again.
        KeyboardInterrupt: After Ctrl-C, when all is saved.
    """
    config = config.copy()
    OmegaConf.resolve(config)
    with open_dict(config):
        config.pop("versions", None)  # an earlier run's; this one writes its own
    settings = RunSettings.from_config(config)
    folder = settings.run_dir
    check_vacant(folder, settings.overwrite)
    problem, searcher = build(config)
    open_run_folder(folder, settings.overwrite)
    with open_dict(config):
        config.budget = settings.budget
        config.versions = software_versions()
    write_atomic(folder / CONFIG, OmegaConf.to_yaml(config).encode())

    row: dict[str, object] = {}
    policy = failure = None
    interrupted = False
    with make_progress(settings.budget, settings.progress) as progress:
        progress.say(f"training in {folder}")
        try:
            with MetricsWriter(folder / METRICS) as metrics:
                for row in generations(problem, searcher, settings):
                    policy = problem.to_policy(center_of(searcher))
                    metrics.append(row)
                    progress.update(row)
        except KeyboardInterrupt:
            interrupted = True
        except (FloatingPointError, WorkerError) as error:
            failure = error
        finally:
            if problem.actors:
                problem.kill_actors()  # a run that follows in this process needs their room
        if policy is not None:
            save_policy(folder, policy, config.agent, config.env)
            title = f"{config.env.name}, {config.agent.name}, {config.searcher.name}, seed {settings.seed}"
            save_learning_curve(folder / METRICS, folder / CURVE, title)
        progress.say(_last_words(row, folder, "failed" if failure else "interrupted" if interrupted else "done"))
    if interrupted:
        raise KeyboardInterrupt
    if failure is not None:
        kept = "there is no policy" if policy is None else "the policy is that of the last good generation"
        raise UserError(f"{failure}; training stops, and {kept}") from failure
    return folder


def generations(problem: Problem, searcher: SearchAlgorithm, settings: RunSettings) -> Iterator[dict[str, object]]:
    """Steps the searcher until the budget is spent and yields a row for metrics.csv after each generation.

    The centre is evaluated after the first generation that reaches each multiple of `settings.eval.every` steps, and
    after the last one. Of the clocks, `elapsed_seconds` counts everything, `steps_per_second` only the searcher's step.

    Raises:
        FloatingPointError: If the searcher fails numerically, or its centre becomes NaN or infinite, before its row.
    """
    start = time.perf_counter()
    steps = 0
    next_evaluation = settings.eval.every
    while steps < settings.budget:
        before, steps_before = time.perf_counter(), steps
        searcher.step()
        seconds = time.perf_counter() - before
        status = searcher.status
        if not torch.isfinite(center_of(searcher)).all():
            raise FloatingPointError(f"generation {status['iter']}: the searcher's centre is no longer finite")
        steps = int(status["total_interaction_count"])
        row = {name: status[name] for name in VALUES if name in status and not np.isnan(status[name])}
        row |= {"generation": status["iter"], "steps": steps, "episodes": int(status["total_episode_count"])}

        episodes = 0
        if steps >= settings.budget:
            episodes = settings.eval.final_episodes
        elif next_evaluation is not None and steps >= next_evaluation:
            episodes = settings.eval.episodes
            next_evaluation = (steps // settings.eval.every + 1) * settings.eval.every
        if episodes:
            returns = problem.evaluate_center(center_of(searcher), num_episodes=episodes, seed=status["iter"])
            row |= {"center_return_mean": np.mean(returns), "center_return_std": np.std(returns)}

        row |= {"elapsed_seconds": time.perf_counter() - start, "steps_per_second": (steps - steps_before) / seconds}
        yield row


def center_of(searcher: SearchAlgorithm) -> torch.Tensor:
    """Returns the searcher's centre (L,), or where it has none the best solution so far."""
    return searcher.status["center"] if "center" in searcher.status else searcher.status["best"].values


def _last_words(row: dict[str, object], folder: Path, outcome: str) -> str:
    if not row:
        return f"{outcome} before the first generation was over; '{folder}' holds the configuration only"
    words = [f"{outcome} after {row['steps']:,} steps"]
    if row.get("center_return_mean") is not None:
        words.append(f"centre return {row['center_return_mean']:,.1f} ± {row['center_return_std']:,.1f}")
    words.append(f"metrics, policy and {CURVE} are in {folder}")
    return "; ".join(words)
