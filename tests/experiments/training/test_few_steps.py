"""What a critic is for: more is learned from as many environment steps."""

import numpy as np
import pytest

from experiments.run_config.build import build, close_search
from experiments.run_config.compose import compose_config

STEPS = 100_000


def mean_return(searcher: str, seed: int) -> float:
    """Returns what the networks that acted in the last five iterations or generations had on average."""
    words = ["env=hopper", f"searcher={searcher}", "agent.num_neurons=64", f"seed={seed}", "problem.num_threads=1"]
    _, search = build(compose_config(words))
    returns: list[float] = []
    try:
        while not returns or search.status["total_interaction_count"] < STEPS:
            search.step()
            returns.append(search.status["mean_return"])
    finally:
        close_search(search)
    return float(np.mean(returns[-5:]))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_hoppers_learn_with_a_critic_what_they_do_not_learn_from_episodes_alone(seed):
    """Measured, for seeds 0 to 2: 291, 377 and 330 with a critic; 196, 213 and 206 without. It takes 40 s a seed."""
    with_critic, without = (mean_return(searcher, seed) for searcher in ("ec_critic", "ec"))
    assert with_critic > 250 > without
