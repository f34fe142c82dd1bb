"""Statistics of spike trains whose values are known: Poisson trains, clocks, planted assemblies and rhythms."""

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from agents import RSNN
from experiments.neuroscience.activity import avalanches, currents, gait, spike_trains, switching
from experiments.neuroscience.activity.assemblies import find_assemblies, silhouette
from experiments.neuroscience.wiring import Wiring

DT = 0.5


def poisson(shape, chance, seed=0):
    return (np.random.default_rng(seed).random(shape) < chance).astype(np.int8)


def test_a_poisson_train_has_its_rate_a_cv_and_a_fano_factor_near_one_and_no_correlations():
    """Tolerances are five standard errors or more."""
    spikes = poisson((200_000, 4), 0.02)
    assert spike_trains.rates(spikes, DT) == pytest.approx([40] * 4, rel=0.08)
    assert spike_trains.interval_cv(spikes) == pytest.approx([np.sqrt(1 - 0.02)] * 4, rel=0.08)
    counts = spike_trains.bin_counts(spikes, 20)
    assert spike_trains.fano_factors(counts) == pytest.approx([1 - 0.02] * 4, rel=0.08)
    correlation = spike_trains.correlations(counts)
    assert correlation == pytest.approx(np.eye(4), abs=0.05)
    assert spike_trains.dimension(counts) == pytest.approx(4, rel=0.02)


def test_a_clock_has_no_variability():
    spikes = np.zeros((100, 2), dtype=np.int8)
    spikes[::10, 0] = -1  # of an inhibitory neuron; the other is silent
    assert spike_trains.rates(spikes, DT).tolist() == [200, 0]
    assert spike_trains.interval_cv(spikes)[0] == 0
    assert spike_trains.fano_factors(spike_trains.bin_counts(spikes, 10))[0] == 0
    assert np.isnan(spike_trains.interval_cv(spikes)[1])
    assert np.isnan(spike_trains.correlations(spike_trains.bin_counts(spikes, 5))[0, 1])


def test_correlations_are_averaged_over_pairs_by_kind():
    correlation = np.array([[1, 0.1, 0.2, 0.3], [0.1, 1, 0.4, np.nan], [0.2, 0.4, 1, 0.6], [0.3, np.nan, 0.6, 1]])
    by_kind = spike_trains.correlation_by_kind(correlation, 2)
    assert by_kind == pytest.approx({"E-E": 0.1, "E-I": (0.2 + 0.3 + 0.4) / 3, "I-I": 0.6})


def test_shifting_trains_keeps_each_and_takes_correlations_away():
    train = poisson((2000, 1), 0.3)
    counts = np.repeat(train, 3, axis=1).astype(np.int64)
    moved = spike_trains.shifted(counts, np.random.default_rng(0))
    assert moved.sum(axis=0).tolist() == counts.sum(axis=0).tolist()
    assert spike_trains.correlations(counts)[0, 1] == pytest.approx(1)
    assert abs(spike_trains.correlations(moved)[0, 1]) < 0.12


def test_the_recurrent_current_is_that_of_the_network():
    agent = RSNN(2, 1, 6, gain_in=3.0)
    solution = torch.rand(1, agent.solution_length, generator=torch.Generator().manual_seed(0)) < 0.6
    kernels = {name: kernel[0].numpy() for name, kernel in agent.split(solution).items()}
    wiring = Wiring.of(kernels, agent.num_excitatory)
    state = agent.initial_state(v_mem=torch.full((1, 6), 0.5))
    inputs = np.ones((5, 2), dtype=np.float32)
    spikes = []
    for x in inputs:
        spikes.append(agent.spike_trains(solution, np.zeros(1, int), x[None], state)[:, 0].numpy())
        agent.step(solution, np.zeros(1, int), x[None], state)
    spikes = np.concatenate(spikes)
    assert (spikes > 0).any()
    assert (spikes < 0).any()
    excitation, inhibition = currents.synaptic_currents(spikes, wiring, agent.constants)
    assert (excitation - inhibition)[-1] == pytest.approx(state.i_syn[0].numpy(), abs=1e-4)
    external = currents.input_currents(inputs, wiring, agent.constants)
    assert external[0] == pytest.approx(
        agent.constants.r_in * (kernels["kernel_in"][:2].sum(0) - kernels["kernel_in"][2:].sum(0))
    )


