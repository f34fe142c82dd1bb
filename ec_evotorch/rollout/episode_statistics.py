"""Counting the episodes of a training run, and summarising those of the last generation."""

import numpy as np


class EpisodeStatistics:
    """What a run has played so far, whichever searcher played it.

    Attributes:
        interactions: Environment steps so far.
        episodes: Finished episodes so far.
        failed: Those among them whose return was NaN or infinite.
    """

    def __init__(self):
        self.interactions = self.episodes = self.failed = 0
        self._returns = self._lengths = np.zeros(0)

    def add(self, returns: np.ndarray, lengths: np.ndarray, interactions: int | None = None) -> None:
        """Adds a generation.

        Args:
            returns: (solutions, episodes of each) returns in the environment's own reward.
            lengths: (solutions, episodes of each) environment steps of the episodes.
            interactions: Environment steps of the generation; None for the sum of `lengths`. They differ where
                episodes go on from one generation to the next.
        """
        self.count(returns, int(lengths.sum()) if interactions is None else interactions)
        self._returns, self._lengths = returns.mean(axis=1), lengths

    def count(self, returns: np.ndarray, interactions: int) -> None:
        """Counts episodes that belong to no generation; the summary stays that of the last generation.

        Args:
            returns: Returns of the episodes, in any shape.
            interactions: Environment steps of all of them.
        """
        self.interactions += interactions
        self.episodes += returns.size
        self.failed += int(np.count_nonzero(~np.isfinite(returns)))

    def state_dict(self) -> dict:
        """Returns the counters and the last generation's episodes, for `load_state_dict`."""
        return {
            "interactions": self.interactions,
            "episodes": self.episodes,
            "failed": self.failed,
            "returns": self._returns,
            "lengths": self._lengths,
        }

    def load_state_dict(self, state: dict) -> None:
        """Goes on counting from where a `state_dict` was taken."""
        self.interactions, self.episodes, self.failed = state["interactions"], state["episodes"], state["failed"]
        self._returns, self._lengths = np.asarray(state["returns"]), np.asarray(state["lengths"])

    @property
    def counts(self) -> dict:
        """The entries of `status` that are counted from the start of the run."""
        return {
            "total_interaction_count": self.interactions,
            "total_episode_count": self.episodes,
            "failed_episode_count": self.failed,
        }

    @property
    def status(self) -> dict:
        """Entries for EvoTorch's status; those of a generation without a finite return are NaN."""
        sound = self._returns[np.isfinite(self._returns)]
        mean, median, best = (float(f(sound)) if sound.size else float("nan") for f in (np.mean, np.median, np.max))
        return self.counts | {
            "mean_return": mean,
            "median_return": median,
            "max_return": best,
            "mean_episode_length": float(self._lengths.mean()) if self._lengths.size else float("nan"),
        }
