"""The tables of an analysis say what is in the network and in its episodes."""

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from agents import RSNN
from experiments.errors import UserError
from experiments.evaluation.spikes import SpikeTrain
from experiments.neuroscience.analysis import (
    block_table,
    decision_table,
    has_go_nogo,
    neuron_table,
    population_table,
    prob_init_of,
    spectrum_table,
    structure_table,
    summarize_neurons,
)
from experiments.neuroscience.wiring import Wiring
from experiments.run_folder.archive import save_checkpoint
from experiments.run_folder.layout import CONFIG, START
from experiments.run_folder.rho.histogram import BINS, COLUMNS

STEPS, SUBSTEPS, N = 1200, 4, 6


@pytest.fixture(scope="module")
def wiring():
    rng = np.random.default_rng(0)
    return Wiring(rng.random((6, N)) < 0.5, rng.random((N, N)) < 0.5, rng.random((N, 2)) < 0.5, 4)


@pytest.fixture(scope="module")
def train():
    """Neuron 0 fires at one phase of the first observation, 1 on GO only, 2 never, the others at random."""
    rng, time = np.random.default_rng(1), np.arange(STEPS)
    go = time // 67 % 2 == 0
    fires = rng.random((STEPS, N)) < 0.3
    fires[:, 0], fires[:, 1], fires[:, 2] = time % 40 == 5, fires[:, 1] & go, False
    spikes = np.zeros((STEPS * SUBSTEPS, N), dtype=np.int8)
    spikes[::SUBSTEPS] = fires * np.array([1, 1, 1, 1, -1, -1])
    inputs = np.stack([np.cos(2 * np.pi * time / 40), go, ~go], axis=1).astype(np.float32)
    return SpikeTrain(spikes, SUBSTEPS, 0.5, 1.0, inputs)


def test_neurons_have_their_rate_their_phase_and_their_signal(wiring, train):
    neurons = neuron_table([train], wiring, np.zeros(N, dtype=int), True)
    assert neurons.kind.tolist() == ["E"] * 4 + ["I"] * 2
    assert neurons.out_degree.tolist() == wiring.kernel_h.sum(axis=1).tolist()
    assert neurons.rate[0] == pytest.approx(1 / 40 / (SUBSTEPS * 0.5 / 1000))
    assert neurons.attrs["period"] == 40
    assert neurons.attrs["rhythm"] == 0
    assert (neurons.tuning_p_holm < 0.05).tolist() == [True, False, False, False, False, False]
    assert neurons.phase[0] == pytest.approx(2 * np.pi * 5 / 40, abs=0.05)
    assert (neurons.switching_p_holm < 0.05).tolist() == [False, True, False, False, False, False]
    assert neurons.nogo_rate[1] == 0
    assert neurons.assembly[2] == -1
    whole = summarize_neurons(neurons).set_index("measure")["mean"]
    assert whole["neurons tuned to the rhythm (share)"] == whole["neurons that switch (share)"] == 1 / 6
    assert whole["period of the rhythm (steps)"] == 40


def test_without_signals_or_rhythm_there_are_no_such_columns(wiring, train):
    still = SpikeTrain(train.spikes, SUBSTEPS, 0.5, 1.0, np.ones((STEPS, 3), dtype=np.float32))
    neurons = neuron_table([still], wiring, np.zeros(N, dtype=int), False)
    assert not {"phase", "go_rate"} & set(neurons)
    assert "period of the rhythm (steps)" not in set(summarize_neurons(neurons).measure)


def test_the_population_is_described_over_episodes(wiring, train):
    constants = RSNN(3, 2, N, excitatory_ratio=4 / 6).constants
    table = population_table([train, train], wiring, constants, seed=0).set_index("measure")
    assert table["mean"]["silent neurons (share)"] == 1 / 6
    assert table["std"]["silent neurons (share)"] == 0
    assert (table.episodes["rate of E (Hz)"], table.episodes["|correlation|"]) == (2, 2)
    assert table["mean"]["time steps without a spike (share)"] >= 0.75
    assert table["mean"]["branching ratio"] == 0  # no spike in two time steps that follow one another


def test_an_episode_of_one_step_has_tables_too(wiring, train):
    short = SpikeTrain(train.spikes[:SUBSTEPS], SUBSTEPS, 0.5, 1.0, train.inputs[:1])
    constants = RSNN(3, 2, N, excitatory_ratio=4 / 6).constants
    table = population_table([short], wiring, constants, seed=0).set_index("measure")
    assert table.episodes["dimension"] == 0
    neurons = neuron_table([short], wiring, np.zeros(N, dtype=int), True)
    assert neurons.switching_p_holm.isna().all()
    assert "phase" not in neurons


