"""Lesions take away what they say, and cost what a plain loop says."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from agents import RSNN
from ec_evotorch import Policy, RolloutProblem
from ec_evotorch.rollout.problem import EVALUATION
from envs import make_vec
from experiments.evaluation.episodes import play_episode
from experiments.evaluation.plain_env import open_env
from experiments.evaluation.trained_network import load_network
from experiments.neuroscience.analysis import lesions_of, wiring_of
from experiments.neuroscience.lesions import Lesion, cut, flip, flips, lesion_table, lesions, play, silence
from experiments.neuroscience.wiring import BLOCKS, Wiring


@pytest.fixture
def wiring():
    return Wiring(np.ones((4, 3), bool), np.ones((3, 3), bool), np.ones((3, 2), bool), 2)


def test_a_silent_neuron_sends_nothing_and_receives_as_before(wiring):
    silent = silence(wiring, [1])
    assert silent.kernel_h.tolist() == [[True] * 3, [False] * 3, [True] * 3]
    assert silent.kernel_out.tolist() == [[True] * 2, [False] * 2, [True] * 2]
    assert silent.kernel_in.all()
    assert wiring.kernel_h.all()


def test_cutting_a_block_leaves_the_others(wiring):
    for name in BLOCKS:
        left = {other: bool(block.all()) for other, block in cut(wiring, [name]).blocks.items() if block.size}
        assert left == {other: other != name for other in BLOCKS}


def test_flipping_turns_bits_over_at_places_of_the_solution(wiring):
    flipped = flip(wiring, np.array([0, 12, 22]))
    assert np.flatnonzero(~flipped.flatten()).tolist() == [0, 12, 22]
    assert not flipped.kernel_in[0, 0]
    assert not flipped.kernel_h[0, 0]
    assert not flipped.kernel_out[0, 1]


def test_lesions_that_change_nothing_are_left_out_and_single_neurons_are_no_modules(wiring):
    wiring.kernel_h[2], wiring.kernel_out[2] = False, False
    found = {(lesion.kind, lesion.name): lesion.changed for lesion in lesions(wiring, np.array([0, 0, 1]))}
    assert ("neuron", "2") not in found
    assert found["neuron", "0"] == 5
    assert found["module", "0"] == 10
    assert ("module", "1") not in found
    assert ("block", "I→E") not in found
    assert found["block", "recurrence"] == 6


def test_flips_are_drawn_from_groups_of_connections_by_how_decided_these_are():
    rng = np.random.default_rng(0)
    rho = Wiring(rng.random((20, 10)), rng.random((10, 10)), rng.random((10, 20)), 5)
    bits = Wiring(rho.kernel_in > 0.5, rho.kernel_h > 0.5, rho.kernel_out > 0.5, 5)
    found = flips(bits, rho, rng)
    assert [lesion.changed for lesion in found] == [5] * 25
    decided = np.abs(rho.flatten() - 0.5)
    for group in range(5):
        for lesion in found[5 * group : 5 * group + 5]:
            places = lesion.wiring.flatten() != bits.flatten()
            assert places.sum() == 5
            assert (np.floor(np.argsort(np.argsort(decided))[places] / 100) == group).all()


def test_what_is_lost_is_the_mean_paired_difference_with_students_interval(wiring):
    found = [Lesion("flip", "a", wiring, 7), Lesion("flip", "a", wiring, 7), Lesion("block", "b", wiring, 3)]
    intact = np.array([10.0, 12.0, 14.0])
    returns = np.array([[8.0, 10.0, 12.0], [10.0, 10.0, 10.0], [9.0, np.nan, 10.0]])
    first, second = lesion_table(found, intact, returns).to_dict("records")
    # Differences 1, 2, 3: mean 2, standard deviation 1, t of 97.5 % with two degrees of freedom 4.3027.
    assert (first["lost"], first["mean_return"], first["lost_share"]) == (2, 10, pytest.approx(1 / 6))
    assert first["high"] - 2 == 2 - first["low"] == pytest.approx(4.30265 / np.sqrt(3), rel=1e-4)
    assert (second["lost"], second["mean_return"]) == (2.5, 9.5)


def test_a_lesioned_network_earns_what_a_plain_loop_earns(finished_run):
    network = load_network(finished_run)
    saved, wiring = network.saved, wiring_of(network)
    silent = silence(wiring, [0, 3])
    returns = play(saved, np.array([wiring.flatten(), silent.flatten()]), 3, seed=4)
    policy = saved.policy
    with RolloutProblem(partial(make_vec, **saved.env), partial(RSNN, num_neurons=16), num_envs=1, seed=4) as problem:
        seeds = problem.episode_seeds(0, np.zeros(3, int), np.arange(3), EVALUATION)
    statistics = policy.observation_mean, policy.observation_stdev
    with open_env(saved) as env:
        for row, solution in zip(returns, (wiring.flatten(), silent.flatten()), strict=True):
            one = Policy(policy.agent, torch.from_numpy(solution), policy.action_low, policy.action_high, *statistics)
            assert row.tolist() == [play_episode(env, one, seed)[0] for seed in seeds]


def test_the_table_of_a_run_begins_with_the_intact_network_and_has_flips_by_rho(finished_run):
    network = load_network(finished_run)
    table = lesions_of(network, np.zeros(16, dtype=int), 2, seed=0)
    assert table.kind.tolist()[0] == "intact"
    assert set(table.kind) == {"intact", "neuron", "module", "neurons", "block", "flip"}
    assert (table.kind == "flip").sum() == 5
    everything = table[(table.kind == "module") & (table.name == "0")].iloc[0]
    outputs = network.connections["kernel_out"].sum() + network.connections["kernel_h"].sum()
    assert everything.changed == outputs
    intact = table.mean_return[0]
    np.testing.assert_allclose(table.lost, intact - table.mean_return)


def test_lesions_are_played_in_the_wrappers_of_the_environment(finished_run):
    """Every step of the pendulum pays 1, and at most 0.5 in this wrapper."""
    network = load_network(finished_run)
    saved, solution = network.saved, wiring_of(network).flatten()[None]
    half = {"_target_": "gymnasium.wrappers.ClipReward", "min_reward": 0.0, "max_reward": 0.5}
    wrapped = replace(saved, env={**saved.env, "wrappers": [half]})
    assert (play(wrapped, solution, 2, seed=0) == play(saved, solution, 2, seed=0) / 2).all()


def test_places_of_flips_count_what_can_exist_alone():
    possible = {
        "kernel_in": np.eye(3, dtype=bool),
        "kernel_h": np.eye(3, dtype=bool)[::-1],
        "kernel_out": np.ones((3, 1)),
    }
    kernels = {name: np.zeros(kernel.shape, bool) for name, kernel in possible.items()}
    masked = Wiring.of(kernels, 2, {name: kernel.astype(bool) for name, kernel in possible.items()})
    flipped = flip(masked, np.array([1, 3, 8]))
    assert flipped.kernel_in.tolist() == [[False, False, False], [False, True, False], [False, False, False]]
    assert flipped.kernel_h.tolist() == [[False, False, True], [False, False, False], [False, False, False]]
    assert flipped.kernel_out.ravel().tolist() == [False, False, True]
    assert flipped.flatten().tolist() == [False, True, False, True, False, False, False, False, True]


def test_there_is_no_share_of_a_return_below_0(wiring):
    (row,) = lesion_table(
        [Lesion("neuron", "0", wiring, 1)], np.array([-200.0, -220.0]), np.array([[-300.0, -320.0]])
    ).to_dict("records")
    assert row["lost"] == 100
    assert np.isnan(row["lost_share"])
