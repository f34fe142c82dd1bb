"""RNN, GRU and LSTM on a device of Warp: what they do elsewhere up to rounding, also when a graph is replayed."""

import copy
from dataclasses import fields

import numpy as np
import pytest
import torch

from agents import GRU, LSTM, RNN
from native.warp_device import capture, load_warp
from tests.device import DEVICE, array, device_name, zeros

pytest.importorskip("warp", reason="NVIDIA Warp is not installed: pip install 'ec-evotorch[gpu]'")

MAKERS = {
    "rnn real": lambda **kw: RNN(7, 3, 21, "real", **kw),
    "rnn boolean": lambda **kw: RNN(7, 3, 21, "boolean", **kw),
    "rnn sign": lambda **kw: RNN(7, 3, 21, "sign", **kw),
    "gru": lambda **kw: GRU(7, 3, 21, **kw),
    "lstm": lambda **kw: LSTM(7, 3, 21, **kw),
}
EVERY = pytest.mark.parametrize("name", MAKERS)
DEFINITION = {"atol": 1e-6, "rtol": 0}  # the same operations of PyTorch, for other numbers of slots at once
KERNEL = {"atol": 2e-5, "rtol": 1e-5}  # the compiled step, which adds in another order


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def load_rows(networks, solutions, renewed=(True, True, True)):
    wp = load_warp()
    if solutions.dtype == torch.bool:
        words = np.zeros((len(solutions), -(-solutions.shape[1] // 32) * 4), dtype=np.uint8)
        packed = np.packbits(solutions.numpy(), axis=1, bitorder="little")
        words[:, : packed.shape[1]] = packed
        rows = array(words.view("<u4"), wp.uint32)
    else:
        rows = wp.from_torch(solutions.to(DEVICE))
    networks.launch_load(rows, array(renewed, bool))


def assert_close_states(state, expected, tolerance):
    for field in fields(expected):
        got, wanted = (getattr(one, field.name).cpu() for one in (state, expected))
        torch.testing.assert_close(got, wanted, **tolerance)


@EVERY
def test_a_captured_step_is_the_step_up_to_rounding(name):
    agent = MAKERS[name](device=DEVICE)
    others = [
        (MAKERS[name](backend="torch"), DEVICE, DEFINITION),
        (MAKERS[name](backend="numba"), "cpu", KERNEL),
    ]
    solutions = agent.initial_solutions(6, generator())
    networks, obs, actions = agent.on_device(3), zeros((3, 7)), zeros((3, 3))
    load_rows(networks, solutions[:3])
    graph = capture(lambda: networks.launch_step(obs, actions), networks.device)
    assert not any(getattr(networks.state, field.name).any() for field in fields(networks.state))  # all slots rest
    expected = [other.initial_state(3, generator=torch.Generator(place)) for other, place, _ in others]
    rng = np.random.default_rng(2)
    for step, members in enumerate([[0, 1, 2], [0, 1, 2], [0, -1, 2], [0, 4, 2], [0, 4, -1], [0, 4, 2]]):
        networks.members.copy_(torch.tensor([slot if member >= 0 else -1 for slot, member in enumerate(members)]))
        if step == 3:  # another network begins in slot 1
            load_rows(networks, solutions[3:], (False, True, False))
            starts = load_warp().from_torch(agent.draw_starts([5, 6]).to(DEVICE))
            networks.launch_reset(array([False, True, False], bool), starts, array([0, 1, 0], int))
            assert not any(getattr(networks.state, field.name)[1].any() for field in fields(networks.state))
            for (other, _, _), state in zip(others, expected, strict=True):
                other.reset(state, [1], [6])
        obs.assign(rng.standard_normal((3, 7)).astype(np.float32))
        before = copy.deepcopy(networks.state)
        graph.replay()
        for (other, place, tolerance), state in zip(others, expected, strict=True):
            taken = other.step(solutions.to(place), members, obs.numpy(), state)
            torch.testing.assert_close(torch.from_numpy(actions.numpy()), taken.cpu(), **tolerance)
            assert_close_states(networks.state, state, tolerance)
        for slot in np.flatnonzero(np.array(members) < 0):
            assert not actions.numpy()[slot].any()
            for field in fields(before):
                assert torch.equal(getattr(networks.state, field.name)[slot], getattr(before, field.name)[slot])
    assert networks.state.h.std() > 0.1


@EVERY
def test_a_network_of_bits_or_signs_has_weights_of_zero_and_one(name):
    agent = MAKERS[name](device=DEVICE)
    networks, solutions = agent.on_device(3), agent.initial_solutions(3, generator())
    load_rows(networks, solutions)
    rows = agent.join(networks._parameters).cpu()
    assert torch.equal(rows, (solutions > 0).float() if agent.connections != "real" else solutions)


def test_hopper_code_that_brings_solutions_is_compiled_without_a_gpu():
    from agents.device.row_kernels import unpack_rows  # whose module has all the others
    from native.warp_device import ptx_of

    ptx = ptx_of(unpack_rows, arch=90)
    assert ".target sm_90" in ptx
    for name in ("copy_rows", "copy_positive", "unpack_rows", "spread_rows", "spread_words", "clear_rows"):
        assert f".entry {name}_" in ptx


def test_a_failed_network_does_not_look_sound():
    agent, obs, actions = GRU(7, 3, 21, device=DEVICE), zeros((3, 7)), zeros((3, 3))
    networks = agent.on_device(3)
    networks.members.copy_(torch.tensor([0, 1, -1]))
    solutions = agent.initial_solutions(3, generator())
    solutions[[1, 2]] = float("nan")
    load_rows(networks, solutions)
    networks.launch_step(obs, actions)
    assert np.isnan(actions.numpy()).all(axis=1).tolist() == [False, True, False]
    assert not actions.numpy()[2].any()


def test_a_graph_that_would_lose_the_step_is_refused():
    networks = GRU(7, 3, 21, device="cpu").on_device(3)
    obs, actions = (zeros((3, width), device="cpu") for width in (7, 3))
    message = r"^expected native\.warp_device\.capture: a graph of Warp on a CPU records kernels alone$"
    with pytest.raises(RuntimeError, match=message), load_warp().ScopedCapture(device="cpu"):
        networks.launch_step(obs, actions)


def test_a_device_is_asked_for():
    with pytest.raises(ValueError, match=r"^on_device: expected an agent with a device, got one without$"):
        LSTM(7, 3).on_device(4)
    with pytest.raises(ValueError, match=r"^num_slots: expected a positive whole number, got 0$"):
        LSTM(7, 3, device=DEVICE).on_device(0)
    for make in MAKERS.values():
        with pytest.raises(ValueError, match=r"^device: expected 'cpu' or .*; got 'cuda:99'$"):
            make(device="cuda:99")
        with pytest.raises(ValueError, match=r"^device: expected none with backend='numba', got 'cpu'$"):
            make(backend="numba", device="cpu")


@pytest.mark.parametrize("name", ["rnn boolean", "gru"])
def test_arrays_of_other_sizes_are_refused(name):
    agent, on = MAKERS[name](device=DEVICE), device_name()
    networks, solutions = agent.on_device(3), agent.initial_solutions(2, generator())
    with pytest.raises(ValueError, match=rf"^(packed|rows): expected an array of .* of shape \(3, \d+\) on {on}, got"):
        load_rows(networks, solutions)
    with pytest.raises(ValueError, match=rf"^renewed: expected an array of bool of shape \(3\) on {on}, got bool"):
        load_rows(networks, agent.initial_solutions(3, generator()), [True])
    flags, rows = array([True] * 3, bool), array([0, 1, 1], int)
    with pytest.raises(ValueError, match=rf"^starts: expected an array of float32 of shape \(any, 0\) on {on}, got"):
        networks.launch_reset(flags, zeros((2, 21)), rows)
    with pytest.raises(
        ValueError, match=rf"^observations: expected an array of float32 of shape \(3, 7\) on {on}, got"
    ):
        networks.launch_step(zeros((3, 3)), zeros((3, 3)))
    with pytest.raises(ValueError, match=rf"^actions: expected an array of float32 of shape \(3, 3\) on {on}, got"):
        networks.launch_step(zeros((3, 7)), zeros((3, 7)))
