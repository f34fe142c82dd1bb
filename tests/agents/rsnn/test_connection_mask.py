"""A network with a mask is the network without those connections, and its solutions are without them."""

import re

import numpy as np
import pytest
import torch

from agents import RSNN
from agents.rsnn.connection_mask import draw_mask, pack_mask

CONNECTIONS = pytest.mark.parametrize("connections", ["boolean", "sign", "real"])
BACKENDS = pytest.mark.parametrize("backend", ["numba", "torch"])
SHAPES = {"kernel_in": (4, 3), "kernel_h": (3, 3), "kernel_out": (3, 1)}
DENSITY = {"density": {"kernel_in": 0.5, "kernel_h": 0.25}, "seed": 3}


def masked(connections="boolean", mask=DENSITY, **more):
    return RSNN(5, 3, 20, connections, connection_mask=mask, density=0.4, **more)


def solutions_of(agent, count=4, seed=0):
    return agent.initial_solutions(count, torch.Generator().manual_seed(seed))


def play(agent, solutions, steps=6):
    state = agent.initial_state(len(solutions))
    agent.reset(state, range(len(solutions)), range(len(solutions)))
    observations = torch.randn(steps, len(solutions), 5, generator=torch.Generator().manual_seed(1))
    return torch.stack([agent.step(solutions, range(len(solutions)), obs, state) for obs in observations])


def test_a_solution_has_what_can_exist_in_order_and_the_kernels_have_0_elsewhere():
    mask = {"kernel_h": [[0, 1, 0], [0, 0, 1], [1, 0, 0]], "kernel_out": np.array([[True], [False], [True]])}
    agent = RSNN(2, 1, 3, "real", connection_mask=mask)
    kernels = agent.split(torch.arange(1.0, 12.0)[None])
    assert agent.solution_length == 2 * 3 + 3 + 2
    assert kernels["kernel_in"].tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert kernels["kernel_h"].tolist() == [[[0, 7, 0], [0, 0, 8], [9, 0, 0]]]
    assert kernels["kernel_out"].tolist() == [[[10], [0], [11]]]
    assert agent.places()["kernel_h"].tolist() == [[-1, 6, -1], [-1, -1, 7], [8, -1, -1]]


@pytest.mark.parametrize("density", [{"kernel_in": 0.0}, {"kernel_h": 0.0}, {"kernel_h": 0.0, "kernel_out": 0.0}, 0.5])
def test_whole_kernels_and_single_connections_are_left_out_alike(density):
    agent = masked("real", {"density": density})
    solutions, places = solutions_of(agent), agent.places()
    for name, kernel in agent.split(solutions).items():
        expected = torch.where(torch.from_numpy(places[name] < 0), 0.0, solutions[:, places[name].clip(0)])
        assert torch.equal(kernel, expected)
        assert agent.connection_mask[name].sum() == np.count_nonzero(places[name] >= 0)


@CONNECTIONS
def test_joining_is_the_reverse_of_splitting(connections):
    for agent in (masked(connections), masked(connections, mask=None)):
        solutions = solutions_of(agent)
        assert torch.equal(agent.join(agent.split(solutions)), solutions)


@CONNECTIONS
@BACKENDS
def test_a_masked_network_acts_as_the_whole_one_without_those_connections(connections, backend):
    agent, whole = masked(connections, backend=backend), masked(connections, mask=None, backend=backend)
    solutions = solutions_of(agent)
    acted = play(agent, solutions)
    assert torch.equal(acted, play(whole, whole.join(agent.split(solutions))))
    assert acted.unique().numel() > 10


@pytest.mark.parametrize("connections", ["sign", "real"])
def test_sequences_and_their_gradients_are_those_of_the_whole_network(connections):
    agent, whole = masked(connections), masked(connections, mask=None)
    part = solutions_of(agent, 1)[0].requires_grad_()
    full = whole.join(agent.split(part.detach()[None]))[0].requires_grad_()
    observations = torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(2))
    gradients = []
    for one, solution in ((agent, part), (whole, full)):
        memory = one.memory(one.initial_state(2))
        outputs = one.unroll(solution, observations, memory, torch.tensor([4, 3]))
        outputs.square().sum().backward()
        gradients.append((outputs.detach(), solution.grad))
    assert torch.equal(gradients[0][0], gradients[1][0])
    there = torch.from_numpy(np.concatenate([kernel.ravel() for kernel in agent.connection_mask.values()]))
    assert torch.equal(gradients[0][1], gradients[1][1][there])
    assert gradients[0][1].abs().sum() > 0


def test_the_density_is_exact_in_each_kernel_and_follows_from_the_seed():
    drawn = draw_mask({"kernel_in": (10, 40), "kernel_h": (40, 40), "kernel_out": (40, 3)}, 0.25, seed=1)
    assert [int(kernel.sum()) for kernel in drawn.values()] == [100, 400, 30]
    again = draw_mask({"kernel_in": (10, 40), "kernel_h": (40, 40), "kernel_out": (40, 3)}, 0.25, seed=1)
    other = draw_mask({"kernel_in": (10, 40), "kernel_h": (40, 40), "kernel_out": (40, 3)}, 0.25, seed=2)
    assert all((drawn[name] == again[name]).all() for name in drawn)
    assert any((drawn[name] != other[name]).any() for name in drawn)


