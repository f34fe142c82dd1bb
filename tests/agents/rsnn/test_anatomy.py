"""Probabilities from positions and kinds of neurons, against numbers by hand."""

import re

import numpy as np
import pytest

from agents.rsnn.anatomy import block_rule, distance_rule, distances, draw_positions, wire_length

CORNERS = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]])
SHAPES = {"kernel_in": (2, 3), "kernel_h": (3, 3), "kernel_out": (3, 1)}
BLOCKS = {"in_E": 0.1, "in_I": 0.2, "E_E": 0.3, "E_I": 0.4, "I_E": 0.5, "I_I": 0.6, "E_out": 0.7, "I_out": 0.8}


def test_distances_are_those_of_a_right_angled_triangle():
    assert distances(CORNERS).tolist() == [[0, 5, 3], [5, 0, 4], [3, 4, 0]]


def test_probabilities_fall_with_the_exponential_of_distance():
    rho = distance_rule(CORNERS, 0.5, 2.0)
    expected = [[0.5, 0.041042, 0.111565], [0.041042, 0.5, 0.067668], [0.111565, 0.067668, 0.5]]
    np.testing.assert_allclose(rho, expected, atol=1e-6)
    assert rho.dtype == np.float32


def test_the_probability_at_distance_0_may_depend_on_the_kinds():
    of_kinds = block_rule({"E_E": 1.0, "E_I": 0.5, "I_E": 0.25, "I_I": 0.0}, {"kernel_h": (3, 3)}, 2)["kernel_h"]
    np.testing.assert_allclose(distance_rule(CORNERS, of_kinds, 2.0), of_kinds * np.exp(-distances(CORNERS) / 2.0))


def test_a_table_of_kinds_fills_blocks_with_the_presynaptic_kind_first():
    kernels = block_rule(BLOCKS, SHAPES, 2)
    np.testing.assert_allclose(kernels["kernel_in"], [[0.1, 0.1, 0.2]] * 2, rtol=1e-6)
    np.testing.assert_allclose(kernels["kernel_h"], [[0.3, 0.3, 0.4], [0.3, 0.3, 0.4], [0.5, 0.5, 0.6]], rtol=1e-6)
    np.testing.assert_allclose(kernels["kernel_out"], [[0.7], [0.7], [0.8]], rtol=1e-6)


def test_blocks_without_a_neuron_may_be_left_out():
    kernels = block_rule({"in_E": 0.5, "E_E": 0.5, "E_out": 0.5}, SHAPES, 3)
    assert all((kernel == 0.5).all() for kernel in kernels.values())


def test_positions_are_a_function_of_the_seed_and_fill_the_cube():
    positions = draw_positions(4000, 3, seed=1)
    np.testing.assert_array_equal(positions, draw_positions(4000, 3, seed=1))
    assert not np.array_equal(positions, draw_positions(4000, 3, seed=2))
    assert (positions >= 0).all()
    assert (positions < 1).all()
    assert (np.abs(positions.mean(axis=0) - 0.5) < 5 / np.sqrt(12 * 4000)).all()  # 1 in 10^6 would not


def test_wire_is_the_sum_of_distances_of_the_connections():
    kernel_h = np.array([[1, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=bool)
    assert wire_length(kernel_h, CORNERS) == 0 + 5 + 4 + 3
    assert wire_length(np.full((3, 3), 0.5), CORNERS) == 12.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw_positions(0), "num_neurons: expected a positive whole number"),
        (lambda: draw_positions(3, 0), "dimensions: expected a positive whole number"),
        (lambda: draw_positions(3, 2, -1), "seed: expected a whole number of at least 0"),
        (lambda: distances(np.zeros(3)), "positions: expected finite numbers of shape (n, dimensions), got float64 of"),
        (lambda: distances([[np.nan]]), "positions: expected finite numbers"),
        (lambda: distance_rule(CORNERS, 0.5, 0.0), "length: expected a positive number, got 0.0"),
        (lambda: distance_rule(CORNERS, 1.5, 1.0), "p: expected probabilities in [0, 1], got 1.5 to 1.5"),
        (
            lambda: distance_rule(CORNERS, np.ones(3), 1.0),
            "p: expected a number or numbers of shape (3, 3)",
        ),
        (lambda: distance_rule(CORNERS, "much", 1.0), "p: expected a number or numbers of shape (3, 3), got 'much'"),
        (lambda: block_rule({**BLOCKS, "X_E": 0.1}, SHAPES, 2), "blocks: expected some of in_E, in_I, E_E"),
        (lambda: block_rule({**BLOCKS, "E_E": 2}, SHAPES, 2), "blocks.E_E: expected a number in [0, 1], got 2"),
        (lambda: block_rule({"E_E": 0.1}, {"kernel_h": (3, 3)}, 2), "E_I is missing"),
        (lambda: wire_length(np.ones((2, 2)), CORNERS), "kernel_h: expected shape (3, 3), got (2, 2)"),
    ],
)
def test_other_arguments_are_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        call()
    assert "\n" not in str(refused.value)
