"""Pictures of the analysis show what is in its tables."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from experiments.figures.neuroscience import COLOR_OF_KIND, lesions, spectrum, switching, tuning, z_scores
from experiments.figures.style import encode

NEURONS = pd.DataFrame(
    {
        "neuron": [0, 1, 2],
        "kind": ["E", "E", "I"],
        "phase": [0.5, 1.0, -2.0],
        "vector_strength": [0.9, 0.1, 0.6],
        "tuning_p_holm": [0.001, 0.9, 0.01],
        "go_rate": [10.0, 20.0, 30.0],
        "nogo_rate": [5.0, 20.0, 0.0],
        "switching_p_holm": [0.01, 1.0, np.nan],
    }
)
LESIONS = pd.DataFrame(
    [
        ("intact", "", 0, 200.0, 0.0, 0.0, 0.0),
        ("neuron", "0", 3, 150.0, 50.0, 40.0, 60.0),
        ("neuron", "2", 3, 100.0, 100.0, 80.0, 120.0),
        ("block", "E→E", 9, 200.0, 0.0, -10.0, 10.0),
    ],
    columns=["kind", "name", "changed", "mean_return", "lost", "low", "high"],
)


def structure(*z):
    rows = [("θ*", "Bernoulli", f"m{number}", value) for number, value in enumerate(z)]
    return pd.DataFrame(rows, columns=["network", "null", "measure", "z"])


def points(axes):
    return [(*line.get_xdata(), *line.get_ydata()) for line in axes.lines if line.get_marker() == "o"]


def test_z_scores_stand_on_the_line_of_their_measure():
    (axes,) = z_scores(structure(1.0, np.nan, -3.0)).axes
    (line,) = axes.lines
    assert (line.get_xdata().tolist(), list(line.get_ydata())) == ([1.0, -3.0], [0, 2])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["m0", "m1", "m2"]
    assert axes.get_xscale() == "linear"


@pytest.mark.parametrize(("z", "ticks"), [([40.0], [-20, -10, -5, 0, 5, 10, 20]), ([1.0], [-2, -1, 0, 1, 2])])
def test_ticks_of_z_are_round_and_within_the_picture(z, ticks):
    (axes,) = z_scores(structure(*z)).axes
    assert axes.get_xticks().tolist() == ticks
    assert axes.get_xlim()[1] > ticks[-1]


def test_lost_shares_are_of_the_intact_return_in_the_colour_of_the_kind():
    above, below = lesions(LESIONS, NEURONS).axes
    assert points(above)[:2] == [(0, 0.5), (1, 0.25)]  # most is lost without neuron 2
    colors = [line.get_color() for line in above.lines if line.get_marker() == "o"][:2]
    assert colors == [COLOR_OF_KIND["I"], COLOR_OF_KIND["E"]]
    assert points(below) == [(0.0, 0)]


def test_what_is_lost_of_a_return_below_0_is_in_its_own_units():
    table = LESIONS.assign(mean_return=LESIONS.mean_return - 1000)
    above, below = lesions(table, NEURONS).axes
    assert points(above)[:2] == [(0, 100), (1, 50)]
    assert (above.get_ylabel(), below.get_xlabel()) == ("return lost", "return lost")
    assert above.yaxis.get_major_formatter()(50.0) != "5000%"


def test_neurons_without_a_clear_phase_or_switch_are_open_circles():
    for figure in (tuning(NEURONS), switching(NEURONS)):
        filled = [line for line in figure.axes[0].lines if line.get_marker() == "o" and len(line.get_xdata())]
        assert sum(len(line.get_xdata()) for line in filled) == 3
        assert {line.get_markerfacecolor() == "none" for line in filled} == {True, False}


def test_the_labels_of_lesions_lie_within_the_picture_beside_long_names():
    figure = lesions(LESIONS.replace({"name": {"E→E": "fifth 1, |ρ−½| 0.0001 to 0.46"}}), NEURONS)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert any("fifth 1" in text.get_text() for text in figure.axes[1].get_yticklabels())
    for axes in figure.axes:
        box = axes.xaxis.label.get_window_extent(canvas.get_renderer())
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1


def test_all_pictures_can_be_drawn():
    eigenvalues = pd.DataFrame({"real": [1.0, -1.0], "imaginary": [0.0, 0.5], "singular_value": [2.0, 1.0]})
    for figure in (z_scores(structure(1.0)), spectrum(eigenvalues), lesions(LESIONS), tuning(NEURONS)):
        assert encode(figure, "png").startswith(b"\x89PNG")
