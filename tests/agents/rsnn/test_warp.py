"""The spiking network on a device of Warp: the bits of the numba kernel, on one lane and on blocks of lanes."""

import copy
from dataclasses import fields
from functools import cache, partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from agents import GRU, RSNN, arguments
from ec_evotorch import RolloutProblem
from ec_evotorch.distributions.bernoulli import sample_theta
from envs import make_vec
from native.warp_device import find_device, load_warp
from tests.agents.rsnn.test_golden import load
from tests.device import DEVICE, array, device_name, zeros

pytest.importorskip("warp", reason="NVIDIA Warp is not installed: pip install 'ec-evotorch[gpu]'")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def on_device(*sizes, **keywords):
    """Makes an agent that acts on the device under test."""
    return RSNN(*sizes, **keywords, backend="warp", device=DEVICE)


def assert_same_state(state, expected):
    for field in fields(expected):
        assert torch.equal(getattr(state, field.name).cpu(), getattr(expected, field.name).cpu()), field.name


def load_rows(networks, solutions, renewed=None):
    """Loads a row of (B, L) solutions into each slot, as a loop on the device does."""
    from agents.rsnn.device.networks import pack

    wp = load_warp()
    rows = pack(solutions, networks.device) if solutions.dtype == torch.bool else wp.from_torch(solutions)
    renewed = [True] * len(solutions) if renewed is None else renewed
    networks.launch_load(rows, array(renewed, bool))


def observe(rng, slots, obs_length, scale=3.0):
    return (scale * rng.standard_normal((slots, obs_length))).astype(np.float32)


# --- the numba kernel ---


@pytest.mark.parametrize(
    ("connections", "neurons", "mask"),
    [
        ("boolean", 37, None),
        ("sign", 37, None),
        ("real", 37, None),
        ("boolean", 520, None),  # more words than loops are unrolled for
        ("boolean", 37, {"density": 0.7}),
        ("real", 37, {"density": 0.7}),
    ],
)
def test_steps_are_those_of_the_numba_kernel_to_the_last_bit(connections, neurons, mask):
    kind = {"connections": connections, "connection_mask": mask}
    fast, device = RSNN(7, 3, neurons, **kind, backend="numba"), on_device(7, 3, neurons, **kind)
    solutions, members = fast.initial_solutions(5, generator()), np.array([3, 0, -1, 2, 0, 4])
    expected = fast.initial_state(6, generator=generator(1))
    state, there = device.initial_state(v_mem=expected.v_mem.to(DEVICE)), solutions.to(DEVICE)
    rng = np.random.default_rng(2)
    fired = 0
    for _ in range(20):
        obs = observe(rng, 6, 7)
        taken = device.step(there, members, obs, state).cpu()
        assert torch.equal(taken, fast.step(solutions, members, obs, expected))
        assert_same_state(state, expected)
        fired += int((state.spikes != 0).sum())
    assert fired > 100


@pytest.mark.parametrize("name", ["conn_snn_small", "conn_snn_hopper", "dense_snn_small"])
def test_spikes_are_those_of_the_published_network(name):
    data, obs_length, act_length, neurons, boolean, solutions = load(name)
    agent = on_device(obs_length, act_length, neurons, connections="boolean" if boolean else "real")
    state = agent.initial_state(v_mem=torch.from_numpy(data["v_init"]).to(DEVICE))
    members, solutions = torch.arange(len(solutions)), solutions.to(DEVICE)
    for t, obs in enumerate(data["obs"]):
        agent.step(solutions, members, torch.from_numpy(obs), state)
        if boolean:
            np.testing.assert_array_equal(state.spikes.cpu(), data["signed_spikes"][t])
        np.testing.assert_allclose(state.v_mem.cpu(), data["v"][t], atol=2e-6)
        np.testing.assert_allclose(state.i_syn.cpu(), data["i_syn"][t], atol=2e-5)
        np.testing.assert_allclose(state.rate.cpu(), data["rate"][t], atol=2e-6)
        np.testing.assert_allclose(agent.readout(state).cpu(), data["output"][t], atol=2e-5)


@cache
def golden_play(name, steps):
    """Returns what the numba kernel makes of a golden file: state and actions after each step."""
    data, obs_length, act_length, neurons, boolean, solutions = load(name)
    agent = RSNN(obs_length, act_length, neurons, "boolean" if boolean else "real", backend="numba")
    state = agent.initial_state(v_mem=torch.from_numpy(data["v_init"]))
    played = []
    for obs in data["obs"][:steps]:
        actions = agent.step(solutions, np.arange(len(solutions)), obs, state)
        played.append((copy.deepcopy(state), actions))
    return played


