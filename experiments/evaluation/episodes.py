"""Playing the policy of a run in plain Gymnasium, one episode after another, on seeds that training never uses."""

import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from functools import partial
from multiprocessing import current_process, get_context
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.progress import track

from ec_evotorch import Policy
from experiments.analysis.text_table import TextTable
from experiments.errors import UserError
from experiments.evaluation.plain_env import open_env, warn_of_other_model, with_env
from experiments.run_config.targets import IMPORTED_FROM, UntrustedError
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.layout import CONFIG, EVALUATION, POLICY_DESCRIPTION
from experiments.run_folder.policy import SavedPolicy, load_policy
from experiments.run_folder.read import read_config
from native.threads import default_num_threads

EVALUATION_EPISODE = 0xE7A1  # purpose of the generator that seeds the episodes here
FIRST_SEED = 1 << 63
EPISODES_PER_TASK = 5
MOST_WORKERS = 4  # unless more are asked for: each loads torch anew
EPISODES_PER_WORKER = 20  # fewer are not worth another process


def load_policy_of_run(run: Path, trust: Collection[str] = ()) -> SavedPolicy:
    """Reads the policy of a run, for a command.

    Args:
        run: The folder of the run.
        trust: Packages besides our own whose code the policy may use, see `check_targets`.

    Raises:
        UserError: If there is no policy, it is damaged, or it uses code of a package that is not trusted.
    """
    try:
        return load_policy(run, trust)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"'{run}' holds no policy: '{error.filename}' is missing") from error
    except ValueError as error:
        if isinstance(error.__cause__, UntrustedError):
            refused = error.__cause__
            what = f"'{run / POLICY_DESCRIPTION}': {refused.what}"
            raise UntrustedError(what, refused.packages, _imported_from(run)) from error
        raise UserError(error) from error


def _imported_from(run: Path) -> object:
    """Returns where the packages of a run were imported from in training; None where that is not known."""
    try:
        return read_config(run / CONFIG).get(IMPORTED_FROM)
    except UserError:
        return None


