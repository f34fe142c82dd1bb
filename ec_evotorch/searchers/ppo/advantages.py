"""What of the reward a critic did not expect: generalised advantage estimation, and the scale of the rewards."""

import math

import torch

_LEAST_VARIATION = 1e-4  # of the sums, relative to their size; below it they count as constant


def estimate_advantages(rewards, values, next_values, terminated, ended, *, discount: float, gae_lambda: float):
    """Generalised advantage estimates A_t = δ_t + γ λ A_{t+1}, with δ_t = r_t + γ V(s_{t+1}) − V(s_t).

    V(s_{t+1}) is 0 where the episode terminated, and the value of the final observation where it was truncated.
    A_{t+1} is 0 where the episode ended either way, and after the last step.

    Args:
        rewards: (T, B).
        values: (T, B) of the observations that were acted on.
        next_values: (T, B) of the observations that came next, final ones included.
        terminated: (T, B) bool.
        ended: (T, B) bool, terminated or truncated.
        discount: γ.
        gae_lambda: λ.

    Returns:
        (T, B) advantages.

    Source: Schulman et al. (2016), https://arxiv.org/abs/1506.02438, Eq. 16.
    """
    deltas = rewards + discount * next_values * ~terminated - values
    keeps = discount * gae_lambda * (~ended).to(deltas.dtype)
    advantages = torch.empty_like(deltas)
    following = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        following = deltas[t] + keeps[t] * following
        advantages[t] = following
    return advantages


class RewardScale:
    """Standard deviation of the discounted sum of rewards so far: rewards over it suit one step size everywhere.

    Source: Engstrom et al. (2020), https://arxiv.org/abs/2005.12729, section 3; as in Gymnasium's ``NormalizeReward``.
    Deviation: it changes between iterations only.

    Args:
        num_envs: B.
        discount: γ.
    """

    def __init__(self, num_envs: int, discount: float):
        self._discount = discount
        self._sums = torch.zeros(num_envs, dtype=torch.float64)  # discounted rewards of the running episodes
        self._count, self._total, self._total_of_squares = 0, 0.0, 0.0

    def update(self, rewards: torch.Tensor, ended: torch.Tensor) -> None:
        """Adds the rewards (T, B) float64 of an iteration; ``ended`` (T, B) bool says where episodes ended."""
        for reward, last in zip(rewards, ended, strict=True):
            self._sums = self._discount * self._sums + reward
            self._total += float(self._sums.sum())
            self._total_of_squares += float(self._sums.square().sum())
            self._sums = self._sums * ~last
        self._count += rewards.numel()

    def state_dict(self) -> dict:
        """The sums, for :meth:`load_state_dict`."""
        return {
            "sums": self._sums,
            "count": self._count,
            "total": self._total,
            "total_of_squares": self._total_of_squares,
        }

    def load_state_dict(self, state: dict) -> None:
        self._sums = torch.as_tensor(state["sums"]).to(self._sums)
        self._count, self._total, self._total_of_squares = state["count"], state["total"], state["total_of_squares"]

    @property
    def value(self) -> float:
        """The scale; 1 before the first update, and where the sums do not vary."""
        if not self._count:
            return 1.0
        mean, mean_square = self._total / self._count, self._total_of_squares / self._count
        variance = mean_square - mean * mean
        return math.sqrt(variance) if variance > _LEAST_VARIATION**2 * mean_square else 1.0
