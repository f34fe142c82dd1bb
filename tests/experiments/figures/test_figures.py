"""Figures show what was measured and no more, fit their column, and can be read."""

import itertools
import warnings
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from experiments.analysis.load_results import load
from experiments.cli import main
from experiments.errors import ResultsWarning, UserError
from experiments.figures import style
from experiments.figures.bars import bars
from experiments.figures.curves import curve_points, curves
from experiments.figures.heat_map import SURROGATE_KEYS, heat_map, heat_map_cells
from experiments.figures.style import SMALL, WIDTH, method_styles


@pytest.fixture
def many_methods(write_run):
    """Nine methods in two environments, one seed or three each, one with a long name, one unfinished."""
    for env in ("Hopper-v5", "Humanoid-v5"):
        for number, agent in enumerate(("rsnn", "rnn", "gru", "lstm", "rsnn_sign")):
            for searcher in ("es", "ppo"):
                for seed in range(3 if number % 2 else 1):
                    curve = {100 * (t + 1) + seed: 1000.0 * t + 10 * number + seed for t in range(9)}
                    folder = f"runs/{env}-{agent}-{searcher}{seed}"
                    write_run(folder, curve, seed=seed, method=f"{agent}-{searcher}", env=env, budget=900)
    write_run("runs/sigma", {100: 1.0, 900: 7.0}, "searcher.stdev=0.123456789", method="rsnn-es")
    write_run("runs/stopped", {100: 1.0, 200: 7.0}, method="rsnn-snes", budget=900)
    with warnings.catch_warnings(action="ignore", category=ResultsWarning):
        return load("runs")


@pytest.fixture
def long_names(write_run):
    """Methods whose labels take one line, or several, or have no place to break."""
    for env in ("Hopper-v5", "Humanoid-v5"):
        for number, stdev in enumerate((0.123456789, 0.2, 0.3)):
            words = [f"searcher.stdev={stdev}", f"searcher.popsize={2 * number + 8}", "searcher.weight_decay=0.001"]
            write_run(f"long/{env}-{number}", {500: 1.0, 1000: 30.0 * number}, *words, method="rnn-es", env=env)
        write_run(f"long/{env}-other", {500: 1.0, 1000: 9.0}, "searcher.weight_decay=0.25", method="rnn-es", env=env)
        write_run(f"long/{env}-ec", {500: 1.0, 1000: 99.0}, env=env)
        write_run(f"long/{env}-gru", {500: 1.0}, method="gru-es", env=env, budget=1000)
        for method in ("rsnn-snes", "rnn-ec", "lstm-es", "rsnn-es", "rsnn-pgpe", "rsnn-cem", "lstm-ppo"):
            write_run(f"long/{env}-{method}", {500: 1.0, 1000: 2.0}, method=method, env=env)
    frame = load("long")
    return frame.assign(method=frame.method.replace("SNES-RSNN", "a_searcher_with_one_very_long_word_in_it-RSNN"))


def test_a_curve_goes_straight_from_evaluation_to_evaluation(write_run):
    write_run("a", {100: 0.0, 150: None, 200: 10.0, 300: 30.0})
    points = curve_points(load("a"))
    assert points.x.iloc[[0, -1]].tolist() == [100, 300]
    assert points.value.tolist() == np.interp(points.x, [100, 200, 300], [0, 10, 30]).tolist()
    assert points[["low", "high"]].isna().all(axis=None)


def test_a_curve_lies_where_all_seeds_have_one(write_run):
    write_run("a", {100: 0.0, 200: 10.0, 300: 30.0}, seed=0)
    write_run("b", {120: 2.0, 220: 12.0}, seed=1)
    points = curve_points(load(["a", "b"]))
    first, last = points.iloc[0], points.iloc[-1]
    assert (first.x, first.value, first.low, first.high, first.n) == (120, 2, 2, 2, 2)
    assert (last.x, last.value, last.low, last.high) == (220, (14 + 12) / 2, 12, 14)
    assert points.attrs["band"] == "range"


@pytest.mark.parametrize(("x", "ends"), [("steps", [100, 300]), ("seconds", [1, 4]), ("generations", [1, 4])])
def test_curves_run_over_steps_seconds_or_generations(write_run, x, ends):
    write_run("a", {100: 0.0, 150: None, 200: 10.0, 300: 30.0})
    assert curve_points(load("a"), x).x.iloc[[0, -1]].tolist() == ends
    assert curve_points(load("a"), x, returns="training").value.iloc[-1] == 300 / 7