@pytest.mark.parametrize(
    ("name", "block_dim"),
    [
        ("conn_snn_hopper", 32),
        ("conn_snn_hopper", 64),
        ("conn_snn_hopper", 256),
        ("conn_snn_small", 32),  # more lanes than neurons
        ("dense_snn_small", 32),
        ("dense_snn_small", 64),
        ("dense_snn_small", 256),
    ],
)
def test_blocks_of_lanes_agree_with_the_numba_kernel_to_the_last_bit(monkeypatch, name, block_dim):
    from agents.rsnn.device.networks import make_networks

    wp = load_warp()
    monkeypatch.setattr(wp.config, "enable_cpu_blocks", True)
    data, obs_length, act_length, neurons, boolean, solutions = load(name)
    agent = on_device(obs_length, act_length, neurons, connections="boolean" if boolean else "real")
    state = agent.initial_state(v_mem=torch.from_numpy(data["v_init"]).to(DEVICE))
    networks = make_networks(agent, state, find_device(DEVICE), block_dim=block_dim)
    networks.members.copy_(torch.arange(len(solutions)))
    load_rows(networks, solutions.to(DEVICE))
    for obs, (expected, actions) in zip(data["obs"], golden_play(name, steps=6), strict=False):
        taken = zeros(tuple(actions.shape))
        networks.launch_step(array(obs, float), taken)
        assert_same_state(state, expected)
        assert torch.equal(wp.to_torch(taken).cpu(), actions)
    assert state.rate.any()  # some neuron has fired


@pytest.mark.parametrize("connections", ["boolean", "real"])
def test_a_rollout_problem_pays_the_same_to_the_last_bit(connections):
    rows = RSNN(11, 3, 37, connections).initial_solutions(3, generator())
    returns = []
    for backend in ("numba", "warp"):
        agent = partial(RSNN, num_neurons=37, connections=connections, backend=backend)
        problem = RolloutProblem(partial(make_vec, "Hopper-v5", max_episode_steps=20), agent, num_envs=2, seed=0)
        batch = problem.generate_batch(3)
        batch.set_values(rows)
        problem.evaluate(batch)
        returns.append(batch.evals[:, 0])
        problem.close()
    assert torch.equal(*returns)


# --- a loop on the device ---


def test_bits_sampled_elsewhere_are_the_network_that_plays():
    from ec_evotorch.distributions.warp_bernoulli import sample_packed_theta

    wp = load_warp()
    agent = on_device(7, 3, 37)
    rho = torch.rand(agent.solution_length, generator=generator())
    networks = agent.on_device(4)
    networks.members.copy_(torch.arange(4))
    packed = wp.from_torch(sample_packed_theta(rho.to(DEVICE), 4, key=5), dtype=wp.uint32)
    networks.launch_load(packed, array([True] * 4, bool))
    theta = sample_theta(rho, torch.empty(4, len(rho), dtype=torch.bool), key=5).to(DEVICE)
    expected, taken = agent.initial_state(4), zeros((4, 3))
    for obs in observe(np.random.default_rng(2), 12, 7).reshape(3, 4, 7):
        networks.launch_step(array(obs, float), taken)
        assert torch.equal(wp.to_torch(taken), agent.step(theta, np.arange(4), obs, expected))
    assert_same_state(networks.state, expected)
    assert expected.rate.any()


@pytest.mark.parametrize("mask", [None, {"density": {"kernel_in": 0.7, "kernel_h": 0.4}}], ids=["all", "mask"])
@pytest.mark.parametrize("connections", ["boolean", "real", "sign"])
def test_only_slots_that_are_renewed_change(connections, mask):
    agent = on_device(7, 3, 37, connections=connections, connection_mask=mask)
    solutions, seeds = agent.initial_solutions(6, generator()).to(DEVICE), [4, 5, 6]
    networks, expected = agent.on_device(3), agent.initial_state(3)
    networks.members.copy_(torch.arange(3))
    load_rows(networks, solutions[:3])
    wp, rng = load_warp(), np.random.default_rng(2)
    taken = zeros((3, 3))
    for step in range(4):
        obs = observe(rng, 3, 7)
        networks.launch_step(array(obs, float), taken)
        members = np.array([0, 1, 2] if step < 2 else [0, 4, 2])
        assert torch.equal(wp.to_torch(taken), agent.step(solutions, members, obs, expected))
        if step == 1:
            load_rows(networks, solutions[3:], [False, True, False])
            starts = wp.from_torch(agent.draw_starts(seeds).to(DEVICE))
            networks.launch_reset(array([False, True, False], bool), starts, array([0, 2, 0], int))
            agent.reset(expected, [1], seeds[2:])
        assert_same_state(networks.state, expected)
    assert expected.rate.any()