def test_the_density_is_exact_in_each_block_and_that_of_a_block_counts_before_that_of_its_kernel():
    shapes, density = {"kernel_in": (10, 40), "kernel_h": (40, 40), "kernel_out": (40, 3)}, {"kernel_h": 0.5}
    drawn = draw_mask(shapes, density | {"E_I": 0.25, "E_out": 0.0}, seed=1, num_excitatory=30)
    assert (drawn["kernel_in"].all(), drawn["kernel_out"].sum(axis=1).tolist()) == (True, [0] * 30 + [3] * 10)
    assert drawn["kernel_h"][:30, 30:].sum() == 75
    whole = draw_mask(shapes, density, seed=1)["kernel_h"]
    drawn["kernel_h"][:30, 30:] = whole[:30, 30:]
    assert (drawn["kernel_h"] == whole).all()


def test_densities_of_blocks_are_those_of_the_kinds_of_the_network():
    density = {"E_E": 0.25, "E_I": 0.25, "E_out": 0.25}
    agent = RSNN(5, 4, 20, excitatory_ratio=0.8, connection_mask={"density": density, "seed": 0})
    kernel_h, kernel_out = agent.connection_mask["kernel_h"], agent.connection_mask["kernel_out"]
    assert (kernel_h[:16, :16].sum(), kernel_h[:16, 16:].sum(), kernel_out[:16].sum()) == (64, 16, 16)
    assert kernel_h[16:].all()
    assert kernel_out[16:].all()
    with pytest.raises(ValueError, match="expected a number, or one for some of kernel_in, kernel_h, kernel_out; got"):
        RSNN(5, 4, 20, "real", connection_mask={"density": density})


def test_blocks_are_the_places_of_connections_between_kinds_that_can_exist():
    agent = masked()
    blocks, solution = agent.solution_blocks(), torch.zeros(1, agent.solution_length, dtype=torch.bool)
    assert sorted(np.concatenate(list(blocks.values()))) == list(range(agent.solution_length))
    solution[0, blocks["E→I"]] = True
    kernels = agent.split(solution)
    assert (kernels["kernel_h"][0].numpy()[:10, 10:] == agent.connection_mask["kernel_h"][:10, 10:]).all()
    assert sum(int(kernel.sum()) for kernel in kernels.values()) == len(blocks["E→I"]) > 0
    assert list(masked("real").solution_blocks()) == ["kernel_in", "kernel_h", "kernel_out"]


def test_by_default_the_resistances_preserve_variance_over_what_can_exist():
    mask = {"kernel_in": np.eye(10, 20), "kernel_h": np.ones((20, 20)), "kernel_out": np.zeros((20, 3))}
    found, whole = RSNN(5, 3, 20, connection_mask=mask).constants, RSNN(5, 3, 20).constants
    assert found.r_in == pytest.approx(whole.r_in * np.sqrt(20))  # one connection in 20
    assert found.r_hidden == whole.r_hidden
    assert found.r_out == whole.r_out  # of nothing


def test_a_mask_as_text_is_the_mask():
    mask = draw_mask(SHAPES, 0.5, seed=0)
    agent = RSNN(2, 1, 3, connection_mask=pack_mask(mask))
    assert all((agent.connection_mask[name] == mask[name]).all() for name in SHAPES)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            0.25,
            "connection_mask: expected the keys density and seed, or an array of truth values for some of",
        ),
        ({}, "connection_mask: expected the keys density and seed"),
        ({"kernel": 1}, "got the keys kernel"),
        ({"density": 0.5, "kernel_h": 1}, "got the keys density, kernel_h"),
        ({"seed": 1}, "connection_mask.density: expected a number in [0, 1], got None"),
        ({"density": 1.5}, "connection_mask.density: expected a number in [0, 1], got 1.5"),
        ({"density": {"kernel_h": -1}}, "connection_mask.density.kernel_h: expected a number in [0, 1], got -1"),
        ({"density": {"E_E": 2}}, "connection_mask.density.E_E: expected a number in [0, 1], got 2"),
        ({"density": {"kernel_x": 1}}, "connection_mask.density: expected a number, or one for some of kernel_in"),
        ({"density": 0.5, "seed": -1}, "connection_mask.seed: expected a whole number of at least 0, got -1"),
        ({"density": 0.0}, "connection_mask: expected connections that can exist, got none"),
        (
            {"kernel_h": np.ones((2, 3))},
            "connection_mask.kernel_h: expected truth values, or 0 and 1, of shape (3, 3)",
        ),
        ({"kernel_h": np.full((3, 3), 0.5)}, "of shape (3, 3); got other values of float64"),
        ({"kernel_h": [[1], [1, 0]]}, "of shape (3, 3); got lists of different lengths"),
        ({"kernel_h": "mask.npz"}, "of shape (3, 3); got the text 'mask.npz'"),
        ({"kernel_h": "bits_3x3_AA"}, "of shape (3, 3); got the text 'bits_3x3_AA'"),
        ({"kernel_out": pack_mask({"k": np.ones((1, 3))})["k"]}, "of shape (3, 1); got the text 'bits_1x3_4A'"),
    ],
)
def test_other_masks_are_refused_in_one_line(mask, message):
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        RSNN(2, 1, 3, connection_mask=mask)
    assert "\n" not in str(refused.value)
