"""What a stochastic policy draws its actions from: the agent's outputs with noise of a learned standard deviation.

What is drawn is a vector of as many numbers as the agent gives, which acts as `ec_evotorch.rollout.spaces` says. Where
something is chosen, noise of a Gumbel or a logistic distribution is added before the choice. That is the same as to
draw the choice from a softmax or a sigmoid of the outputs over a temperature.

Source: Maddison et al. (2014), "A* sampling", https://arxiv.org/abs/1411.0030, section 2 (the Gumbel-max trick).
"""

import math
from typing import Protocol

import torch
from gymnasium.spaces import MultiBinary, Space
from torch.distributions import Normal
from torch.nn.functional import logsigmoid

from ec_evotorch.rollout.spaces import choice_groups

_LEAST = 2.0**-24  # distance of a uniform number from 0 and from 1


class ActionDistribution(Protocol):
    """A family of distributions of actions, with the agent's outputs and standard deviations as parameters.

    Attributes:
        num_stdevs: K, standard deviations that are learned.
    """

    num_stdevs: int

    def noise(self, num_steps: int, num_envs: int, generator: torch.Generator) -> torch.Tensor:
        """Draws the noise (T, B, act_length) of T steps in B environments."""

    def act(self, outputs: torch.Tensor, stdev: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Returns the action (…, act_length) that outputs and noise (…, act_length) make, with stdev (K,)."""

    def log_probs(self, outputs: torch.Tensor, log_stdev: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Returns the log probability or density (…,) of actions (…, act_length)."""

    def entropy(self, outputs: torch.Tensor, log_stdev: torch.Tensor) -> torch.Tensor:
        """Returns the entropy, averaged over outputs (n, act_length)."""


def make_distribution(space: Space, act_length: int) -> ActionDistribution:
    """Returns the distributions of the actions of a space.

    Args:
        space: Space of an action.
        act_length: Numbers that the agent gives.
    """
    groups = choice_groups(space)
    if isinstance(space, MultiBinary):
        return Bernoullis(act_length)
    return Categoricals(groups) if groups else Normals(act_length)


class Normals:
    """A normal distribution around each output, with a standard deviation each."""

    def __init__(self, act_length: int):
        self.num_stdevs = act_length

    def noise(self, num_steps: int, num_envs: int, generator: torch.Generator) -> torch.Tensor:
        """Draws standard normal numbers."""
        return torch.randn((num_steps, num_envs, self.num_stdevs), generator=generator, dtype=torch.float32)

    def act(self, outputs, stdev, noise):
        """Returns outputs plus noise."""
        return outputs + stdev * noise

    def log_probs(self, outputs, log_stdev, actions):
        """Returns the log density of actions."""
        return Normal(outputs, log_stdev.exp(), validate_args=False).log_prob(actions).sum(dim=-1)

    def entropy(self, outputs, log_stdev):
        """Returns the entropy, which is the same for all outputs."""
        return (log_stdev + 0.5 * math.log(2.0 * math.pi * math.e)).sum()


class Categoricals:
    """A choice from each group of outputs, clipped to [−1, 1], with a standard deviation for each group.

    An action has 1 for what was chosen and 0 for the rest.

    Args:
        groups: How many outputs each choice is made from.
    """

    def __init__(self, groups: list[int]):
        self._groups, self.num_stdevs = groups, len(groups)
        self._group_of = torch.repeat_interleave(torch.arange(len(groups)), torch.tensor(groups))

    def noise(self, num_steps: int, num_envs: int, generator: torch.Generator) -> torch.Tensor:
        """Draws numbers of a Gumbel distribution with a standard deviation of 1."""
        uniform = _uniform((num_steps, num_envs, len(self._group_of)), generator)
        return -torch.log(-torch.log(uniform)) * (math.sqrt(6.0) / math.pi)

    def act(self, outputs, stdev, noise):
        """Returns which output of each group is largest with its noise."""
        noisy = outputs.clamp(-1.0, 1.0) + stdev[self._group_of] * noise
        chosen = [torch.zeros_like(g).scatter_(-1, g.argmax(-1, keepdim=True), 1.0) for g in self._split(noisy)]
        return torch.cat(chosen, dim=-1)

    def log_probs(self, outputs, log_stdev, actions):
        """Returns the log probability of the choices together."""
        return (self._log_softmax(outputs, log_stdev) * actions).sum(dim=-1)

    def entropy(self, outputs, log_stdev):
        """Returns the entropy of the choices together."""
        log_probs = self._log_softmax(outputs, log_stdev)
        return -(log_probs.exp() * log_probs).sum(dim=-1).mean()

    def _log_softmax(self, outputs, log_stdev):
        temperature = log_stdev.exp()[self._group_of] * (math.sqrt(6.0) / math.pi)
        logits = outputs.clamp(-1.0, 1.0) / temperature
        return torch.cat([group.log_softmax(dim=-1) for group in self._split(logits)], dim=-1)

    def _split(self, numbers: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return numbers.split(self._groups, dim=-1)


class Bernoullis:
    """A yes (1) or no (−1) from each output, clipped to [−1, 1], with a standard deviation each."""

    def __init__(self, act_length: int):
        self.num_stdevs = act_length

    def noise(self, num_steps: int, num_envs: int, generator: torch.Generator) -> torch.Tensor:
        """Draws numbers of a logistic distribution with a standard deviation of 1."""
        return torch.logit(_uniform((num_steps, num_envs, self.num_stdevs), generator)) * (math.sqrt(3.0) / math.pi)

    def act(self, outputs, stdev, noise):
        """Returns whether outputs plus noise are above 0."""
        return (outputs.clamp(-1.0, 1.0) + stdev * noise > 0).to(outputs.dtype) * 2.0 - 1.0

    def log_probs(self, outputs, log_stdev, actions):
        """Returns the log probability of the answers together."""
        return logsigmoid(self._logits(outputs, log_stdev) * actions).sum(dim=-1)

    def entropy(self, outputs, log_stdev):
        """Returns the entropy of the answers together."""
        logits = self._logits(outputs, log_stdev)
        each = sum(-torch.sigmoid(sign * logits) * logsigmoid(sign * logits) for sign in (1.0, -1.0))
        return each.sum(dim=-1).mean()

    def _logits(self, outputs, log_stdev):
        return outputs.clamp(-1.0, 1.0) / (log_stdev.exp() * (math.sqrt(3.0) / math.pi))


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return torch.rand(shape, generator=generator, dtype=torch.float32).clamp(_LEAST, 1.0 - _LEAST)
