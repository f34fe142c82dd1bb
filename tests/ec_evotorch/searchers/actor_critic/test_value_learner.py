"""The critic learns values, stops at NaN, and goes on from its state."""

import pytest
import torch

from ec_evotorch.searchers.actor_critic.value_learner import ValueLearner


def make_learner(seed=0, **settings):
    how = {"learning_rate": 1e-2, "num_epochs": 5, "minibatch_size": 64, **settings}
    return ValueLearner(3, (16,), generator=torch.Generator().manual_seed(seed), **how)


def samples(count=512, seed=1):
    observations = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return observations, torch.tanh(observations[:, 0]) + 0.5 * observations[:, 1]


def learn(learner, times=1, seed=2):
    generator = torch.Generator().manual_seed(seed)
    return [learner.learn(*samples(), generator) for _ in range(times)]


def test_it_learns_a_function_of_observations():
    learner = make_learner()
    losses = learn(learner, times=20)
    unseen, values = samples(seed=5)
    assert losses[0] > 100 * losses[-1]
    assert (learner.values(unseen) - values).square().mean() < 0.02 * values.var()


def test_the_loss_is_half_the_mean_square_error():
    learner = make_learner(num_epochs=1, minibatch_size=512)
    observations, targets = samples()
    expected = 0.5 * (learner.values(observations) - targets).square().mean().item()
    assert learn(learner) == [pytest.approx(expected, rel=1e-5)]


def test_every_observation_is_learned_from_in_every_epoch(monkeypatch):
    learner, seen = make_learner(num_epochs=3, minibatch_size=5), []
    critic = learner._critic
    monkeypatch.setattr(learner, "_critic", lambda rows: seen.extend(rows[:, 0].tolist()) or critic(rows))
    observations = torch.arange(36.0).reshape(12, 3)
    learner.learn(observations, torch.zeros(12), torch.Generator().manual_seed(0))
    epochs = torch.tensor(seen).reshape(3, 12)
    assert (epochs.sort(dim=1).values == observations[:, 0]).all()
    assert not torch.equal(epochs[0], epochs[1])


def test_values_have_the_shape_of_observations_and_no_gradient():
    values = make_learner().values(torch.zeros(4, 2, 3))
    assert values.shape == (4, 2)
    assert not values.requires_grad


@pytest.mark.parametrize("what", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_before_the_step(what):
    learner = make_learner()
    before = learner.state_dict()
    observations, targets = samples()
    with pytest.raises(FloatingPointError, match=f"^the critic's loss is {what}$"):
        learner.learn(observations, torch.full_like(targets, what), torch.Generator().manual_seed(0))
    for name, value in learner.state_dict()["critic"].items():
        assert torch.equal(value, before["critic"][name])


def test_it_goes_on_from_its_state():
    learner, other = make_learner(), make_learner(seed=9)
    learn(learner)
    state = learner.state_dict()
    expected = learn(learner)
    other.load_state_dict(state)
    assert learn(other) == expected
    assert torch.equal(other.values(samples()[0]), learner.values(samples()[0]))
