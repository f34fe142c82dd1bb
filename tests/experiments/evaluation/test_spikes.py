"""Recording spikes changes nothing, and misses none."""

import gymnasium
import numpy as np
import pytest
import torch

from agents import RSNN
from experiments.evaluation.episodes import episode_seed, evaluate
from experiments.evaluation.spikes import record_spikes
from experiments.run_folder.policy import load_policy


@pytest.fixture
def saved(finished_run):
    return load_policy(finished_run)


def test_recorded_episodes_are_those_of_evaluate(saved, finished_run):
    played = evaluate(finished_run, 3, seed=5)
    trains = list(record_spikes(saved, played.seed))
    assert [train.episode_return for train in trains] == played["return"].tolist()
    assert [train.steps for train in trains] == played["length"].tolist()


def test_every_spike_is_recorded_in_its_substep(saved):
    """By playing the episode with an agent that takes a substep at a time."""
    seed = episode_seed(3, 0)
    (train,) = record_spikes(saved, [seed])
    policy, env = saved.policy, gymnasium.make(**saved.env)
    single = RSNN(4, 1, 16, step_duration=policy.agent.dt)
    state = single.initial_state(1, generator=torch.Generator())
    policy.reset(seed)
    single.reset(state, [0], [seed])
    observation, _ = env.reset(seed=seed)
    seen, over = [], False
    while not over:
        inputs = (observation - policy.observation_mean) / policy.observation_stdev
        inputs = torch.tensor(inputs.clip(-10, 10)[None], dtype=torch.float32)
        for _ in range(policy.agent.substeps):
            single.step(policy.solution[None], np.array([0]), inputs, state)
            seen.append(state.spikes[0].numpy().copy())
        observation, _, terminated, truncated, _ = env.step(policy(observation))
        over = terminated or truncated
    np.testing.assert_array_equal(train.spikes, np.array(seen))
    assert train.counts.tolist() == np.abs(train.spikes).sum(axis=0).tolist()
    assert train.counts.sum() > 0


def test_excitatory_spikes_are_positive_and_inhibitory_ones_negative(saved):
    (train,) = record_spikes(saved, [episode_seed(0, 0)])
    assert (train.spikes[:, :8] >= 0).all()
    assert (train.spikes[:, 8:] <= 0).all()


def test_the_policy_has_its_agent_back_when_recording_ends_or_is_left(saved):
    agent = saved.policy.agent
    trains = record_spikes(saved, [episode_seed(0, 0), episode_seed(0, 1)])
    next(trains)
    trains.close()
    assert saved.policy.agent is agent
    list(record_spikes(saved, [episode_seed(0, 0)]))
    assert saved.policy.agent is agent
