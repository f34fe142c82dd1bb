"""Methods have the names of the paper."""

import pytest

from experiments.analysis.method_label import method_label
from experiments.run_config.compose import compose_config


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (["agent=rsnn", "searcher=ec"], "EC-RSNN"),
        (["agent=rsnn", "searcher=es"], "ES-RSNN"),
        (["agent=rsnn", "searcher=pgpe"], "PGPE-RSNN"),
        (["agent=rsnn", "searcher=ppo"], "SG-RSNN"),
        (["agent=rsnn_sign", "searcher=es"], "1-bit ES-RSNN"),
        (["agent=rsnn_sign", "searcher=ppo"], "1-bit SG-RSNN"),
        (["agent=rsnn", "searcher=es", "agent.connections=sign"], "1-bit ES-RSNN"),
        (["agent=rnn", "searcher=ec"], "EC-RNN"),
        (["agent=rnn", "searcher=ppo"], "PPO-RNN"),
        (["agent=lstm", "searcher=ppo"], "PPO-LSTM"),
        (["agent=evotorch_net", "searcher=es"], "ES-evotorch_net"),
    ],
)
def test_a_method_is_named_after_its_searcher_and_its_network(words, label):
    config = compose_config(words)
    assert method_label(config.agent, config.searcher) == label
