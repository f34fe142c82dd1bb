"""An agent of one's own: a linear policy whose weights are signs, one bit each."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass
class SignPolicyState:
    """State of B slots; this agent remembers nothing but its last output."""

    output: torch.Tensor  # (B, act_length) float32, before clipping


class SignPolicy:
    """Acts with action = gain · observation · (2 θ − 1), clipped to [−1, 1].

    A solution θ holds one bit for each pair of an observation and an action: True means the weight +1, False means −1.

    Args:
        obs_length: Length of an observation.
        act_length: Length of an action.
        gain: Scale of the action.
    """

    dtype = torch.bool

    def __init__(self, obs_length: int, act_length: int, gain: float = 1.0):
        self.obs_length, self.act_length, self.gain = obs_length, act_length, gain
        self.solution_length = obs_length * act_length

    def initial_state(self, batch_size: int, *, generator: torch.Generator | None = None) -> SignPolicyState:
        """Returns the state of `batch_size` slots in which nothing has happened yet."""
        return SignPolicyState(torch.zeros(batch_size, self.act_length))

    def reset(self, state: SignPolicyState, slots, seeds) -> None:
        """Begins an episode in some slots; an agent that draws random numbers draws them from the episodes' seeds."""
        state.output[torch.as_tensor(slots)] = 0.0

    def step(self, solutions: torch.Tensor, members, obs, state: SignPolicyState) -> torch.Tensor:
        """Acts in every slot.

        Args:
            solutions: (N, L) bool, the population.
            members: (B,) integers, the row of `solutions` that acts in each slot; a slot with a negative number rests.
            obs: (B, obs_length) float32.
            state: State of the slots, updated in place.

        Returns:
            (B, act_length) float32 in [−1, 1]; zero in a slot that rests.
        """
        members = torch.as_tensor(np.asarray(members))
        acting = (members >= 0).nonzero()[:, 0]
        weights = 2.0 * solutions[members[acting]].as_subclass(torch.Tensor).float() - 1.0
        weights = weights.reshape(-1, self.obs_length, self.act_length)
        observations = torch.as_tensor(obs, dtype=torch.float32)[acting]
        state.output[acting] = self.gain * torch.einsum("bi,bij->bj", observations, weights)
        actions = torch.zeros_like(state.output)
        actions[acting] = state.output[acting].clamp(-1.0, 1.0)
        return actions