def test_balance_by_hand():
    excitation, inhibition = np.array([[1.0], [3.0]]), np.array([[2.0], [6.0]])
    assert currents.balance(excitation, inhibition, np.array([[-6.0]])) == pytest.approx(
        {"I/E ratio": 2, "E-I correlation": 1, "recurrent share": 0.5}
    )
    assert np.isnan(currents.balance(np.zeros((2, 1)), inhibition, np.zeros((1, 1)))["I/E ratio"])


def test_planted_assemblies_are_found_and_silent_neurons_belong_to_none():
    common = np.repeat(poisson((3000, 3), 0.3), 4, axis=1)
    counts = np.concatenate([common + poisson((3000, 12), 0.1, seed=1), np.zeros((3000, 1), int)], axis=1)
    labels, score = find_assemblies(spike_trains.correlations(counts))
    assert labels[-1] == -1
    assert (labels[:12, None] == labels[None, :12]).tolist() == np.kron(np.eye(3), np.ones((4, 4))).astype(
        bool
    ).tolist()
    assert score > 0.4


def test_the_silhouette_is_scikit_learns():
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(20, 2)), rng.integers(4, size=20)
    labels[-1] = 9  # alone
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert silhouette(distances, labels) == pytest.approx(silhouette_score(distances, labels, metric="precomputed"))


def test_the_period_of_a_rhythm_is_found_in_noise():
    signal = np.sin(2 * np.pi * np.arange(1000) / 75) + np.random.default_rng(0).normal(size=1000) * 0.3
    period, peak = gait.find_period(signal)
    assert abs(period - 75) <= 1
    assert 0.5 < peak < 1
    assert gait.find_period(np.arange(100.0))[0] == 0
    assert gait.find_period(np.ones(100)) == (0, 0.0)


def test_neurons_that_fire_at_a_phase_are_tuned_and_others_are_not():
    period, steps = 50, 1000
    time = np.arange(steps)
    phase = gait.phases(np.cos(2 * np.pi * time / period), period)
    counts = np.zeros((steps, 3), dtype=np.int64)
    counts[time % period == 10, 0] = 2  # a fifth of the period after the peak
    counts[:, 1] = poisson(steps, 0.5)
    strength, preferred, p = gait.tuning(counts, phase, period)
    assert strength[0] == pytest.approx(1, abs=0.01)
    assert preferred[0] == pytest.approx(2 * np.pi / 5, abs=0.05)
    assert p[0] < 1e-6
    assert p[1] > 1e-4
    assert strength[1] < 0.2
    assert np.isnan(strength[2])
    assert np.isnan(p[2])


def test_untuned_neurons_have_uniform_p_values():
    """Of 300, 5 % are below 0.05 but for chance: fewer than 30, more than 4 (1 in 10^4 each)."""
    phase = gait.phases(np.cos(2 * np.pi * np.arange(2000) / 40), 40)
    _, _, p = gait.tuning(poisson((2000, 300), 0.2), phase, 40)
    assert 4 < (p < 0.05).sum() < 30


def test_avalanches_lie_between_empty_bins():
    population = np.array([9, 0, 2, 3, 0, 0, 1, 0, 4])  # the first and the last are cut off
    assert avalanches.avalanche_sizes(population).tolist() == [5, 1]
    assert avalanches.avalanche_sizes(np.array([1, 2, 3])).tolist() == []
    assert avalanches.branching_ratio(np.array([1, 2, 2, 0, 5])) == pytest.approx((2 + 1 + 0) / 3)
    assert np.isnan(avalanches.branching_ratio(np.zeros(5)))


def test_neurons_that_follow_the_signal_switch():
    go = np.repeat([True, False] * 10, 40)
    counts = np.stack([np.where(go, 3, 1), poisson(800, 0.5), np.zeros(800, int)], axis=1)
    means, kinds = switching.interval_rates(counts, go, settled=10)
    assert kinds.tolist() == [True, False] * 10
    assert means[:2, 0].tolist() == [3, 1]
    on_go, on_nogo, p = switching.switching(means, kinds)
    assert (on_go[0], on_nogo[0]) == (3, 1)
    assert p[0] < 0.001
    assert p[1] > 0.02
    assert p[2] == 1
    assert np.isnan(switching.switching(means[:15], kinds[:15])[2]).all()
    assert switching.switching(means[:15], kinds[:15])[0][0] == 3
    assert np.isnan(switching.switching(means[:1], kinds[:1])[1]).all()
    assert len(switching.interval_rates(counts[:50], go[:50], settled=10)[0]) == 1
