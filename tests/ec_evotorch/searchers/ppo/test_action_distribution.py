"""Distributions of PPO's actions: the choices have the probabilities that the loss takes them to have."""

import math

import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from ec_evotorch.searchers.ppo.action_distribution import Bernoullis, Categoricals, Normals, make_distribution

STDEV = {"categorical": torch.tensor([0.8, 2.0]), "bernoulli": torch.tensor([0.5, 1.0, 2.0])}
OUTPUTS = {"categorical": torch.tensor([0.3, -0.5, 0.9, 2.0, -0.2]), "bernoulli": torch.tensor([0.4, -0.9, 3.0])}
DISTRIBUTIONS = {"categorical": Categoricals([3, 2]), "bernoulli": Bernoullis(3)}


@pytest.mark.parametrize(
    ("space", "kind", "num_stdevs"),
    [
        (Box(-1.0, 1.0, (2, 2)), Normals, 4),
        (Discrete(3), Categoricals, 1),
        (MultiDiscrete([3, 2]), Categoricals, 2),
        (MultiBinary(3), Bernoullis, 3),
    ],
)
def test_each_space_of_actions_has_its_distribution(space, kind, num_stdevs):
    distribution = make_distribution(space, {Normals: 4, Categoricals: 5, Bernoullis: 3}[kind])
    assert type(distribution) is kind
    assert distribution.num_stdevs == num_stdevs


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_choices_are_drawn_with_the_probabilities_of_their_log_probs(name):
    """With 40,000 draws a frequency errs by less than 0.0125 = five standard errors, so that false alarms are rare."""
    distribution, outputs, stdev = DISTRIBUTIONS[name], OUTPUTS[name], STDEV[name]
    noise = distribution.noise(200, 200, torch.Generator().manual_seed(0))
    drawn = distribution.act(outputs.expand_as(noise), stdev, noise).flatten(0, 1)
    kinds, counts = drawn.unique(dim=0, return_counts=True)
    probabilities = distribution.log_probs(outputs.expand_as(kinds), stdev.log(), kinds).exp()
    assert len(kinds) == {"categorical": 6, "bernoulli": 8}[name]
    assert probabilities.sum().item() == pytest.approx(1.0)
    assert (counts / len(drawn) - probabilities).abs().max() < 0.0125
    expected = -(probabilities * probabilities.log()).sum()
    assert distribution.entropy(outputs[None], stdev.log()).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_noise_has_a_standard_deviation_of_one(name):
    noise = DISTRIBUTIONS[name].noise(200, 200, torch.Generator().manual_seed(0))
    assert noise.std().item() == pytest.approx(1.0, abs=0.02)


def test_probabilities_by_hand():
    temperature = math.sqrt(6.0) / math.pi
    log_probs = Categoricals([2]).log_probs(torch.tensor([temperature, 0.0]), torch.zeros(1), torch.tensor([1.0, 0.0]))
    assert log_probs.exp().item() == pytest.approx(math.e / (math.e + 1.0))
    temperature = math.sqrt(3.0) / math.pi
    log_probs = Bernoullis(1).log_probs(torch.tensor([temperature]), torch.zeros(1), torch.tensor([-1.0]))
    assert log_probs.exp().item() == pytest.approx(1.0 / (math.e + 1.0))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_without_noise_the_most_probable_action_is_drawn(name):
    distribution, outputs, stdev = DISTRIBUTIONS[name], OUTPUTS[name], STDEV[name]
    drawn = distribution.act(outputs, 0.0 * stdev, torch.ones_like(outputs))
    noise = distribution.noise(30, 30, torch.Generator().manual_seed(0))
    others = distribution.act(outputs.expand_as(noise), stdev, noise)
    best = distribution.log_probs(outputs, stdev.log(), drawn)
    assert (distribution.log_probs(outputs, stdev.log(), others) <= best).all()
