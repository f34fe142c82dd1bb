"""The incumbent of a search: the best centre that it has had, chosen on episodes that count as training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from evotorch.algorithms.searchalgorithm import SearchAlgorithm

from ec_evotorch.protocols import TrialProblem
from native.arguments import check_in_range, check_whole

MOST_EPISODES = 10  # an incumbent is tried again until it has played this many trials


class Incumbent:
    """Chooses, while a search goes on, among the centres that it has had.

    The centre of a search is a better policy in some generations than in others, and a single evaluation says little.
    The incumbent is the centre that has done best so far on several episodes. The search itself is not changed by it.

        searcher = EvolvingConnectivity(problem, popsize=16)
        incumbent = Incumbent(searcher)   # before the first step
        searcher.run(100)
        searcher.status["incumbent"]

    After each step, if less than `share` of all environment steps went into trials so far, there is a trial: the centre
    plays `num_episodes` episodes. If their mean return is above that of the incumbent, it plays as many again; if the
    mean of both is still above, it is the new incumbent. The incumbent, old or new, then plays `num_episodes` itself,
    until it has played ten times as many: a mean that was luck does not last. Returns are in the environment's own
    reward. NaN and infinite ones count as worse than any other. Where the problem normalises observations, the
    incumbent plays with the normaliser as it was when it was chosen: to a network that saw other numbers then, those of
    a later normaliser are those of another environment.

    All these episodes count in the problem's `total_interaction_count` and `total_episode_count`. Each has a seed of
    its own, a function of the problem's seed and the number of the trial.

    It attaches itself to the searcher's `after_step_hook`, and adds to the status after each step:
        incumbent: (L,) tensor in the dtype of solutions.
        incumbent_normalizer: The normaliser that it plays with; None if the problem has none.
        incumbent_return: Mean return of its trials.
        incumbent_iter: Step whose centre it was.

    "Incumbent" is the word of algorithm configuration for the best candidate known so far under noise. Source of the
    procedure, in which a challenger plays more only while it looks better: Hutter et al. (2009), ParamILS,
    https://arxiv.org/abs/1401.3492, there FocusedILS.

    Args:
        searcher: Any searcher on a problem with `play_trial`, as `RolloutProblem` has. Where its status has no
            `center`, as that of EvoTorch's genetic algorithms, the best solution so far is tried instead.
        share: Share of all environment steps that trials may take, in (0, 1).
        num_episodes: Episodes of a trial.

    Raises:
        ValueError: If the problem of the searcher cannot play trials, or a number is out of range.
    """

    def __init__(self, searcher: SearchAlgorithm, *, share: float = 0.1, num_episodes: int = 4):
        if not isinstance(searcher.problem, TrialProblem):
            raise ValueError(
                f"searcher: expected one on a problem with play_trial, got one on a {type(searcher.problem).__name__}"
            )
        self._share = check_in_range("share", share, 0.0, 1.0, include_low=False, include_high=False)
        self._num_episodes = check_whole("num_episodes", num_episodes)
        self._searcher, self._problem = searcher, searcher.problem
        self._solution: torch.Tensor | None = None
        self._normalizer: Any = None  # as it was when the solution was chosen
        self._returns = np.zeros(0)
        self._iter = self._trials = self._steps_of_trials = 0
        searcher.after_step_hook.append(self._after_step)

    def _after_step(self) -> dict:
        if self._steps_of_trials < self._share * self._problem.episode_statistics.interactions:
            self._try(latest_center(self._searcher).clone())
        return self._status | self._problem.episode_statistics.counts

    def _try(self, center: torch.Tensor) -> None:
        returns = self._play(center)
        if self._is_better(returns):
            if self._solution is not None:
                returns = np.concatenate([returns, self._play(center)])
            if self._is_better(returns):
                self._solution, self._returns, self._iter = center, returns, self._searcher.step_count
                normalizer = getattr(self._problem, "normalizer", None)
                self._normalizer = None if normalizer is None else normalizer.copy()
        if len(self._returns) < MOST_EPISODES * self._num_episodes:
            self._returns = np.concatenate([self._returns, self._play(self._solution, self._normalizer)])

    def _is_better(self, returns: np.ndarray) -> bool:
        return self._solution is None or _mean(returns) > _mean(self._returns)

    def _play(self, solution: torch.Tensor, normalizer: Any = None) -> np.ndarray:
        before = self._problem.episode_statistics.interactions
        how = {} if normalizer is None else {"normalizer": normalizer}
        returns = self._problem.play_trial(solution, self._num_episodes, seed=self._trials, **how)
        self._trials += 1
        self._steps_of_trials += self._problem.episode_statistics.interactions - before
        return returns

    @property
    def _status(self) -> dict:
        return {
            "incumbent": self._solution,
            "incumbent_normalizer": self._normalizer,
            "incumbent_return": _mean(self._returns),
            "incumbent_iter": self._iter,
        }

    def state_dict(self) -> dict:
        """Returns the incumbent and what was counted, for `load_state_dict`."""
        return {
            "solution": self._solution,
            "normalizer": None if self._normalizer is None else self._normalizer.state_dict(),
            "returns": self._returns,
            "iter": self._iter,
            "trials": self._trials,
            "steps_of_trials": self._steps_of_trials,
        }

    def load_state_dict(self, state: Mapping) -> None:
        """Goes on from where a `state_dict` was taken, with the state of the same search.

        Raises:
            ValueError: If the state is not one of an incumbent, as that of a search without one.
        """
        if not isinstance(state, Mapping):
            raise ValueError("state: expected that of a search with an Incumbent, got that of one without")
        solution = state["solution"]
        self._solution = None if solution is None else torch.as_tensor(solution).to(self._problem.dtype)
        normalizer = state.get("normalizer")  # not there in states of earlier versions
        self._normalizer = None
        if normalizer is not None:
            self._normalizer = self._problem.normalizer.copy()
            self._normalizer.load_state_dict(normalizer)
        self._returns = np.asarray(state["returns"], dtype=np.float64)
        self._iter, self._trials = int(state["iter"]), int(state["trials"])
        self._steps_of_trials = int(state["steps_of_trials"])
        if self._solution is not None:
            self._searcher.update_status(self._status)


def latest_center(searcher: SearchAlgorithm) -> torch.Tensor:
    """Returns the centre (L,) of a searcher, or the best solution so far where its status has no centre.

    Raises:
        ValueError: If it has neither, or what it reports as its centre is no solution of its problem.
    """
    status, length, dtype = searcher.status, searcher.problem.solution_length, searcher.problem.dtype
    if "center" not in status and status.get("best") is None:
        raise ValueError("searcher: expected its status to have a 'center' or a 'best' solution; it has neither")
    center = status["center"] if "center" in status else status["best"].values
    if not isinstance(center, torch.Tensor) or center.shape != (length,) or center.dtype != dtype:
        is_tensor = isinstance(center, torch.Tensor)
        got = f"one of shape {tuple(center.shape)} and {center.dtype}" if is_tensor else f"a {type(center).__name__}"
        raise ValueError(
            f"searcher: expected 'center' of its status to be a tensor of shape ({length},) and {dtype}; got {got}"
        )
    return center.as_subclass(torch.Tensor)


def _mean(returns: np.ndarray) -> float:
    """Returns the mean, or −∞ if a return is NaN or infinite."""
    return float(np.mean(returns)) if np.isfinite(returns).all() else -np.inf
