"""A feed-forward network that estimates the value of an observation."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from native.arguments import check_whole


def make_critic(obs_length: int, hidden_sizes: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Makes a network (…, obs_length) -> (…, 1) with tanh between its layers.

    Weights are orthogonal with gain √2, and 1 in the last layer; biases are 0.

    Source: Andrychowicz et al. (2021), https://arxiv.org/abs/2006.05990; as in https://github.com/vwxyzjn/cleanrl.

    Args:
        obs_length: Numbers in an observation.
        hidden_sizes: Units of each hidden layer.
        generator: Generator from which the weights are drawn.
    """
    layers: list[nn.Module] = []
    width = obs_length
    for size in hidden_sizes:
        layers += [_linear(width, size, math.sqrt(2.0), generator), nn.Tanh()]
        width = size
    return nn.Sequential(*layers, _linear(width, 1, 1.0, generator))


def check_critic_sizes(critic_sizes: object) -> list[int]:
    """Checks hidden sizes of a critic.

    Raises:
        ValueError: If they are no list of whole numbers, at least 1 each.
    """
    if not isinstance(critic_sizes, Sequence) or isinstance(critic_sizes, str):
        raise ValueError(f"critic_sizes: expected a list of whole numbers, got {critic_sizes!r}")
    return [check_whole(f"critic_sizes[{layer}]", size) for layer, size in enumerate(critic_sizes)]


def _linear(rows: int, columns: int, gain: float, generator: torch.Generator) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, rows, columns, dtype=torch.float32)
    nn.init.orthogonal_(layer.weight, gain, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
