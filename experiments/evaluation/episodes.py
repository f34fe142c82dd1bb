"""`ec-evotorch evaluate`: plays the policy of a run in plain Gymnasium, one episode after another."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.progress import track

from ec_evotorch import Policy
from experiments.errors import UserError
from experiments.run_folder.policy import SavedPolicy, load_policy

EVALUATION_EPISODE = 0xE7A1  # purpose of the generator that seeds the episodes here
FIRST_SEED = 1 << 63
EPISODES_PER_TASK = 5
MOST_WORKERS = 4  # unless asked for more: each loads torch anew


def load_policy_of_run(run: Path) -> SavedPolicy:
    """Reads the policy of a run for a command.

    Raises:
        UserError: Where `load_policy` raises: there is none, or it is damaged.
    """
    try:
        return load_policy(run)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"'{run}' holds no policy: '{error.filename}' is missing") from error
    except ValueError as error:
        raise UserError(error) from error


def evaluate(run: Path, num_episodes: int, seed: int = 0, workers: int | None = None) -> pd.DataFrame:
    """Plays the policy of a run.

    Args:
        run: The folder of the run.
        num_episodes: How many episodes.
        seed: Which ones; the first episodes of a longer evaluation are those of a shorter one.
        workers: Processes to play in; None for as many as the cores and the number of episodes are worth.

    Returns:
        A row for each episode: `seed`, `return` (in the environment's own reward), `length` (environment steps).

    Raises:
        FileNotFoundError, ValueError: As `load_policy`.
    """
    seeds = [episode_seed(seed, episode) for episode in range(num_episodes)]
    tasks = [seeds[start : start + EPISODES_PER_TASK] for start in range(0, num_episodes, EPISODES_PER_TASK)]
    if workers is None:
        workers = min(os.cpu_count() or 1, MOST_WORKERS, num_episodes // 20 or 1)
    # Spawned, not forked: a fork would copy the locks that torch's and numba's threads hold.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else nullcontext()
    with pool as executor:
        play = map if executor is None else executor.map
        played = play(play_episodes, [run] * len(tasks), tasks)
        return pd.DataFrame(list(_flat(_shown(played, len(tasks)))), columns=["seed", "return", "length"])


def play_episodes(run: Path, seeds: list[int]) -> list[tuple[int, float, int]]:
    """Plays one plain Gymnasium episode a seed and returns (seed, return, length) of each."""
    torch.set_num_threads(1)
    saved = load_policy(run)
    env = gymnasium.make(**saved.env)
    try:
        return [(seed, *play_episode(env, saved.policy, seed)) for seed in seeds]
    finally:
        env.close()


def play_episode(env: gymnasium.Env, policy: Policy, seed: int) -> tuple[float, int]:
    """Plays one episode with a seed of `episode_seed` and returns its return and length (environment steps)."""
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

    It is the hash of (purpose, seed, episode) by NumPy's SeedSequence with bit 63 set. Training seeds its episodes, and
    those of the centre's evaluations, below 2^63: none of them is ever played here.
    """
    word = np.random.SeedSequence([EVALUATION_EPISODE, seed, episode]).generate_state(1, np.uint64)[0]
    return int(word) | FIRST_SEED


def summarise(values: pd.Series) -> dict[str, float]:
    """Returns mean, std (over the episodes, not their estimate for all), median, min and max."""
    return {
        "mean": float(values.mean()),
        "std": float(values.std(ddof=0)),
        "median": float(values.median()),
        "min": float(values.min()),
        "max": float(values.max()),
    }


def _shown(tasks: Iterator[list], count: int) -> Iterator[list]:
    console = Console(stderr=True)
    return track(tasks, "playing", total=count, console=console, transient=True, disable=not console.is_terminal)


def _flat(tasks: Iterator[list]) -> Iterator[tuple[int, float, int]]:
    for task in tasks:
        yield from task