@pytest.mark.parametrize("connections", ["boolean", "real"])
def test_a_captured_step_is_a_step(connections):
    agent = on_device(7, 3, 37, connections=connections)
    wp, rng = load_warp(), np.random.default_rng(2)
    networks, solutions = agent.on_device(2), agent.initial_solutions(4, generator()).to(DEVICE)
    obs, taken = zeros((2, 7)), zeros((2, 3))
    networks.launch_step(obs, taken)  # loads the kernels; all slots rest
    assert not taken.numpy().any()
    with wp.ScopedCapture(device=DEVICE) as capture:
        networks.launch_step(obs, taken)
    expected = agent.initial_state(2)
    for rows in (solutions[:2], solutions[2:]):
        load_rows(networks, rows)  # a graph sees what its arrays hold when it is replayed
        for members in ([0, 1], [-1, 1]):
            networks.members.copy_(torch.tensor(members))
            obs.assign(observe(rng, 2, 7))
            wp.capture_launch(capture.graph)
            assert torch.equal(wp.to_torch(taken), agent.step(rows, members, obs.numpy(), expected))
            assert_same_state(networks.state, expected)
    assert expected.rate.any()


# --- what a GPU would run ---


@pytest.mark.parametrize("kernel", ["boolean substeps", "real substeps", "other kernels"])
def test_hopper_code_rounds_every_operation_by_itself(kernel):
    from agents.rsnn.device.kernels import make_substeps, real_readout
    from native.warp_device import ptx_of

    kernels = {
        "boolean substeps": make_substeps(256, 128, real=False).kernel,
        "real substeps": make_substeps(37, 37, real=True).kernel,
        "other kernels": real_readout,  # whose module has all the others
    }
    ptx = ptx_of(kernels[kernel], arch=90)
    assert ".target sm_90" in ptx
    assert "mul.rn.f" in ptx
    assert "fma.rn.f" not in ptx


# --- refusals ---


def test_a_failed_network_does_not_look_sound():
    agent = on_device(7, 3, 37, connections="real")
    solutions = torch.full((1, agent.solution_length), float("nan"), device=DEVICE)
    assert agent.step(solutions, [0], np.ones((1, 7)), agent.initial_state(1)).isnan().all()


def test_all_slots_may_rest():
    agent = on_device(7, 3, 37)
    state = agent.initial_state(v_mem=torch.rand(2, 37, generator=generator()).to(DEVICE))
    before = copy.deepcopy(state)
    actions = agent.step(agent.initial_solutions(1, generator()).to(DEVICE), [-1, -2], np.ones((2, 7)), state)
    assert not actions.any()
    assert_same_state(state, before)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"device: expected 'cpu' or .*; got 'cuda:99'"):
        RSNN(7, 3, backend="warp", device="cuda:99")


def test_a_device_that_pytorch_cannot_use_is_refused(monkeypatch):
    monkeypatch.setattr(arguments, "find_device", lambda name: SimpleNamespace(is_cuda=True))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for make in (RSNN, GRU):
        with pytest.raises(ValueError, match=r"^device: expected 'cpu', because PyTorch .* finds no CUDA, got 'cuda'$"):
            make(7, 3, device="cuda")


def test_a_device_is_for_warp_only():
    with pytest.raises(ValueError, match="device: expected none with backend='numba', got 'cpu'"):
        RSNN(7, 3, backend="numba", device="cpu")
    with pytest.raises(ValueError, match="on_device: expected an agent with backend='warp', got 'auto'"):
        RSNN(7, 3).on_device(4)
    with pytest.raises(ValueError, match="backend: expected one of 'auto', 'numba', 'torch'; got 'warp'"):
        GRU(7, 3, backend="warp")


@pytest.mark.parametrize("mask", [None, {"density": 0.7}], ids=["all", "mask"])
@pytest.mark.parametrize("connections", ["boolean", "real"])
def test_arrays_of_other_sizes_are_refused(connections, mask):
    agent, name = on_device(7, 3, 37, connections=connections, connection_mask=mask), device_name()
    networks, solutions = agent.on_device(2), agent.initial_solutions(3, generator()).to(DEVICE)
    with pytest.raises(ValueError, match=rf"(packed|rows): expected an array of .* of shape \(2, \d+\) on {name}, got"):
        load_rows(networks, solutions, [True, True])
    with pytest.raises(ValueError, match=rf"renewed: expected an array of bool of shape \(2\) on {name}, got bool"):
        load_rows(networks, solutions[:2], [True])
    flags, rows = array([True] * 2, bool), array([0, 1], int)
    with pytest.raises(ValueError, match=rf"starts: expected an array of float32 of shape \(any, 37\) on {name}, got"):
        networks.launch_reset(flags, zeros((2, 36)), rows)
    obs, taken = zeros((2, 7)), zeros((2, 3))
    message = rf"observations: expected an array of float32 of shape \(2, 7\) on {name}, got"
    with pytest.raises(ValueError, match=message):
        networks.launch_step(taken, taken)
    with pytest.raises(ValueError, match=rf"actions: expected an array of float32 of shape \(2, 3\) on {name}, got"):
        networks.launch_step(obs, obs)


def test_tensors_elsewhere_are_refused():
    agent = on_device(7, 3, 37)
    solutions = torch.empty(1, agent.solution_length, dtype=torch.bool, device="meta")
    with pytest.raises(
        ValueError, match=f"solutions: expected tensors on the agent's device {device_name()}, got meta"
    ):
        agent.step(solutions, [0], np.zeros((1, 7)), agent.initial_state(1))
