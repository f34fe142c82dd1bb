"""Measures of wiring: of graphs whose counts are known, against networkx, and in expectation."""

from itertools import product
from math import comb

import networkx as nx
import numpy as np
import pytest

from experiments.neuroscience.modules import find_modules
from experiments.neuroscience.structure import (
    clustering,
    input_correlation,
    measure,
    participation_ratio,
    reciprocity,
    rich_club,
)
from experiments.neuroscience.triads import TRIADS, triad_census
from experiments.neuroscience.wiring import BLOCKS, Wiring

N = 8
RING = np.roll(np.eye(N, dtype=bool), 1, axis=1)
COMPLETE = ~np.eye(N, dtype=bool)
CHAIN = np.eye(N, k=1, dtype=bool)
EMPTY = np.zeros((N, N), dtype=bool)
PLANTED = np.kron(np.eye(3, dtype=bool), np.ones((5, 5), dtype=bool))


def wiring(kernel_h, num_excitatory=None):
    n = len(kernel_h)
    ones = np.ones((2, n), dtype=bool)
    return Wiring(ones, kernel_h, ones.T, n if num_excitatory is None else num_excitatory)


def random_graph(n, density, seed=0):
    return np.random.default_rng(seed).random((n, n)) < density


@pytest.mark.parametrize("density", [0.1, 0.5, 0.9])
def test_the_census_is_networkxs(density):
    graph = random_graph(14, density)
    np.fill_diagonal(graph, False)
    expected = nx.triadic_census(nx.from_numpy_array(graph, create_using=nx.DiGraph))
    assert triad_census(graph) == {name: expected[name] for name in TRIADS}


def test_connections_to_oneself_are_no_part_of_a_triad():
    assert triad_census(RING | np.eye(N, dtype=bool)) == triad_census(RING)


def test_the_census_of_probabilities_is_that_of_the_networks_drawn_in_expectation():
    rho = np.random.default_rng(0).random((3, 3))
    places = list(zip(*np.nonzero(~np.eye(3, dtype=bool)), strict=True))
    expected = dict.fromkeys(TRIADS, 0.0)
    for bits in product([False, True], repeat=len(places)):
        graph, chance = np.zeros((3, 3), dtype=bool), 1.0
        for place, bit in zip(places, bits, strict=True):
            graph[place] = bit
            chance *= rho[place] if bit else 1 - rho[place]
        for name, count in triad_census(graph).items():
            expected[name] += chance * count
    assert triad_census(rho) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("graph", "triads"),
    [
        (RING, {"021C": N}),
        (COMPLETE, {"300": comb(N, 3)}),
        (CHAIN, {"021C": N - 2}),
        (EMPTY, {}),
    ],
)
def test_known_graphs_have_known_triads(graph, triads):
    assert triad_census(graph) == dict.fromkeys(TRIADS, 0.0) | triads


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (RING, {"reciprocity": 0, "clustering": 0, "spectral radius": 1, "participation ratio": N}),
        (COMPLETE, {"reciprocity": 1, "clustering": 1, "spectral radius": N - 1, "rich club": 1}),
        (CHAIN, {"reciprocity": 0, "clustering": 0, "spectral radius": 0, "participation ratio": N - 1}),
        (EMPTY, {"reciprocity": np.nan, "clustering": 0, "spectral radius": 0, "participation ratio": np.nan}),
    ],
)
def test_known_graphs_have_known_measures(graph, expected):
    measured = measure(wiring(graph), np.random.default_rng(0))
    assert {name: measured[name] for name in expected} == pytest.approx(expected, nan_ok=True, abs=1e-12)


def test_clustering_and_reciprocity_are_networkxs():
    graph = random_graph(20, 0.3)
    np.fill_diagonal(graph, False)
    directed = nx.from_numpy_array(graph, create_using=nx.DiGraph)
    assert reciprocity(graph) == pytest.approx(nx.overall_reciprocity(directed))
    assert clustering(graph) == pytest.approx(nx.average_clustering(directed))


def test_the_sign_of_inhibitory_neurons_enters_the_spectrum():
    pair = np.array([[0, 1], [1, 0]], dtype=bool)  # eigenvalues ±1; with signs ±i, and with self-connections 0
    signed = measure(wiring(pair | np.eye(2, dtype=bool), 1), np.random.default_rng(0))
    assert signed["spectral radius"] == pytest.approx(0, abs=1e-7)


def test_densities_are_those_of_the_eight_blocks():
    one = wiring(np.zeros((4, 4), dtype=bool), 3)
    for number, block in enumerate(one.blocks.values()):
        block[:] = np.arange(block.size).reshape(block.shape) < number / 8 * block.size
    measured = measure(one, np.random.default_rng(0))
    expected = {f"density {name}": block.mean() for name, block in one.blocks.items()}
    assert {name: measured[name] for name in expected} == expected
    assert one.blocks["E→I"].shape == (3, 1)
    assert list(one.blocks) == list(BLOCKS)


def test_planted_modules_are_found_with_networkxs_modularity():
    order = np.random.default_rng(0).permutation(15)
    modules, quality = find_modules(PLANTED[np.ix_(order, order)], np.random.default_rng(1))
    assert len(set(modules)) == 3
    assert (modules[:, None] == modules[None]).tolist() == PLANTED[np.ix_(order, order)].tolist()
    graph = random_graph(30, 0.2)
    modules, quality = find_modules(graph, np.random.default_rng(0))
    sets = [set(np.flatnonzero(modules == module).tolist()) for module in range(modules.max() + 1)]
    directed = nx.from_numpy_array(graph, create_using=nx.DiGraph)
    assert quality == pytest.approx(nx.community.modularity(directed, sets))
    others = [nx.community.modularity(directed, nx.community.louvain_communities(directed, seed=s)) for s in range(5)]
    assert quality > 0.9 * max(others)


def test_a_network_without_connections_has_a_module_for_each_neuron():
    modules, quality = find_modules(EMPTY, np.random.default_rng(0))
    assert (modules.tolist(), quality) == (list(range(N)), 0)


def test_a_rich_club_is_the_density_among_hubs():
    graph = EMPTY.copy()
    graph[0, 1] = True  # of the two hubs
    graph[:2, 2:6] = True
    assert rich_club(graph, share=0.25) == 0.5


def test_neurons_with_the_same_inputs_that_connect_show_in_the_input_correlation():
    kernel_in = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], dtype=bool)
    same = np.kron(np.eye(2, dtype=bool), np.ones((2, 2), dtype=bool))
    assert input_correlation(Wiring(kernel_in, same, kernel_in.T, 2)) == pytest.approx(1)
    assert input_correlation(Wiring(kernel_in, ~same, kernel_in.T, 2)) == pytest.approx(-1)


def test_dimensions_by_hand():
    assert participation_ratio(np.array([3.0, 1.0])) == pytest.approx(16 / 10)