def test_the_tables_of_structure_leave_out_what_a_null_model_keeps(wiring):
    prob_init = dict.fromkeys(("kernel_in", "kernel_h", "kernel_out"), 0.5)
    rho = Wiring(*(k * 0.9 for k in (wiring.kernel_in, wiring.kernel_h, wiring.kernel_out)), 4)
    table = structure_table(wiring, rho, prob_init, 5, seed=0)
    kept = table[table.measure.str.startswith("density")]
    assert set(kept.null) == {"generation 0"}
    assert not table.measure[table.null == "rewired"].str.contains("degree").any()
    assert set(table.network[table.null == "shuffled"]) == {"ρ"}
    assert set(structure_table(wiring, None, None, 2, seed=0).null) == {"Bernoulli", "rewired"}


def test_blocks_and_the_spectrum(wiring):
    rho = Wiring(*(np.full(k.shape, 0.95) for k in (wiring.kernel_in, wiring.kernel_h, wiring.kernel_out)), 4)
    blocks = block_table(wiring, rho)
    assert blocks["size"].sum() == wiring.flatten().size
    assert set(blocks.decided) == {1.0}
    assert blocks.entropy[0] == pytest.approx(0.2863969571)
    spectrum = spectrum_table(wiring)
    signed = wiring.signs[:, None] * wiring.kernel_h
    assert spectrum.real.sum() == pytest.approx(np.trace(signed))
    assert (spectrum.singular_value**2).sum() == pytest.approx(wiring.kernel_h.sum())


def test_decisions_over_training_follow_from_the_histogram():
    histogram = pd.DataFrame(0, index=range(2), columns=COLUMNS)
    histogram["steps"] = [100, 200]
    histogram.loc[0, BINS[25]], histogram.loc[1, [BINS[0], BINS[49]]] = 8, 4
    table = decision_table(histogram)
    assert table.decided.tolist() == [0, 1]
    assert table.entropy.tolist() == pytest.approx([0.99971, 0.080793], abs=1e-4)


@pytest.mark.parametrize(
    ("prob_init", "expected"),
    [
        (0.25, [0.25] * 3),
        ({"kernel_in": 0.5, "kernel_h": 0, "kernel_out": 1}, [0.5, 0.0, 1.0]),
        ({"kernel_in": 0.5}, None),
        ("many", None),
        (None, None),
    ],
)
def test_generation_0_is_known_where_the_configuration_tells_it(prob_init, expected, finished_run, tmp_path):
    config = OmegaConf.load(finished_run / CONFIG)
    config.searcher.prob_init = prob_init
    OmegaConf.save(config, tmp_path / CONFIG)
    found = prob_init_of(tmp_path, RSNN(4, 1, 16))
    assert (found and [float(kernel) for kernel in found.values()]) == expected


def test_a_policy_without_a_configuration_has_no_generation_0(tmp_path):
    assert prob_init_of(tmp_path, RSNN(4, 1, 16)) is None


@pytest.mark.parametrize(
    ("searcher", "message"),
    [
        ({"prob_init": np.zeros(3, dtype=np.float32)}, "expected 400 probabilities that the search began with; got"),
        ({"prob_init": np.full(400, 2.0, dtype=np.float32)}, "got numbers that are none"),
        ({"prob_init": np.full(400, np.nan, dtype=np.float32)}, "got numbers that are none"),
        ({"center_init": np.zeros(3, dtype=np.float32)}, None),
        (None, None),
    ],
)
def test_a_start_of_another_network_is_refused_and_one_of_another_search_is_none(
    searcher, message, finished_run, tmp_path
):
    config = OmegaConf.load(finished_run / CONFIG)
    config.searcher.prob_init = "rho.npz"
    OmegaConf.save(config, tmp_path / CONFIG)
    save_checkpoint(tmp_path / START, {"searcher": searcher})
    if message is None:
        assert prob_init_of(tmp_path, RSNN(4, 1, 16)) is None
    else:
        with pytest.raises(UserError, match=f"start.safetensors': .*{message}"):
            prob_init_of(tmp_path, RSNN(4, 1, 16))


def test_a_damaged_start_is_refused(finished_run, tmp_path):
    config = OmegaConf.load(finished_run / CONFIG)
    config.searcher.prob_init = "rho.npz"
    OmegaConf.save(config, tmp_path / CONFIG)
    (tmp_path / START).write_bytes(b"damaged")
    with pytest.raises(UserError, match="expected what the search began with"):
        prob_init_of(tmp_path, RSNN(4, 1, 16))


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"id": "HopperGoNoGo-v5"}, True),
        ({"id": "Pusher-v5", "wrappers": [{"_target_": "a.B"}, {"_target_": "envs.GoNoGo"}]}, True),
        ({"id": "Pusher-v5", "wrappers": [{"_target_": "envs.GoNoGo"}, {"_target_": "a.B"}]}, False),
        ({"id": "Hopper-v5", "wrappers": None}, False),
    ],
)
def test_signals_are_known_by_the_id_or_by_the_outermost_wrapper(env, expected):
    assert has_go_nogo(env) is expected
