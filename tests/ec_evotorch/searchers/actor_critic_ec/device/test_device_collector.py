"""EC with a critic on a device: in a point mass with two equal versions it learns what it learns on the CPU."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_leaves

from agents import RNN, RSNN
from ec_evotorch import ActorCriticEC, Resumable, RolloutProblem, StagedEC
from envs import make_vec

pytest.importorskip("warp", reason="NVIDIA Warp is not installed: pip install 'ec-evotorch[gpu]'")

from ec_evotorch.searchers.actor_critic_ec.device import actor as device_actor
from tests.device import DEVICE, on_cpu_alone
from tests.ec_evotorch.rollout.device.point_mass import PointMass, PointMassOnDevice

SPIKING = partial(RSNN, num_neurons=24)
CASES = {
    "rsnn": (SPIKING, {}, {}),
    "mask": (partial(SPIKING, connection_mask={"density": {"kernel_h": 0.3, "kernel_out": 0.8}, "seed": 4}), {}, {}),
    "raw": (SPIKING, {"observation_normalization": False, "decrease_rewards_by": 0.3}, {}),
    "growing": (SPIKING, {}, {"batch_size": 192, "batch_growth": 4, "anneal_steps": 512}),
    "mixed": (SPIKING, {}, {"credit": "mixed", "metric": "fisher"}),
    "failures": (SPIKING, {"env": partial(PointMass, breaks_at=0.4, unstable_at=0.9)}, {}),
}
HOPPER = {"env": partial(make_vec, "Hopper-v5"), "physics": "warp"}
PLAIN = {"optimizer": None, "center_learning_rate": 2.0}  # moves by the gradient, not by its sign


def make_searcher(device=None, agent=SPIKING, settings=None, options=None, of=ActorCriticEC):
    settings = {"env": PointMass, "num_envs": 2, "seed": 3, "device": device} | (settings or {})
    problem = RolloutProblem(settings.pop("env"), agent, **settings)
    small = {"batch_size": 320, "num_envs": 8, "critic_sizes": (8,), "minibatch_size": 40, "prob_min": 0.05}
    return of(problem, **small | (options or {}))


def assert_same_status(searcher, expected):
    for name in ("prob", "value_loss", "explained_variance", "mean_eval", "mean_return", "total_interaction_count"):
        got, wanted = (torch.as_tensor(one.status[name]) for one in (searcher, expected))
        assert torch.equal(got.nan_to_num(-1.0), wanted.nan_to_num(-1.0)), name


@on_cpu_alone("the critic learns by PyTorch, which rounds otherwise on another device")
@pytest.mark.parametrize("case", CASES)
def test_what_is_learned_is_what_the_cpu_learns_to_the_last_bit(case):
    expected, searcher = (make_searcher(device, *CASES[case]) for device in (None, DEVICE))
    for _ in range(3):
        for one in (expected, searcher):
            one.step()
        assert_same_status(searcher, expected)
    # 192, then 192 · 4^(192/512) = 322.9 and 192 · 4^(512/512) = 768 of the case that grows, in multiples of 64
    steps = 192 + 320 + 768 if case == "growing" else 3 * 320
    assert searcher.problem.episode_statistics.status["total_interaction_count"] == steps
    states = [one.problem.state_dict() for one in (searcher, expected)]
    for got, wanted in zip(*map(tree_leaves, states), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert (states[0]["episode_statistics"]["failed"] > 0) == (case == "failures")


@pytest.mark.parametrize("agent", [SPIKING, partial(RNN, num_neurons=12, connections="boolean")], ids=["rsnn", "rnn"])
def test_credit_by_networks_is_that_of_the_cpu_up_to_rounding(agent):
    options = {"credit": "networks", **PLAIN}
    expected, searcher = (make_searcher(device, agent, options=options) for device in (None, DEVICE))
    for one in (expected, searcher):
        one.step()
    assert expected.status["prob"].std() > 0.005
    torch.testing.assert_close(searcher.status["prob"], expected.status["prob"])


@pytest.mark.parametrize("credit", ["currents", "mixed"])
def test_networks_taken_in_parts_have_the_gradient_of_all_at_once(credit, monkeypatch):
    whole, parts = (make_searcher(DEVICE, options=PLAIN | {"credit": credit}) for _ in range(2))
    whole.step()
    monkeypatch.setattr(device_actor, "_CHUNK_BITS", 7 * whole.problem.solution_length)  # of 80 networks
    parts.step()
    torch.testing.assert_close(parts.status["prob"], whole.status["prob"])
    assert whole.status["prob"].std() > 0.005


@pytest.mark.parametrize("case", [*CASES.values(), (SPIKING, HOPPER, {})], ids=[*CASES, "hopper"])
def test_a_saved_search_goes_on_as_if_nothing_had_happened(case):
    searcher, other = (make_searcher(DEVICE, *case) for _ in range(2))
    other.run(3)
    searcher.run(2)
    Resumable(other).load_state_dict(Resumable(searcher).state_dict())
    for one in (searcher, other):
        one.run(2)
    assert_same_status(other, searcher)


@on_cpu_alone("the critic learns by PyTorch, which rounds otherwise on another device")
def test_the_whole_episodes_that_follow_are_those_of_the_cpu():
    stages = {"critic_steps": 600, "episodes": {"popsize": 6}}
    expected, searcher = (make_searcher(device, options=stages, of=StagedEC) for device in (None, DEVICE))
    for _ in range(5):  # two iterations of 320 steps, and three generations
        for one in (expected, searcher):
            one.step()
        for name in ("prob", "mean_eval", "mean_return", "total_interaction_count"):
            got, wanted = (torch.as_tensor(one.status[name]) for one in (searcher, expected))
            assert torch.equal(got.nan_to_num(-1.0), wanted.nan_to_num(-1.0)), name
    assert searcher.status["value_loss"] is None
    assert searcher.status["pop_best_eval"] == expected.status["pop_best_eval"]


def test_a_state_of_another_environment_is_refused():
    searcher, other = make_searcher(DEVICE), make_searcher(DEVICE, partial(RSNN, num_neurons=25))
    state = searcher.state_dict()
    state["collector"] = other.state_dict()["collector"]
    with pytest.raises(ValueError, match=r"collector: expected arrays of the shapes .*\(8, 24\).*, got .*\(8, 25\)"):
        searcher.load_state_dict(state)


def test_a_copy_learns_alike_whatever_becomes_of_the_original():
    searcher = make_searcher(DEVICE)
    searcher.step()
    copied, twin = copy.deepcopy(searcher), copy.deepcopy(searcher)
    searcher.problem.close()
    copied.step()
    twin.step()
    assert_same_status(copied, twin)


def test_an_environment_that_does_not_say_what_it_remembers_is_refused(monkeypatch):
    monkeypatch.delattr(PointMassOnDevice, "memory")
    with pytest.raises(
        ValueError, match=r"env: EC with a critic needs .*terminated and memory.*; this one has no memory"
    ):
        make_searcher(DEVICE)


def test_an_agent_on_a_device_needs_a_device():
    problem = make_searcher().problem
    with pytest.raises(ValueError, match="device: expected the name of a device to make an agent there, got None"):
        problem.make_device_agent()