def evaluate(
    run: Path,
    num_episodes: int,
    seed: int = 0,
    workers: int | None = None,
    trust: Collection[str] = (),
    env: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Plays the policy of a run.

    Args:
        run: The folder of the run.
        num_episodes: How many episodes to play.
        seed: Chooses the episodes. The first episodes of a longer evaluation are those of a shorter one.
        workers: Processes to play in, which the result does not depend on; None for one, this process. A program that
            asks for more must call this under `if __name__ == "__main__":`, because each process imports the program.
        trust: Packages besides our own whose code the policy may use, see `check_targets`.
        env: Keywords of `gymnasium.make` for another environment than that of training, see `with_env`.

    Returns:
        A row for each episode: `seed`, `return` (in the environment's own reward), `length` (environment steps).

    Raises:
        FileNotFoundError: If the run has no policy.
        ValueError: If its policy is damaged.
        UserError: If its environment cannot be made or played; or if a process ended before it had played, as where the
            program has no such line.

    Warns:
        ResultsWarning: If the environment simulates another model than in training.
    """
    if getattr(current_process(), "_inheriting", False):
        sys.exit(1)  # a worker imports a program that would go on to ask for workers; its parent says so
    saved = with_env(load_policy(run, trust), env or {})
    with open_env(saved) as opened:
        warn_of_other_model(saved, opened)
    seeds = [episode_seed(seed, episode) for episode in range(num_episodes)]
    tasks = [seeds[start : start + EPISODES_PER_TASK] for start in range(0, num_episodes, EPISODES_PER_TASK)]
    # Spawned, not forked: a fork would copy the locks that torch's and numba's threads hold.
    several = workers is not None and workers > 1
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if several else nullcontext()
    with pool as executor:
        play = map if executor is None else executor.map
        played = play(partial(play_episodes, run, trust=trust, env=env), tasks)
        try:
            return pd.DataFrame(list(_flat(_shown(played, len(tasks)))), columns=["seed", "return", "length"])
        except BrokenProcessPool as error:
            raise UserError(
                f"workers: a process ended before it had played; a program that asks for {workers} workers calls "
                "evaluate under `if __name__ == '__main__':`, or asks for workers=1"
            ) from error


def default_workers(num_episodes: int) -> int:
    """Returns how many processes some episodes are worth, with no more than the cores that this process may use."""
    return min(default_num_threads(), MOST_WORKERS, max(1, num_episodes // EPISODES_PER_WORKER))


def play_episodes(
    run: Path, seeds: list[int], trust: Collection[str] = (), env: Mapping[str, Any] | None = None
) -> list[tuple[int, float, int]]:
    """Plays a plain Gymnasium episode for each seed; returns seed, return and length (environment steps) of each."""
    torch.set_num_threads(1)
    saved = with_env(load_policy(run, trust), env or {})
    with open_env(saved) as opened:
        return [(seed, *play_episode(opened, saved.policy, seed)) for seed in seeds]


def play_episode(env: gymnasium.Env, policy: Policy, seed: int) -> tuple[float, int]:
    """Plays one episode, and returns its return and length.

    Args:
        env: The environment, which is reset first.
        policy: The policy, which is reset first.
        seed: Seed of both resets, of `episode_seed`.

    Returns:
        The return in the environment's own reward, and the length in environment steps.
    """
    policy.reset(seed=seed)
    observation, _ = env.reset(seed=seed)
    total, length, over = 0.0, 0, False
    while not over:
        observation, reward, terminated, truncated, _ = env.step(policy(observation))
        total += float(reward)
        length += 1
        over = terminated or truncated
    return total, length


def episode_seed(seed: int, episode: int) -> int:
    """Returns the seed of an episode, for the environment's reset and the agent's initial state alike.

    It is the hash of (purpose, seed, episode) by NumPy's `SeedSequence`, with bit 63 set. The episodes of training, and
    of the centre's evaluations during it, have seeds below 2^63, so that none of them is ever played here.

    Args:
        seed: Seed of the evaluation, at least 0.
        episode: Number of the episode, from 0.
    """
    word = np.random.SeedSequence([EVALUATION_EPISODE, seed, episode]).generate_state(1, np.uint64)[0]
    return int(word) | FIRST_SEED


def evaluation_table(environment: str, episodes: pd.DataFrame) -> TextTable:
    """Returns the statistics of an evaluation as texts.

    Args:
        environment: Gymnasium's id, for the title.
        episodes: A table of `evaluate`.
    """
    columns = summaries(episodes)
    rows = [[name, *(f"{value:,.1f}" for value in summary.values())] for name, summary in columns.items()]
    return TextTable(["", *columns["return"]], rows, 1, title=f"{environment}: {len(episodes)} plain episodes")


def summaries(episodes: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Returns the statistics of an evaluation.

    Args:
        episodes: A table of `evaluate`.

    Returns:
        return and length -> mean, std, median, min and max over these episodes; std is no estimate for all episodes.
    """
    return {
        column: {
            "mean": float(values.mean()),
            "std": float(values.std(ddof=0)),
            "median": float(values.median()),
            "min": float(values.min()),
            "max": float(values.max()),
        }
        for column, values in episodes[["return", "length"]].items()
    }


def check_can_save(run: Path) -> None:
    """Checks that `save_evaluation` can write, before time is spent on playing.

    Raises:
        UserError: If the folder of the run is read-only.
    """
    if not os.access(run, os.W_OK):
        raise UserError(f"'{run}': cannot write {EVALUATION} there")


def save_evaluation(run: Path, env: dict, episodes: pd.DataFrame, seed: int) -> None:
    """Writes evaluation.json into the folder of a run.

    Args:
        run: The folder of the run.
        env: What `gymnasium.make` was called with.
        episodes: A table of `evaluate`.
        seed: The seed that `evaluate` was called with.

    Raises:
        UserError: If the file cannot be written.
    """
    report = {"env": env, "episodes": len(episodes), "seed": seed, **summaries(episodes)}
    report["returns"], report["lengths"] = episodes["return"].tolist(), episodes["length"].tolist()
    write_atomic(run / EVALUATION, (json.dumps(report, indent=2) + "\n").encode())


def _shown(tasks: Iterator[list], count: int) -> Iterator[list]:
    console = Console(stderr=True)
    return track(tasks, "playing", total=count, console=console, transient=True, disable=not console.is_terminal)


def _flat(tasks: Iterator[list]) -> Iterator[tuple[int, float, int]]:
    for task in tasks:
        yield from task
