"""The learning curve says what it shows."""

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from experiments.figures.single_run import learning_curve, save_learning_curve
from experiments.figures.style import BLUE, VERMILLION


def metrics(center) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "steps": [100, 200, 300],
            "mean_return": [1.0, 2.0, 3.0],
            "center_return_mean": center,
            "center_return_std": 1.0,
        }
    )


def test_the_curve_shows_the_population_and_the_evaluated_centre():
    axes = learning_curve(metrics([None, 4.0, 5.0]), "title").axes[0]
    assert [line.get_xydata().tolist() for line in axes.lines] == [
        [[100, 1.0], [200, 2.0], [300, 3.0]],
        [[200, 4.0], [300, 5.0]],
    ]


def test_a_centre_that_was_never_evaluated_is_not_in_the_legend():
    axes = learning_curve(metrics([None, None, None]), "title").axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training episodes, mean"]


def test_the_axes_are_labelled_and_the_title_is_shown():
    axes = learning_curve(metrics([3.0, 4.0, 5.0]), "hopper, seed 0").axes[0]
    assert (axes.get_xlabel(), axes.get_title()) == ("environment steps", "hopper, seed 0")
    assert "return" in axes.get_ylabel()


def test_a_run_of_one_generation_is_two_points_and_their_spread():
    figure = learning_curve(metrics([3.0, 4.0, 5.0]).head(1), "title")
    (axes,) = figure.axes
    axes.get_legend().remove()  # which has both colours
    figure.set_dpi(300)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = axes.get_window_extent()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)[::-1]
    inside = pixels[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]
    for color in (BLUE, VERMILLION):
        wanted = np.round(255 * np.array(to_rgb(color)))
        assert (np.abs(inside - wanted).max(axis=-1) <= 8).sum() >= 10
    assert axes.get_ylim()[0] <= 1 < 4 <= axes.get_ylim()[1]  # 1 in training, the centre 3 ± 1


def test_a_curve_is_saved_as_a_picture(tmp_path):
    metrics([3.0, 4.0, 5.0]).to_csv(tmp_path / "metrics.csv")
    save_learning_curve(tmp_path / "metrics.csv", tmp_path / "curve.png", "title")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