def test_four_seeds_have_an_interval_and_three_their_range(write_run):
    for seed, final in enumerate((0.0, 0.0, 0.0, 8.0)):
        write_run(f"r{seed}", {100: 0.0, 200: final}, seed=seed)
    four, three = curve_points(load("r*")).iloc[-1], curve_points(load("r[1-3]")).iloc[-1]
    assert (four.value, four.low, four.high) == (2, 0, 6)  # three eights of four have a chance of 4.7 %, four of 0.4 %
    assert (three.low, three.high) == (0, 8)
    assert curve_points(load("r*"), statistic="iqm").value.iloc[-1] == 0
    assert curve_points(load("r*"), statistic="median").value.iloc[-1] == 0


def test_the_last_evaluation_of_a_run_that_early_stop_ended_holds_as_long_as_the_others(write_run):
    write_run("a", {100: 0.0, 200: 10.0, 300: 30.0}, seed=0)
    ended = write_run("b", {100: 2.0, 200: 12.0}, seed=1, budget=300)
    (ended / "status.json").write_text('{"state": "finished"}')
    points = curve_points(load(["a", "b"]))
    assert (points.x.iloc[-1], points.value.iloc[-1]) == (300.0, 21.0)
    assert curve_points(load(["a", "b"]), returns="training").x.iloc[-1] == 200.0


def test_runs_that_stopped_early_do_not_cut_a_curve_short(write_run):
    write_run("a", {100: 0.0, 300: 30.0}, seed=0)
    write_run("b", {100: 0.0, 200: 12.0}, seed=1, budget=300)
    with pytest.warns(ResultsWarning, match="EC-RSNN: 1 of 2 runs have not reached their budget: left out"):
        assert curve_points(load(["a", "b"])).iloc[-1][["x", "value", "n"]].tolist() == [300, 30, 1]
    with pytest.warns(ResultsWarning, match="1 of 1 runs have not reached their budget: drawn as far as all go"):
        assert curve_points(load("b")).x.iloc[-1] == 200


def test_where_nothing_was_measured_nothing_is_drawn(write_run):
    write_run("a", {100: None})
    with pytest.raises(UserError, match="nothing to draw: no run has a return of the centre"):
        curves(load("a"))


