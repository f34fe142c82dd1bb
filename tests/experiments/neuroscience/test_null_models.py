"""Random networks keep what they say, and only that; comparisons with them are fair."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from experiments.neuroscience.comparison import combine, compare
from experiments.neuroscience.null_models import bernoulli, first_generation, rewire, shuffle
from experiments.neuroscience.structure import reciprocity
from experiments.neuroscience.wiring import Wiring


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    degrees = rng.random((40, 1))  # of very different neurons
    return Wiring(rng.random((6, 40)) < 0.3, rng.random((40, 40)) < degrees, rng.random((40, 2)) < 0.7, 25)


def degrees(wiring):
    blocks = wiring.blocks
    return [blocks[name].sum(axis=axis).tolist() for name in ("E→E", "E→I", "I→E", "I→I") for axis in (0, 1)]


def test_rewiring_keeps_every_degree_towards_each_kind_and_moves_connections(network):
    rewired = rewire(network, np.random.default_rng(1))
    assert degrees(rewired) == degrees(network)
    assert (rewired.kernel_h != network.kernel_h).mean() > 0.2
    assert (rewired.kernel_in == network.kernel_in).all()


def test_rewiring_finds_every_network_of_these_degrees_equally_often():
    """The six permutations of three neurons, each of which sends one connection and receives one."""
    identity = Wiring(np.ones((1, 3), bool), np.eye(3, dtype=bool), np.ones((3, 1), bool), 3)
    generator, found = np.random.default_rng(0), {}
    for _ in range(1200):
        key = rewire(identity, generator).kernel_h.tobytes()
        found[key] = found.get(key, 0) + 1
    assert len(found) == 6
    assert min(found.values()) > 140  # 200 expected; five standard deviations below is 135


def test_bernoulli_networks_have_the_densities_of_the_blocks(network):
    drawn = [bernoulli(network, np.random.default_rng(seed)) for seed in range(200)]
    for name, block in network.blocks.items():
        expected, count = block.mean(), 200 * block.size
        got = np.mean([one.blocks[name].mean() for one in drawn])
        assert abs(got - expected) < 5 * np.sqrt(expected * (1 - expected) / count)  # 1 in 10^6 would not


def test_generation_0_has_the_densities_that_the_run_began_with(network):
    drawn = first_generation(network, {"kernel_in": 0.0, "kernel_h": 0.25, "kernel_out": 1.0}, np.random.default_rng(0))
    assert not drawn.kernel_in.any()
    assert drawn.kernel_out.all()
    assert 0.2 < drawn.kernel_h.mean() < 0.3


def test_shuffling_keeps_the_values_of_every_block(network):
    rho = Wiring(network.kernel_in, np.random.default_rng(0).random((40, 40)), network.kernel_out, 25)
    shuffled = shuffle(rho, np.random.default_rng(1))
    for name, block in rho.blocks.items():
        assert sorted(shuffled.blocks[name].ravel()) == sorted(block.ravel())
    assert (shuffled.kernel_h != rho.kernel_h).mean() > 0.9


def test_z_and_p_by_hand():
    table = compare({"m": 5.0, "gone": np.nan}, [{"m": value, "gone": 1.0} for value in (1.0, 2.0, 3.0)])
    (row,) = table.to_dict("records")
    assert row["measure"] == "m"
    assert (row["null_mean"], row["null_std"], row["z"]) == (2.0, 1.0, 3.0)
    assert row["p_value"] == 2 * 1 / 4
    assert row["p_holm"] == pytest.approx(0.0026998, rel=1e-4)


def test_a_value_that_random_networks_reach_does_not_differ_however_large_its_z():
    """Of skewed counts: one random network in fifty has the triad that all others lack."""
    (row,) = compare({"m": 1.0}, [{"m": 0.0}] * 98 + [{"m": 1.0}] * 2).to_dict("records")
    assert row["z"] > 6
    assert row["p_holm"] == row["p_value"] == 2 * 3 / 101


def test_small_deviations_that_networks_share_add_up():
    def table(z, other):
        rows = [("θ*", "rewired", "m", 0.5, z), ("θ*", "rewired", "n", 0.1, other)]
        return pd.DataFrame(rows, columns=["network", "null", "measure", "observed", "z"])

    (row,) = combine([table(2.0, 1.0), table(1.0, np.nan), table(3.0, 1.0), table(2.0, 1.0)]).to_dict("records")
    assert (row["measure"], row["runs"], row["mean_observed"], row["mean_z"], row["z"]) == ("m", 4, 0.5, 2.0, 4.0)
    assert row["p_holm"] == row["p_value"] == pytest.approx(6.334e-5, rel=1e-3)


def test_what_never_varies_has_no_z():
    (row,) = compare({"m": 1.0}, [{"m": 1.0}] * 9).to_dict("records")
    assert np.isnan(row["z"])
    assert row["p_value"] == 1


def test_a_random_network_does_not_differ_from_its_null_model():
    """Over 40 networks: of p-values that are uniform, 5 % are below 0.05; twelve of 40 would be 1 in 10^6."""
    low = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        one = Wiring(np.ones((1, 12), bool), rng.random((12, 12)) < 0.5, np.ones((12, 1), bool), 6)
        drawn = [{"reciprocity": reciprocity(rewire(one, rng).kernel_h)} for _ in range(99)]
        low += compare({"reciprocity": reciprocity(one.kernel_h)}, drawn).p_value[0] < 0.05
    assert low < 12


def test_no_null_model_makes_a_connection_that_cannot_exist():
    rng = np.random.default_rng(0)
    shapes = {"kernel_in": (6, 40), "kernel_h": (40, 40), "kernel_out": (40, 2)}
    mask = {name: rng.random(shape) < 0.5 for name, shape in shapes.items()}
    bits = Wiring.of({name: possible & (rng.random(possible.shape) < 0.4) for name, possible in mask.items()}, 25, mask)
    rho = Wiring.of({name: possible * rng.random(possible.shape) for name, possible in mask.items()}, 25, mask)
    half = dict.fromkeys(shapes, 0.5)
    drawn = [bernoulli(bits, rng), rewire(bits, rng), first_generation(bits, half, rng), shuffle(rho, rng)]
    for one in drawn:
        assert not (one.kernel_in.astype(bool) & ~mask["kernel_in"]).any()
        assert not (one.kernel_h.astype(bool) & ~mask["kernel_h"]).any()
        assert not (one.kernel_out.astype(bool) & ~mask["kernel_out"]).any()
        assert one.kernel_h.any()
    assert degrees(drawn[1]) == degrees(bits)
    assert (drawn[1].kernel_h != bits.kernel_h).any()
    assert drawn[2].searched("E→E").mean() == pytest.approx(0.5, abs=0.15)
    assert sorted(drawn[3].searched("E→E")) == sorted(rho.searched("E→E"))


def test_being_beyond_all_draws_counts_those_that_exist():
    rng = np.random.default_rng(0)
    drawn = [{"m": rng.normal()} for _ in range(100)] + [{"m": np.nan}] * 100
    (row,) = compare({"m": 9.0}, drawn).to_dict("records")
    assert row["p_value"] == 2 / 101
    assert row["p_holm"] == pytest.approx(2 * norm.sf(row["z"]))
