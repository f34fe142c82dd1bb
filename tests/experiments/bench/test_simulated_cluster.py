"""The simulated cluster takes as long as arithmetic says where that is easy, and no time of its own."""

import numpy as np
import pytest

from experiments.bench.simulated_cluster import Costs, simulate_generation

FREE = Costs(step_seconds=1.0, learn_seconds=0.0, call_seconds=0.0, latency_seconds=0.0)


@pytest.mark.parametrize("num_workers", [1, 10])
def test_equal_episodes_take_their_share(num_workers):
    done = simulate_generation(num_workers, np.full(640, 100), 3, 50, FREE)
    assert done.seconds == pytest.approx(640 * 100 / num_workers, rel=1e-3)


def test_a_long_episode_is_waited_for():
    done = simulate_generation(10, np.array([5000, *[10] * 99]), 3, 50, FREE)
    assert 5000 <= done.seconds < 5100


def test_unequal_episodes_are_balanced():
    lengths = np.random.default_rng(0).uniform(100, 1000, 1000).astype(int)
    done = simulate_generation(10, lengths, 3, 50, FREE)
    assert lengths.sum() / 10 <= done.seconds < lengths.sum() / 10 + 1500


def test_a_driver_that_is_slow_to_call_sets_the_pace():
    slow = Costs(step_seconds=1e-6, learn_seconds=0.0, call_seconds=1.0, latency_seconds=0.0)
    done = simulate_generation(100, np.full(1000, 100), 3, 50, slow)
    assert done.calls < done.seconds < done.calls + 60


def test_what_every_worker_sends_is_counted():
    done = simulate_generation(4, np.full(100, 7), 3, 50, FREE)
    assert done.received > 100 * 12
    assert done.sent > 4 * 50
