"""Generalised advantage estimation and reward scaling."""

import math

import torch

_LEAST_VARIATION = 1e-4  # sums that vary less than this, relative to their size, count as constant


def estimate_advantages(rewards, values, next_values, terminated, ended, *, discount: float, gae_lambda: float):
    """Computes generalised advantage estimates A_t = δ_t + γ λ A_{t+1}, with δ_t = r_t + γ V(s_{t+1}) − V(s_t).

    V(s_{t+1}) is 0 where the episode terminated, and the value of the final observation where it was truncated.
    A_{t+1} is 0 where the episode ended either way, and after the last step.

    Args:
        rewards: (T, B) rewards of T steps in B environments.
        values: (T, B) values of the observations that were acted on.
        next_values: (T, B) values of the observations that came next, final ones included.
        terminated: (T, B) bool, steps with which an episode terminated.
        ended: (T, B) bool, steps with which an episode terminated or was truncated.
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


def estimate_stretch_advantages(advantages, ended, *, length: int, discount: float, gae_lambda: float):
    """Computes the advantage of whatever acted in each stretch of K steps.

    It is Σ δ_t over the steps of the stretch, plus γ λ A of the step after it.
    With γ near 1 that is the generalised advantage of the whole stretch as one action. An episode that begins within a
    stretch counts from there on. The term after the stretch is 0 where an episode ends with it, as in
    `estimate_advantages`.

    Args:
        advantages: (T, B) A of single steps, as `estimate_advantages` returns them with the same γ and λ.
        ended: (T, B) bool, steps with which an episode ended.
        length: K, a divisor of T.
        discount: γ.
        gae_lambda: λ.

    Returns:
        (T / K, B) advantages of the stretches.
    """
    keeps = discount * gae_lambda * (~ended).to(advantages.dtype)
    carried = keeps * torch.cat([advantages[1:], torch.zeros_like(advantages[:1])])
    deltas = advantages - carried
    return deltas.unflatten(0, (-1, length)).sum(dim=1) + carried[length - 1 :: length]


class RewardScale:
    """The standard deviation of the discounted sum of rewards so far.

    Rewards divided by it suit one step size, whatever the environment.

    Source: Engstrom et al. (2020), https://arxiv.org/abs/2005.12729, section 3; as in Gymnasium's `NormalizeReward`.
    Deviation: the scale changes between iterations only.
    """

    def __init__(self, num_envs: int, discount: float):
        """Makes the scale of `num_envs` environments with the discount γ."""
        self._discount = discount
        self._sums = torch.zeros(num_envs, dtype=torch.float64)  # discounted rewards of the running episodes
        self._count, self._total, self._total_of_squares = 0, 0.0, 0.0

    def update(self, rewards: torch.Tensor, ended: torch.Tensor) -> None:
        """Adds the rewards (T, B) float64 of an iteration; `ended` (T, B) bool says where episodes ended."""
        for reward, last in zip(rewards, ended, strict=True):
            self._sums = self._discount * self._sums + reward
            self._total += float(self._sums.sum())
            self._total_of_squares += float(self._sums.square().sum())
            self._sums = self._sums * ~last
        self._count += rewards.numel()

    def state_dict(self) -> dict:
        """Returns the sums, for `load_state_dict`."""
        return {
            "sums": self._sums,
            "count": self._count,
            "total": self._total,
            "total_of_squares": self._total_of_squares,
        }

    def load_state_dict(self, state: dict) -> None:
        """Takes the sums of another scale."""
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
