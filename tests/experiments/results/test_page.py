"""RESULTS.md shows what the committed results say: its tables and figures are made again and compared."""

import pytest
from matplotlib.testing.compare import compare_images

from experiments.analysis.method_label import method_label
from experiments.errors import UserError
from experiments.figures.style import encode
from experiments.results.page import FIGURES, LONGER_STEPS, PAGE, figures, fill, read_results, tables
from experiments.run_config.compose import compose_config, compose_sweep

SAME_PICTURE = 3.0  # root mean square of the differences of pixels, of 255


@pytest.fixture(scope="module")
def results():
    return read_results()


def test_every_method_was_run_in_both_environments_with_three_seeds_to_the_end(results):
    frame = results.comparison
    runs = [dict(word.split("=", 1) for word in run) for run in compose_sweep(["experiment=comparison"])[1]]
    env_ids = {name: compose_config([f"env={name}"]).env.id for name in {run["env"] for run in runs}}
    composed = {name: compose_config([f"method={name}"]) for name in {run["method"] for run in runs}}
    labels = {name: method_label(config.agent, config.searcher) for name, config in composed.items()}
    asked = {(env_ids[run["env"]], labels[run["method"]], int(run["seed"])) for run in runs}
    assert len(asked) == 2 * 13 * 3
    assert set(frame[["environment", "method", "seed"]].itertuples(index=False, name=None)) == asked
    assert frame.finished.all()
    assert (frame.budget == 1_000_000).all()
    assert frame.groupby(["environment", "method"]).settings.nunique().max() == 1


def test_longer_runs_have_three_seeds_finished_and_the_settings_of_the_comparison(results):
    longer = results.longer
    assert longer.finished.all()
    assert set(longer.budget) == set(LONGER_STEPS.values())
    assert "EC-RSNN" in set(longer.method[longer.budget == longer.budget.max()])
    seeds = longer.groupby("method").seed.unique().map(sorted)
    assert seeds.map(lambda of_method: of_method == [0, 1, 2]).all()
    assert set(longer.settings) <= set(results.comparison.settings)
    assert longer.groupby("method").budget.nunique().max() == 1


def test_the_other_surrogate_has_three_seeds_finished_and_differs_in_the_surrogate_alone(results):
    frame = results.surrogate
    assert frame.finished.all()
    assert (frame.budget == 1_000_000).all()
    assert sorted(frame.seed.unique()) == [0, 1, 2]
    assert set(frame.method) == {"SG-RSNN"}
    assert set(frame.variant) == {"beta=2, gamma=0.8, name=piecewise_linear"}


def test_the_stronger_rival_has_three_seeds_finished_and_two_settings_of_its_own(results):
    frame = results.tuned
    assert frame.finished.all()
    assert (frame.budget == 1_000_000).all()
    assert frame.groupby(["environment", "method"]).seed.unique().map(sorted).tolist() == [[0, 1, 2]] * 2
    assert set(frame.method) == {"PPO-LSTM"}
    assert set(frame.variant) == {"anneal_steps=1e+06, decrease_rewards_by=0"}
    assert set(frame.settings).isdisjoint(results.comparison.settings)


def test_longer_runs_of_the_same_seed_continue_those_of_the_comparison(results):
    keys = ["method", "seed", "generation"]
    values = ["steps", "episodes", "mean_return", "best_eval", "mean_episode_length"]
    short = results.comparison[results.comparison.environment == "Hopper-v5"]
    both = short.merge(results.longer, on=keys, suffixes=("", "_longer"))
    assert len(both) > 20 * results.longer.run.nunique()
    for value in values:
        assert both[value].equals(both[f"{value}_longer"].rename(value))


def test_the_tables_of_the_page_are_those_of_the_results(results):
    page = PAGE.read_text()
    assert fill(page, tables(results)) == page, "RESULTS.md is behind its results: make results"


def test_every_figure_is_that_of_the_results_and_on_the_page(results, tmp_path):
    drawn = figures(results)
    assert sorted(path.stem for path in FIGURES.glob("*")) == sorted(drawn)
    for name, draw in drawn.items():
        made = tmp_path / f"{name}.png"
        made.write_bytes(encode(draw(), "png"))
        assert compare_images(str(FIGURES / f"{name}.png"), str(made), SAME_PICTURE) is None, "make results"
        assert f"experiments/results/figures/{name}.png" in PAGE.read_text()


def test_a_table_is_filled_in_between_its_marks_alone():
    page = "above\n<!-- begin a -->\nold\n<!-- end a -->\nbelow\n"
    filled = fill(page, {"a": "| new |\n"})
    assert filled == "above\n<!-- begin a -->\n\n| new |\n\n<!-- end a -->\nbelow\n"
    assert fill(filled, {"a": "| new |\n"}) == filled


@pytest.mark.parametrize("page", ["", "<!-- begin a -->\n", "<!-- end a -->\n<!-- begin a -->\n"])
def test_a_page_without_the_marks_is_refused(page):
    with pytest.raises(UserError, match="expected '<!-- begin a -->' and then '<!-- end a -->', each once"):
        fill(page, {"a": "b"})
