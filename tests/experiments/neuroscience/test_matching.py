"""Neurons are matched where networks are the same but for their order, and otherwise as badly as by chance."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from experiments.evaluation.trained_network import load_network
from experiments.neuroscience.analysis import match_runs
from experiments.neuroscience.matching import agreement, can_match, match_neurons, matching_table, reorder
from experiments.neuroscience.wiring import Wiring

N, E = 24, 15


def network(seed, n=N, e=E, density=0.5):
    rng = np.random.default_rng(seed)
    return Wiring(*(rng.random(shape) < density for shape in ((6, n), (n, n), (n, 2))), e)


def order_within_kinds(seed):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(E), E + rng.permutation(N - E)])


def generators(draw):
    return np.random.default_rng([7, draw])


@pytest.mark.parametrize("has_ends", [True, False])
def test_the_order_of_a_permuted_copy_is_found_also_without_inputs_and_outputs(has_ends):
    one, order = network(0), order_within_kinds(1)
    if not has_ends:
        one = one.with_kernels(one.kernel_in & False, one.kernel_h, one.kernel_out & False)
    copy = reorder(one, order)
    found = match_neurons(one, copy)
    assert (order[found] == np.arange(N)).all()
    scores = agreement(one, reorder(copy, found))
    assert scores["all"] == pytest.approx(1)
    assert {name for name, score in scores.items() if np.isnan(score)} == (
        set() if has_ends else {"in→E", "in→I", "E→out", "I→out"}
    )


def test_the_order_of_a_copy_of_probabilities_is_found_through_noise():
    rng = np.random.default_rng(0)
    one = Wiring(rng.random((6, N)), rng.random((N, N)), rng.random((N, 2)), E)
    noisy = one.with_kernels(*(0.7 * kernel + 0.3 * rng.random(kernel.shape) for kernel in one.kernels))
    order = order_within_kinds(1)
    assert (order[match_neurons(one, reorder(noisy, order))] == np.arange(N)).all()


def test_no_neuron_is_matched_with_one_of_another_kind_although_its_connections_are_the_same():
    one = network(0, e=N // 2)
    exchanged = np.roll(np.arange(N), N // 2)
    found = match_neurons(one, reorder(one, exchanged))
    assert sorted(found[: N // 2]) == list(range(N // 2))


def test_small_networks_are_matched_almost_as_well_as_by_trying_all_orders():
    """Of 3 excitatory and 3 inhibitory neurons there are 36 orders."""
    shares = []
    for seed in range(20):
        one, other = network(seed, 6, 3), network(1000 + seed, 6, 3)
        orders = [np.array([*e, *i]) for e in permutations(range(3)) for i in permutations(range(3, 6))]
        scores = [agreement(one, reorder(other, order))["all"] for order in orders]
        found = agreement(one, reorder(other, match_neurons(one, other)))["all"]
        assert found <= max(scores) + 1e-12
        shares.append((found - np.mean(scores)) / (max(scores) - np.mean(scores)))
    assert np.mean(shares) > 0.8


def test_agreement_by_hand():
    one = Wiring(np.array([[0.1, 0.5]]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.2], [0.4]]), 2)
    other = one.with_kernels(np.array([[0.5, 0.1]]), one.kernel_h, np.array([[0.4], [0.2]]))
    scores = agreement(one, other)
    assert (scores["in→E"], scores["E→E"], scores["E→out"]) == pytest.approx((-1, 1, -1))
    assert scores["all"] == pytest.approx((-0.08 + 1 - 0.02) / (0.08 + 1 + 0.02))
    assert np.isnan(scores["I→E"])


def test_independent_networks_agree_as_well_as_shuffled_ones_and_a_noisy_copy_better():
    """Of ten p-values that are uniform over 1/20 to 1, three at 0.1 or below would be 1 in 14, and six 1 in 7,000."""
    one = network(0)
    scores = [
        matching_table(one, network(seed), 19, generators)[1].set_index("measure").loc["all"] for seed in range(1, 11)
    ]
    assert sum(score.p_value <= 0.1 for score in scores) < 6
    assert min(score.null_mean for score in scores) > 0.1  # by chance alone
    rng = np.random.default_rng(0)
    noisy = one.with_kernels(*(kernel ^ (rng.random(kernel.shape) < 0.25) for kernel in one.kernels))
    order, table = matching_table(one, reorder(noisy, order_within_kinds(1)), 19, generators)
    assert (order_within_kinds(1)[order] == np.arange(N)).all()
    assert table.set_index("measure").p_holm["all"] < 1e-6


def test_what_cannot_exist_is_no_part_of_the_agreement():
    rng = np.random.default_rng(1)
    whole = network(0)
    mask = Wiring(*(rng.random(kernel.shape) < 0.5 for kernel in whole.kernels), E)
    kernels = [kernel & possible for kernel, possible in zip(whole.kernels, mask.kernels, strict=True)]
    one, order = Wiring(*kernels, E, mask), order_within_kinds(1)
    copy = reorder(one, order)
    found = match_neurons(one, copy)
    again = reorder(copy, found)
    assert (again.possible.kernel_h == mask.kernel_h).all()
    assert agreement(one, again)["all"] == pytest.approx(1)
    full = one.with_kernels(*(possible.copy() for possible in mask.kernels))
    assert np.isnan(agreement(full, full)["all"])  # what can exist does, so that nothing varies


def test_networks_of_other_sizes_or_kinds_cannot_be_matched():
    assert can_match(network(0), network(1))
    assert not can_match(network(0), network(1, n=N + 1))
    assert not can_match(network(0), network(1, e=E + 1))


def test_runs_of_one_task_are_matched_by_rho_or_else_by_their_connections(finished_run):
    one = load_network(finished_run)
    without = replace(one, probabilities=None)
    saved = replace(one.saved, env=dict(one.saved.env, id="Hopper-v5"))
    other_task = replace(one, saved=saved)
    scores, partners = match_runs(["a", "b", "c", "d"], [one, one, without, other_task], 3, seed=0)
    whole = scores[scores.measure == "all"]
    assert whole[["one", "other", "network"]].to_numpy().tolist() == [
        ["a", "b", "ρ"],
        ["a", "c", "θ*"],
        ["b", "c", "θ*"],
    ]
    assert whole.observed.tolist() == pytest.approx([1, 1, 1])
    assert (partners.neuron == partners.partner).all()
    assert partners.kind.value_counts().to_dict() == {"E": 24, "I": 24}
    assert match_runs(["a", "d"], [one, other_task], 3, seed=0) is None
