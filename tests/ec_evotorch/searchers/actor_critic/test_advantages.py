"""Advantages and the scale of rewards, by hand and against slow loops."""

import numpy as np
import pytest
import torch

from ec_evotorch.searchers.actor_critic.advantages import RewardScale, estimate_advantages, estimate_stretch_advantages


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def flags(*values):
    return torch.tensor(values, dtype=torch.bool)[:, None]


def estimate(terminated, ended):
    rewards, values, next_values = column(1, 2, 3), column(1, 1, 1), column(1, 1, 4)
    advantages = estimate_advantages(
        rewards, values, next_values, flags(*terminated), flags(*ended), discount=0.5, gae_lambda=0.5
    )
    return advantages[:, 0].tolist()


def test_three_steps_by_hand():
    # δ = 1 + ½ − 1, 2 + ½ − 1, 3 + 2 − 1; A = δ + ¼ A of the next step
    assert estimate((0, 0, 0), (0, 0, 0)) == [0.5 + 2.5 / 4, 1.5 + 4.0 / 4, 4.0]


def test_nothing_is_worth_anything_after_termination():
    assert estimate((0, 1, 0), (0, 1, 0)) == [0.5 + 1.0 / 4, 1.0, 4.0]


def test_truncation_counts_the_value_of_the_final_observation_but_no_step_of_the_next_episode():
    assert estimate((0, 0, 0), (0, 1, 0)) == [0.5 + 1.5 / 4, 1.5, 4.0]


def test_advantages_are_the_sum_of_their_definition():
    generator = torch.Generator().manual_seed(0)
    steps, envs, discount, gae_lambda = 40, 3, 0.9, 0.8
    rewards, values, next_values = torch.randn(3, steps, envs, generator=generator, dtype=torch.float64)
    ended = torch.rand(steps, envs, generator=generator) < 0.1
    terminated = ended & (torch.rand(steps, envs, generator=generator) < 0.5)
    expected = torch.zeros(steps, envs, dtype=torch.float64)
    for env in range(envs):
        for start in range(steps):
            for later in range(start, steps):
                bootstrap = 0.0 if terminated[later, env] else discount * next_values[later, env]
                delta = rewards[later, env] + bootstrap - values[later, env]
                expected[start, env] += (discount * gae_lambda) ** (later - start) * delta
                if ended[later, env]:
                    break
    advantages = estimate_advantages(
        rewards, values, next_values, terminated, ended, discount=discount, gae_lambda=gae_lambda
    )
    torch.testing.assert_close(advantages, expected)


# --- stretches ---


def stretches(ended, length=2):
    """Of δ = 1, 2, 4, 8 with γ λ = ¼."""
    deltas, carried, advantages = [1.0, 2.0, 4.0, 8.0], 0.0, []
    for delta, last in zip(reversed(deltas), reversed(ended), strict=True):
        carried = delta + (0.0 if last else 0.25 * carried)
        advantages.insert(0, carried)
    of_steps = column(*advantages), flags(*ended)
    return estimate_stretch_advantages(*of_steps, length=length, discount=0.5, gae_lambda=0.5)[:, 0].tolist()


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        ((0, 0, 0, 0), [1 + 2 + 0.25 * (4 + 0.25 * 8), 4 + 8]),
        ((1, 0, 0, 0), [1 + 2 + 0.25 * (4 + 0.25 * 8), 4 + 8]),  # within the first stretch: another episode goes on
        ((0, 1, 0, 0), [1 + 2, 4 + 8]),  # with its last step: nothing comes after it
        ((0, 0, 1, 0), [1 + 2 + 0.25 * 4, 4 + 8]),
        ((0, 0, 0, 1), [1 + 2 + 0.25 * (4 + 0.25 * 8), 4 + 8]),
    ],
)
def test_stretches_of_two_steps_by_hand(ended, expected):
    assert stretches(ended) == expected


def test_a_stretch_of_one_step_has_the_advantage_of_the_step():
    assert stretches((0, 1, 0, 0), length=1) == [1.5, 2.0, 6.0, 8.0]


@pytest.mark.parametrize("length", [1, 3, 12])
def test_the_advantage_of_a_stretch_is_the_sum_of_its_definition(length):
    generator = torch.Generator().manual_seed(0)
    steps, envs, discount, gae_lambda = 36, 3, 0.9, 0.8
    rewards, values, next_values = torch.randn(3, steps, envs, generator=generator, dtype=torch.float64)
    ended = torch.rand(steps, envs, generator=generator) < 0.2
    terminated = ended & (torch.rand(steps, envs, generator=generator) < 0.5)
    how = {"discount": discount, "gae_lambda": gae_lambda}
    advantages = estimate_advantages(rewards, values, next_values, terminated, ended, **how)
    deltas = rewards + discount * next_values * ~terminated - values
    expected = torch.zeros(steps // length, envs, dtype=torch.float64)
    for stretch in range(steps // length):
        first, after = stretch * length, (stretch + 1) * length
        expected[stretch] = deltas[first:after].sum(dim=0)
        if after < steps:
            expected[stretch] += discount * gae_lambda * advantages[after] * ~ended[after - 1]
    assert ended[:, 0].any()
    torch.testing.assert_close(estimate_stretch_advantages(advantages, ended, length=length, **how), expected)


# --- the scale of rewards ---


def test_the_scale_is_the_deviation_of_discounted_sums_within_episodes():
    rewards, ended = column(1, 2, 3, 4), flags(0, 1, 0, 0)
    scale = RewardScale(1, 0.5)
    scale.update(rewards[:3], ended[:3])
    scale.update(rewards[3:], ended[3:])
    assert scale.value == pytest.approx(np.std([1.0, 2.5, 3.0, 5.5]))


@pytest.mark.parametrize("reward", [0.0, 5.0])
def test_rewards_that_never_change_are_not_blown_up(reward):
    scale = RewardScale(2, 0.0)
    assert scale.value == 1.0
    scale.update(torch.full((5, 2), reward, dtype=torch.float64), torch.zeros(5, 2, dtype=torch.bool))
    assert scale.value == 1.0
