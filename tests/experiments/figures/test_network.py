"""Pictures of a network show what is in it."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from experiments.figures.network import (
    EXCITATORY,
    INHIBITORY,
    SHOWN_STEPS,
    blocks_over_training,
    degrees,
    matrices,
    raster,
    rho_now,
)
from experiments.figures.network import rho_over_training as over_training
from experiments.figures.style import encode
from experiments.run_folder.rho.blocks import COLUMNS as BLOCK_COLUMNS
from experiments.run_folder.rho.histogram import BINS, COLUMNS

KERNELS = {
    "kernel_in": np.array([[0.0, 0.1, 0.2], [0.3, 0.4, 0.5]]),
    "kernel_h": np.array([[0.1, 0.9, 0.5], [0.2, 0.8, 0.5], [0.3, 0.7, 0.5]]),
    "kernel_out": np.array([[1.0], [0.0], [0.6]]),
}


def lines(axes) -> dict[str, tuple[list, list]]:
    return {to_hex(line.get_color()).upper(): tuple(map(list, line.get_data())) for line in axes.lines}


def test_matrices_have_presynaptic_neurons_downwards_and_outputs_as_rows():
    top, middle, bottom, _ = matrices(KERNELS, 2, "ρ").axes
    for axes, values in zip((top, middle, bottom), (*list(KERNELS.values())[:2], KERNELS["kernel_out"].T), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), values)
        assert axes.images[0].get_clim() == (0, 1)
    assert middle.lines[0].get_xdata()[0] == 1.5  # between neuron 1, excitatory, and 2
    assert [tick for tick in bottom.get_yticks() if abs(tick) <= 0.5] == [0]  # of one output, and nothing between


def test_bits_are_black_and_white():
    figure = matrices({name: kernel > 0.5 for name, kernel in KERNELS.items()}, 2, "θ*")
    assert figure.axes[1].images[0].get_cmap().name == "Greys"


def test_the_histogram_over_training_has_a_column_for_each_evaluation():
    rows = pd.DataFrame(0, index=range(2), columns=COLUMNS)
    rows["steps"] = [100, 300]
    rows.loc[0, BINS[25]], rows.loc[1, BINS[0]], rows.loc[1, BINS[49]] = 8, 6, 2
    mesh = over_training(rows).axes[0].collections[0]
    shares = np.asarray(mesh.get_array()).reshape(50, 2)
    assert (shares[25, 0], shares[0, 1], shares[49, 1]) == (1.0, 0.75, 0.25)
    assert np.unique(mesh.get_coordinates()[..., 0]).tolist() == [50, 200, 400]


def test_the_histogram_now_has_the_share_of_each_kernel():
    steps = rho_now(KERNELS).axes[0].patches
    assert [patch.get_data().values[25] for patch in steps] == pytest.approx([1 / 6, 3 / 9, 0])


def test_a_raster_has_a_dot_for_each_spike_at_its_time():
    spikes = np.zeros((4, 3), dtype=np.int8)  # two environment steps of two substeps of 5 ms
    spikes[0, 0], spikes[3, 1], spikes[2, 2] = 1, 1, -1
    axes = raster(spikes, 2, substeps=2, dt=5.0).axes[0]
    assert lines(axes) == {EXCITATORY: ([5.0, 20.0], [0, 1]), INHIBITORY: ([15.0], [2])}
    assert axes.get_xlim() == (0, 20)


def test_a_raster_shows_the_middle_of_a_long_episode():
    steps = SHOWN_STEPS + 20
    figure = raster(np.ones((2 * steps, 1), dtype=np.int8), 1, substeps=2, dt=0.5)
    times, _ = lines(figure.axes[0])[EXCITATORY]
    assert (len(times), times[0], figure.axes[0].get_xlim()) == (2 * SHOWN_STEPS, 10.5, (10, 10 + SHOWN_STEPS))


def test_degrees_are_counted_by_kind_of_neuron():
    kernel = np.array([[1, 1, 1], [0, 0, 1], [0, 0, 1]], dtype=bool)  # out 3, 1, 1; in 1, 1, 3
    incoming, outgoing = degrees(kernel, 2).axes
    shares = [
        {int(edge + 0.5): share for edge, share in zip(patch.get_data().edges, patch.get_data().values, strict=False)}
        for axes in (incoming, outgoing)
        for patch in axes.patches
    ]
    for share, expected in zip(shares, ({1: 1.0}, {3: 1.0}, {1: 0.5, 3: 0.5}, {1: 1.0}), strict=True):
        assert {degree: value for degree, value in share.items() if value} == expected


def test_chance_is_over_the_connections_that_can_exist_in_each_kind():
    """Two of three possible connections exist: to neuron 0 all three can, and to the others none."""
    possible = np.zeros((3, 3), dtype=bool)
    possible[:, 0] = True
    kernel = possible & (np.arange(3) < 2)[:, None]
    incoming, _ = degrees(kernel, 2, possible).axes
    found = [dict(zip(*(values.tolist() for values in line.get_data()), strict=True)) for line in incoming.lines]
    excitatory = {0.0: (1 + 1 / 27) / 2, 1.0: 6 / 27 / 2, 2.0: 12 / 27 / 2}
    for chance, expected in zip(found, (excitatory, {0.0: 1.0, 1.0: 0.0}), strict=True):
        assert {degree: chance[degree] for degree in expected} == pytest.approx(expected)


def test_each_block_has_a_line_of_its_entropy_and_one_of_its_mean():
    rows = [(1, 100, "E→I", 4, 0.5, 1.0, 0.0), (1, 100, r"$\x$", 4, 0.4, 0.9, 0.0), (2, 200, "E→I", 4, 0.6, 0.8, 0.5)]
    figure = blocks_over_training(pd.DataFrame(rows, columns=BLOCK_COLUMNS))
    upper, lower = figure.axes
    assert lines(upper)[EXCITATORY] == ([100, 200], [1.0, 0.8])
    assert lines(lower)[EXCITATORY] == ([100, 200], [0.5, 0.6])
    single = next(line for line in upper.lines if list(line.get_xdata()) == [100])
    assert single.get_marker() == "o"
    assert encode(figure, "png").startswith(b"\x89PNG")


@pytest.mark.parametrize("num_excitatory", [0, 3])
def test_networks_of_one_kind_of_neuron_are_drawn(num_excitatory):
    kernel = np.eye(3, dtype=bool)
    encode(degrees(kernel, num_excitatory), "png")
    encode(raster(np.zeros((2, 3), dtype=np.int8), num_excitatory, 2, 0.5), "png")
