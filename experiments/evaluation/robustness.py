"""Returns of a damaged policy: with flipped connections, silent neurons, or noise on what it observes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.progress import track

from agents.compiled_agent import CompiledAgent
from ec_evotorch import RolloutProblem
from experiments.analysis.statistics import crossed_interval
from experiments.errors import UserError
from experiments.evaluation.episodes import episode_seed
from experiments.evaluation.faults import (
    FLIP,
    NOISE,
    SILENCE,
    NoisyAgent,
    count_connections,
    damaged_parts,
    flip_connections,
    silence_neurons,
)
from experiments.evaluation.plain_env import errors_in_a_line, open_env, warn_of_other_model
from experiments.evaluation.policy_problem import policy_problem
from experiments.run_folder.policy import SavedPolicy

NONE = "none"
MOST_SLOTS = 128


def robustness(
    saved: SavedPolicy, levels: Mapping[str, Sequence[float]], num_episodes: int, draws: int, seed: int = 0
) -> pd.DataFrame:
    """Plays a policy with each damage alone, and without any.

    Environments and networks run side by side on all cores. A return is that of a plain Gymnasium loop with the same
    damage, to the last bit.

    Args:
        saved: The policy, and the environment that it plays in.
        levels: Fault ("flip", "silence" or "noise") -> how strong it is: the share of connections that are flipped, see
            `flip_connections`; the share of neurons that are silent, see `silence_neurons`; or the standard deviation
            of Gaussian noise, in those by which observations are normalised. 0 is no damage.
        num_episodes: Episodes of each draw: the same ones for all, those of `evaluate` with this seed.
        draws: How often connections, neurons or noise are drawn for each level.
        seed: Chooses the episodes and the draws.

    Returns:
        A row for each episode: `fault` ("none" for no damage), `level`, `damaged` (how many connections or neurons),
        `draw`, `seed`, `return` in the environment's own reward, NaN where a number was not finite, and `length`
        (environment steps).

    Raises:
        UserError: If the environment cannot be made or played, or does not fit; if neurons of an agent without any are
            to be silent; or if there is to be noise where observations are not normalised.

    Warns:
        ResultsWarning: If the environment simulates another model than in training.
    """
    _check(saved, levels)
    with open_env(saved) as env:
        warn_of_other_model(saved, env)
    seeds = [episode_seed(seed, episode) for episode in range(num_episodes)]
    with closing(_Player(saved, seeds, draws)) as play, errors_in_a_line(saved):
        return pd.concat(_tables(play, saved, levels, draws, seed), ignore_index=True)


def _tables(
    play: "_Player", saved: SavedPolicy, levels: Mapping[str, Sequence[float]], draws: int, seed: int
) -> Iterator[pd.DataFrame]:
    """Yields the rows of each damage, beginning with those of none."""
    agent, solution = saved.policy.agent, saved.policy.solution
    yield play(NONE, 0.0, 0, solution[None])
    damages = [(fault, level) for fault, given in levels.items() for level in sorted({*given} - {0.0})]
    for fault, level in _shown(damages):
        if fault == NOISE:
            yield from (play.with_noise(level, draw) for draw in range(draws))
            continue
        count = count_connections(agent) if fault == FLIP else agent.num_neurons
        damage = flip_connections if fault == FLIP else silence_neurons
        parts = [damaged_parts(fault, count, level, seed, draw) for draw in range(draws)]
        yield play(fault, level, len(parts[0]), torch.stack([damage(agent, solution, part) for part in parts]))


def robustness_summary(episodes: pd.DataFrame) -> pd.DataFrame:
    """Returns a row for each damage.

    Args:
        episodes: A table of `robustness`.

    Returns:
        `fault`, `level`, `damaged`, `draws`, `episodes` (of each draw), `mean` of the returns, `low` and `high` of its
        95 % interval over draws and episodes, see `crossed_interval`, `share` of the mean return without damage (NaN
        where that is not above 0), and `failed`, the number of episodes that had no finite return and are left out.
    """
    rows = []
    for (fault, level), table in episodes.groupby(["fault", "level"], sort=False):
        returns = table["return"].to_numpy().reshape(table.draw.nunique(), -1)
        low, high = crossed_interval(returns)
        rows.append(
            {
                "fault": fault,
                "level": level,
                "damaged": int(table.damaged.iloc[0]),
                "draws": len(returns),
                "episodes": returns.shape[1],
                "mean": np.nanmean(returns) if np.isfinite(returns).any() else np.nan,
                "low": low,
                "high": high,
                "failed": int(np.isnan(returns).sum()),
            }
        )
    summary = pd.DataFrame(rows)
    undamaged = summary["mean"].iloc[0]
    summary.insert(8, "share", summary["mean"] / (undamaged if undamaged > 0 else np.nan))
    return summary


class _Player:
    """Plays the same episodes with several solutions, or with noise."""

    def __init__(self, saved: SavedPolicy, seeds: list[int], draws: int):
        self._saved, self._seeds, self._draws = saved, seeds, draws
        self._noisy = NoisyAgent(saved.policy.agent)
        self._problem: RolloutProblem | None = None
        self._noisy_problem: RolloutProblem | None = None

    def __call__(self, fault: str, level: float, damaged: int, solutions: torch.Tensor) -> pd.DataFrame:
        """Plays with each of (draws, L) solutions, and returns the rows of their episodes."""
        if self._problem is None:
            self._problem = self._make(self._saved.policy.agent)
        return self._play(self._problem, solutions, fault, level, damaged, 0)

    def with_noise(self, level: float, draw: int) -> pd.DataFrame:
        """Plays with noise, and returns the rows of the episodes."""
        if self._noisy_problem is None:
            self._noisy_problem = self._make(self._noisy)
        self._noisy.stdev, self._noisy.draw = level, draw
        return self._play(self._noisy_problem, self._saved.policy.solution[None], NOISE, level, 0, draw)

    def close(self) -> None:
        for problem in (self._problem, self._noisy_problem):
            if problem is not None:
                problem.close()

    def _play(self, problem, solutions, fault, level, damaged, first_draw) -> pd.DataFrame:
        members = np.repeat(np.arange(len(solutions)), len(self._seeds))
        seeds = self._seeds * len(solutions)
        played = problem.play_episodes(solutions, members, seeds)
        columns = {"fault": fault, "level": level, "damaged": damaged, "draw": first_draw + members, "seed": seeds}
        return pd.DataFrame({**columns, "return": played.returns, "length": played.lengths})

    def _make(self, agent) -> RolloutProblem:
        return policy_problem(self._saved, min(MOST_SLOTS, len(self._seeds) * self._draws), agent=agent)


def _check(saved: SavedPolicy, levels: Mapping[str, Sequence[float]]) -> None:
    agent = saved.policy.agent
    if SILENCE in levels and not isinstance(agent, CompiledAgent):
        raise UserError(f"--silence: expected an agent RSNN, RNN, GRU or LSTM; got {type(agent).__name__}")
    if FLIP in levels and not hasattr(agent, "places"):
        raise UserError(f"--flip: expected an agent of this package or a ModuleAgent; got {type(agent).__name__}")
    if NOISE in levels and saved.policy.observation_mean is None:
        raise UserError("--noise: expected a policy whose observations are normalised; those of this one are not")


def _shown(tasks: list) -> Iterator:
    console = Console(stderr=True)
    return iter(track(tasks, "playing", console=console, transient=True, disable=not console.is_terminal))
