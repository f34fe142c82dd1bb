"""The pixels of a network's activity: every spike is seen at its time and neuron, and nothing else is."""

import numpy as np
import pytest

from agents import GRU, RNN, RSNN
from experiments.figures.network import EXCITATORY, INHIBITORY
from experiments.video.activity import BACKGROUND, NEUTRAL, ActivityScroll, Band, bands_of

BLUE, NOTHING = (0x00, 0x72, 0xB2), tuple(BACKGROUND)
BAND = Band("spikes", 4, EXCITATORY)
STEPS_PER_SECOND = 10


def network(connections="boolean", neurons=4, **given):
    return RSNN(3, 2, num_neurons=neurons, connections=connections, step_duration=1.0, dt=0.5, **given)


def scroll(width, agent=None, steps_per_second=STEPS_PER_SECOND):
    return ActivityScroll(agent or network(), steps_per_second, width)


def marked(picture):
    """Returns (row, column) of the pixels that are not background."""
    return {(int(row), int(column)) for row, column in np.argwhere((picture != BACKGROUND).any(axis=2))}


def test_a_spike_is_a_pixel_at_the_right_that_moves_to_the_left():
    panel = scroll(60)  # 60 samples, of 2 substeps in each of the 10 steps per second: a pixel each
    assert panel.seconds == pytest.approx(3.0)
    spikes = np.zeros((2, 4), np.int8)
    spikes[1, 2] = -1
    panel.add(spikes)
    assert marked(panel.picture(0, BAND, 4)) == {(2, 59)}
    panel.add(np.zeros((2, 4), np.int8))
    assert marked(panel.picture(0, BAND, 4)) == {(2, 57)}
    panel.clear()
    assert marked(panel.picture(0, BAND, 4)) == set()


def test_bands_have_their_own_neurons():
    panel = scroll(60)
    panel.add(np.array([[1, 0, 0, 0], [0, 0, 0, -1]], np.int8))
    assert marked(panel.picture(0, Band("", 2, EXCITATORY), 2)) == {(0, 58)}
    assert marked(panel.picture(2, Band("", 2, INHIBITORY), 2)) == {(1, 59)}


def test_several_spikes_in_a_pixel_are_darker_up_to_the_full_colour():
    panel = scroll(20)  # 60 samples in 20 pixels
    assert panel.seconds == pytest.approx(3.0)
    panel.add(np.array([[1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 1, 0]], np.int8))
    newest = panel.picture(0, BAND, 4)[:, -1].astype(int)
    assert tuple(newest[2]) == BLUE
    assert tuple(newest[3]) == NOTHING
    assert newest[0, 0] > newest[1, 0] > newest[2, 0]


def test_what_was_drawn_only_moves():
    """No column changes after its time has passed, so that the picture does not flicker."""
    panel, columns, rng = scroll(20), [], np.random.default_rng(0)
    for step in range(1, 60):
        panel.add(rng.integers(0, 2, (2, 4)).astype(np.int8))
        if step % 3 == 0:  # 6 samples: two whole pixels
            picture = panel.picture(0, BAND, 4)
            columns.extend(picture[:, -2:].transpose(1, 0, 2))
            np.testing.assert_array_equal(picture[:, -len(columns) :], np.array(columns[-20:]).transpose(1, 0, 2))


def test_a_sample_may_be_several_pixels_wide():
    panel = scroll(180)
    assert panel.seconds == pytest.approx(3.0)
    panel.add(np.array([[0, 0, 0, 0], [1, 0, 0, 0]], np.int8))
    assert marked(panel.picture(0, BAND, 4)) == {(0, 177), (0, 178), (0, 179)}


@pytest.mark.parametrize("width", [17, 60, 307, 1000])
@pytest.mark.parametrize("steps_per_second", [4, 20, 125])
def test_the_panel_has_its_size_and_spans_at_least_a_second(width, steps_per_second):
    panel = scroll(width, steps_per_second=steps_per_second)
    panel.add(np.ones((2, 4), np.int8))
    assert panel.picture(0, BAND, 31).shape == (31, width, 3)
    assert panel.seconds >= 1.0


def test_every_neuron_is_seen_with_a_gap_if_there_is_room():
    panel = scroll(60)
    panel.add(np.ones((2, 4), np.int8))
    rows = {row for row, _ in marked(panel.picture(0, BAND, 20))}
    assert rows == {row for row in range(20) if row % 5 != 4}
    assert {row for row, _ in marked(panel.picture(0, BAND, 9))} == set(range(9))


def test_hidden_units_are_orange_below_zero_and_blue_above():
    panel = scroll(60, GRU(3, 2, num_neurons=4))
    panel.add(np.array([[-1.0, 0.0, 0.5, 1.0]], np.float32))
    newest = panel.picture(0, bands_of(GRU(3, 2, num_neurons=4))[0], 4)[:, -1].astype(int)
    assert tuple(newest[0]) == (0xD5, 0x5E, 0x00)
    assert tuple(newest[1]) == NOTHING
    assert tuple(newest[3]) == BLUE
    assert newest[1, 0] > newest[2, 0] > newest[3, 0]


@pytest.mark.parametrize(
    ("agent", "bands"),
    [
        (network(), [("excitatory", 2, EXCITATORY), ("inhibitory", 2, INHIBITORY)]),
        (network("sign", excitatory_ratio=0.75), [("excitatory", 3, EXCITATORY), ("inhibitory", 1, INHIBITORY)]),
        (network(excitatory_ratio=1.0), [("excitatory", 4, EXCITATORY)]),
        (network(excitatory_ratio=0.0), [("inhibitory", 4, INHIBITORY)]),
        (network("real"), [("spikes", 4, EXCITATORY)]),
        (RNN(3, 2, num_neurons=5), [("hidden units: −1 orange, 1 blue", 5, NEUTRAL)]),
    ],
)
def test_bands_are_the_kinds_of_units_that_an_agent_has(agent, bands):
    assert [(band.name, band.units, band.color) for band in bands_of(agent)] == bands