@pytest.mark.filterwarnings("ignore::experiments.errors.ResultsWarning")
def test_runs_with_one_evaluation_each_at_other_steps_have_no_curve(write_run, capsys):
    write_run("a/0", {100: 1.0}, seed=0)
    write_run("a/1", {101: 1.0}, seed=1, budget=100)
    with pytest.raises(UserError, match="no two runs of a method overlap, having too few rows with a return of the"):
        curves(load("a"))
    assert main(["plot", "a"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2].endswith("warning: Hopper-v5, EC-RSNN: left out, its runs do not overlap")
    assert lines[-1].startswith("ec-evotorch: error: nothing to draw")


@pytest.mark.parametrize("argument", [{"x": "y"}, {"statistic": "max"}, {"returns": "best"}, {"band": "wide"}])
def test_bad_arguments_of_curves_are_named(write_run, argument):
    write_run("a", {100: 1.0})
    (name,) = argument
    with pytest.raises(UserError, match=f"{name}: expected"):
        curve_points(load("a"), **argument)


def test_no_two_of_many_methods_look_alike():
    styles = method_styles(f"method {number}" for number in range(28))
    assert len({(style["color"], str(style["linestyle"])) for style in styles.values()}) == 28
    assert len({style["marker"] for name, style in styles.items()}) == 7


@pytest.fixture
def surrogates(write_run):
    """Surrogates with one seed or two, some of which failed, stopped, or were not tried."""
    for name, beta, gamma, curve in (
        ("superspike", 1, 1.0, {}),
        ("superspike", 10, 1.0, {50: 1.0, 100: 4.0}),
        ("piecewise_linear", 0.5, 0.8, {50: 1.0}),
        ("piecewise_linear", 10, 0.8, {50: 1.0, 100: 400.0}),
    ):
        words = [f"agent.surrogate.{key}={value}" for key, value in (("name", name), ("beta", beta), ("gamma", gamma))]
        for seed in (0, 1):
            part = curve if seed == 0 or beta == 10 else {}
            write_run(f"s/{name}-{beta}-{seed}", part, *words, seed=seed, method="rsnn-ppo", budget=100)
    write_run("s/ec", {100: 1.0})
    return load("s", config=SURROGATE_KEYS)


def test_a_heat_map_by_hand(surrogates):
    cells = heat_map_cells(surrogates).set_index(["surrogate", "gamma", "beta"])
    assert cells.loc[("superspike", 1.0, 10.0), ["value", "n", "runs", "failed"]].tolist() == [4, 2, 2, False]
    assert cells.loc[("superspike", 1.0, 1.0), ["n", "runs", "failed"]].tolist() == [0, 2, True]
    assert cells.loc[("piecewise_linear", 0.8, 0.5), ["n", "runs", "failed"]].tolist() == [0, 2, False]
    assert len(cells) == 4
    states = surrogates.assign(state=surrogates.state.mask(surrogates.run.str.contains("linear-0.5"), "failed"))
    assert heat_map_cells(states).failed.sum() == 2
    texts = [text.get_text() for text in heat_map(surrogates).axes[0].texts]
    assert sorted(texts) == ["4\nn = 2", "400\nn = 2", "failed\nn = 0 of 2", "stopped\nn = 0 of 2"]


def test_cells_without_a_result_are_hatched(surrogates):
    assert sorted(bool(patch.get_hatch()) for patch in heat_map(surrogates).axes[0].patches) == [
        False,
        False,
        True,
        True,
    ]


def test_finished_runs_with_too_few_evaluations_are_not_called_stopped(surrogates):
    figure = heat_map(surrogates, score="last5")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(texts) == ["failed\nn = 0 of 2", "stopped\nn = 0 of 2", *["too few\nn = 0 of 2"] * 2]
    assert figure.get_supxlabel().startswith("mean of the centre's last five evaluations")
    (axes,) = bars(surrogates[surrogates.run == "s/ec"], score="last5").axes
    assert [text.get_text() for text in axes.texts] == ["too few evaluations"]


def test_a_heat_map_mixes_no_settings(write_run):
    write_run("a", {100: 1.0}, seed=0, method="rsnn-ppo")
    write_run("b", {100: 1.0}, "searcher.clip=0.1", seed=1, method="rsnn-ppo")
    with pytest.raises(UserError, match="differ in other settings too: a, b; give fewer"):
        heat_map(load(["a", "b"], config=SURROGATE_KEYS))


def test_a_heat_map_needs_surrogates(write_run):
    write_run("a", {100: 1.0})
    with pytest.raises(UserError, match=r"needs agent\.surrogate\.name"):
        heat_map(load("a"))
    with pytest.raises(UserError, match="needs runs with surrogate gradients"):
        heat_map(load("a", config=SURROGATE_KEYS))


def test_a_map_of_failures_only_can_be_drawn(write_run):
    write_run("a", {}, method="rsnn-ppo", budget=100)
    assert [text.get_text() for text in heat_map(load("a", config=SURROGATE_KEYS)).axes[0].texts] == ["failed"]


def test_bars_show_every_seed_and_the_interval(write_run):
    for seed, final in enumerate((1.0, 2.0, 6.0)):
        write_run(f"r{seed}", {100: final}, seed=seed)
    write_run("s", {50: 1.0}, method="gru-es", budget=100)
    axes = bars(load("*")).axes[0]
    assert [patch.get_width() for patch in axes.patches] == [3]
    interval, dots = axes.lines[:2]
    assert interval.get_xdata().tolist() == [1, 6]
    assert sorted(dots.get_xdata()) == [1, 2, 6]
    assert [text.get_text() for text in axes.texts] == ["no run got there"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["EC-RSNN (3)", "ES-GRU (0)"]


@pytest.fixture
def drawn_texts(monkeypatch):
    """Renders a figure and returns every text that was drawn, with its box in pixels."""
    drawn, draw = [], Text.draw
    monkeypatch.setattr(Text, "draw", lambda text, renderer: (drawn.append(text), draw(text, renderer)))

    def render(figure):
        drawn.clear()
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return [(text, text.get_window_extent(canvas.get_renderer())) for text in drawn if text.get_text()]

    return render


def drawings(frame, surrogates, long_names):
    return {
        "curves": curves(frame),
        "seconds": curves(frame, "seconds", "iqm", "training", "interval"),
        "bars": bars(frame, "iqm"),
        "map": heat_map(surrogates),
        "curves of long names": curves(long_names),
        "bars of long names": bars(long_names),
    }


@pytest.mark.filterwarnings("ignore::experiments.errors.ResultsWarning")
def test_every_letter_lies_within_the_column_and_has_seven_points(many_methods, surrogates, long_names, drawn_texts):
    for name, figure in drawings(many_methods, surrogates, long_names).items():
        texts = drawn_texts(figure)
        assert figure.get_figwidth() == WIDTH
        assert len(texts) > 5
        for text, box in texts:
            assert text.get_fontsize() >= SMALL
            outside = [box.x0 < 0, box.y0 < 0, box.x1 > figure.bbox.x1, box.y1 > figure.bbox.y1]
            assert not any(outside), (name, text.get_text())


@pytest.mark.filterwarnings("ignore::experiments.errors.ResultsWarning")
@pytest.mark.parametrize("words", [[], ["--x", "seconds"], ["--kind", "bars"], ["--kind", "heatmap"]])
def test_the_command_draws_png_and_svg(surrogates, working_directory, capsys, words):
    assert main(["plot", "s", *words, "--output", "a.png"]) == 0
    assert (working_directory / "a.png").read_bytes().startswith(b"\x89PNG")
    for name in ("a.svg", "b.svg"):
        assert main(["plot", "s", *words, "--output", name]) == 0
    assert capsys.readouterr().out == "a.png\na.svg\nb.svg\n"
    assert (working_directory / "a.svg").read_bytes() == (working_directory / "b.svg").read_bytes()
    image = ElementTree.parse(working_directory / "a.svg").getroot()
    assert image.attrib["width"] == f"{72 * WIDTH}pt"
    assert any("β" in (text.text or "") or "centre" in (text.text or "") for text in image.iter())


def inked(figure, color, within=None) -> int:
    """Returns how many pixels of a rendered figure, or of a part of it, have a colour."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    if within is not None:
        box = within.get_window_extent()
        pixels = pixels[int(len(pixels) - box.y1) : int(len(pixels) - box.y0), int(box.x0) : int(box.x1)]
    wanted = np.round(255 * np.array(to_rgb(color))).astype(int)
    return int((np.abs(pixels - wanted).max(axis=-1) <= 8).sum())


@pytest.mark.parametrize("returns", ["centre", "training"])
def test_a_run_with_one_evaluation_is_a_point_that_can_be_seen(write_run, returns):
    write_run("a", {1000: 50.0})
    figure = curves(load("a"), returns=returns)
    assert inked(figure, style.BLUE, figure.axes[0]) >= 20


def test_several_runs_with_one_evaluation_show_how_far_they_lie_apart(write_run):
    write_run("a", {1000: 50.0}, seed=0)
    alone = curves(load("a"))
    write_run("b", {1000: 90.0}, seed=1)
    both = curves(load(["a", "b"]))
    assert both.axes[0].get_ylim()[0] < 50 < 90 < both.axes[0].get_ylim()[1]
    assert inked(both, style.BLUE, both.axes[0]) > 2 * inked(alone, style.BLUE, alone.axes[0])


def test_a_line_has_its_markers_whatever_its_length(write_run):
    write_run("a", {1000: 50.0, 2000: 60.0})
    line = curves(load("a")).axes[0].lines[0]
    assert (line.get_marker(), line.get_markevery()) == ("o", 0.12)


@pytest.mark.filterwarnings("ignore::experiments.errors.ResultsWarning")
def test_labels_of_bars_do_not_cover_one_another(long_names):
    figure = bars(long_names)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axes in figure.axes:
        boxes = [label.get_window_extent(canvas.get_renderer()) for label in axes.get_yticklabels()]
        assert len(boxes) == 13
        assert max(label.get_text().count("\n") for label in axes.get_yticklabels()) >= 2
        boxes.sort(key=lambda box: -box.y1)
        assert all(upper.y0 >= lower.y1 for upper, lower in itertools.pairwise(boxes))
