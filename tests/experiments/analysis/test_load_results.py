"""Runs become one tidy table that loses nothing, mixes nothing in silence, and can be saved and read again."""

import re
import warnings
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from experiments.analysis.load_results import KNOWN_DTYPES, PHYSICS, RUN_DTYPES, load, run_scores, save, summary, thin
from experiments.errors import ResultsWarning, UserError
from experiments.run_folder.layout import CONFIG
from experiments.run_folder.status import write_status

CURVE = {100: 1.5, 200: None, 300: 2.5}


def test_a_row_is_a_generation_of_a_run(write_run):
    write_run("runs/a", CURVE)
    write_run("runs/b", {50: 3.0}, seed=4, method="gru-es")
    frame = load("runs")
    assert frame.run.tolist() == ["runs/a"] * 3 + ["runs/b"]
    assert frame.steps.tolist() == [100, 200, 300, 50]
    assert frame.center_return_mean.tolist()[::2] == [1.5, 2.5]
    assert frame[["method", "agent", "searcher", "seed", "budget", "popsize"]].iloc[3].tolist() == [
        *("ES-GRU", "gru", "es", 4, 50, 16)
    ]


def test_columns_have_the_documented_order_and_dtypes(write_run):
    write_run("a", CURVE)
    write_run("b", CURVE, method="lstm-ppo")
    frame = load(["a", "b"], config=["searcher.batch_size"])
    assert list(frame) == [*KNOWN_DTYPES, "searcher.batch_size"]
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        **KNOWN_DTYPES,
        "searcher.batch_size": "float64",
    }
    assert set(re.findall(r"\w+", load.__doc__)) >= set(RUN_DTYPES)
    assert frame.popsize.isna().tolist() == [False] * 3 + [True] * 3


def test_a_real_run_is_read_to_the_bit(finished_run):
    frame, written = load(finished_run), pd.read_csv(finished_run / "metrics.csv", dtype=str)
    for column in ("mean_return", "center_return_mean", "elapsed_seconds"):
        assert frame[column].dropna().tolist() == [float(cell) for cell in written[column].dropna()]
    assert frame.finished.all()
    assert frame["versions.mujoco"].notna().all()


@pytest.mark.parametrize("sources", ["runs/**", "runs/*/*", "runs", ["runs/x", "runs/y/b"], "*", ["runs", "runs/**"]])
def test_globs_folders_and_lists_find_each_run_once(write_run, sources):
    write_run("runs/x/a", CURVE)
    write_run("runs/y/b", CURVE, seed=1)
    assert load(sources).run.unique().tolist() == ["runs/x/a", "runs/y/b"]


def test_hidden_folders_are_not_searched(write_run):
    write_run("runs/a", CURVE)
    write_run("runs/.sweeps/b", CURVE)
    assert load("runs").run.unique().tolist() == ["runs/a"]


@pytest.mark.parametrize("source", ["runs", "runs/*", "nowhere"])
def test_where_nothing_is_one_line_says_so(working_directory, source):
    (working_directory / "runs" / "empty").mkdir(parents=True)
    with pytest.raises(UserError, match=r"found no run in runs|'nowhere': there is no such folder or file"):
        load(source)


def test_a_search_names_what_it_leaves_out(write_run):
    write_run("runs/a", CURVE)
    (write_run("runs/b", CURVE) / "metrics.csv").write_text("x,y\n1,2\n")
    (write_run("runs/c", CURVE) / "metrics.csv").unlink()
    with pytest.warns(ResultsWarning) as caught:
        assert load("runs").run.unique().tolist() == ["runs/a"]
    texts = [str(warning.message) for warning in caught]
    assert texts[0] == "left out: 'runs/c' has no metrics.csv"
    assert texts[1].startswith("left out: 'runs/b/metrics.csv': expected the columns of a metrics.csv")


def test_a_damaged_run_that_is_named_itself_is_an_error(write_run):
    (write_run("runs/b", CURVE) / "metrics.csv").write_text("x,y\n1,2\n")
    with pytest.raises(UserError, match=r"'runs/b/metrics\.csv': expected the columns"):
        load("runs/b")


def test_a_run_that_stopped_early_is_marked(write_run):
    write_run("a", CURVE, budget=301)
    assert load("a").finished.tolist() == [False] * 3


def test_the_state_of_a_run_is_that_of_its_status_file(write_run):
    write_status(write_run("a", CURVE, budget=1000), "failed", 300, 1000, "a reason")
    write_run("b", CURVE, seed=1, budget=1000)
    assert load(["a", "b"]).drop_duplicates("run").state.fillna("none").tolist() == ["failed", "none"]


def test_a_run_that_failed_at_once_has_one_row_with_nothing_measured(write_run):
    write_run("a", {}, budget=300)
    frame = load("a")
    assert frame[["generation", "steps", "episodes", "finished"]].to_numpy().tolist() == [[0, 0, 0, False]]
    assert frame.mean_return.isna().all()


def test_other_keys_are_joined_by_name(write_run):
    write_run("a", CURVE, "agent.surrogate.beta=2", method="rsnn-ppo")
    write_run("b", CURVE, method="lstm-ppo")
    keys = ["agent.surrogate.name", "agent.surrogate.beta", "agent.surrogate.detach_reset"]
    first, last = load(["a", "b"], config=keys)[keys].iloc[[0, -1]].itertuples(index=False, name=None)
    assert first == ("superspike", 2.0, False)
    assert pd.isna(pd.Series(last)).all()
    with pytest.raises(UserError, match=r"no run has the key 'agent\.nope'"):
        load(["a", "b"], config=["agent.nope"])


def test_keys_that_are_columns_already_and_a_single_key_can_be_asked_for(write_run):
    write_run("a", CURVE, seed=3)
    frame = load("a", config=["seed", "steps", "seed", "agent.num_neurons"])
    assert frame.equals(load("a", config="agent.num_neurons"))
    assert (frame.seed == 3).all()
    assert (frame["agent.num_neurons"] == 256).all()


def test_settings_that_environments_bring_with_them_are_no_variant(write_run):
    write_run("a", CURVE, "env=hopper")
    write_run("b", CURVE, "env=humanoid", env="Humanoid-v5")
    assert load(["a", "b"]).variant.unique().tolist() == [""]


def test_settings_that_differ_within_a_method_are_told_but_for_those_without_influence(write_run):
    write_run("a", CURVE, "problem.num_threads=2", seed=1)
    write_run("b", CURVE, "searcher.popsize=8", seed=2, budget=1000)
    write_run("c", CURVE, "problem.num_envs=7", "searcher.chunk_size=4", "eval.episodes=3", seed=3)
    write_run("d", CURVE, seed=1, method="gru-es")
    runs = load(["a", "b", "c", "d"]).drop_duplicates("run").set_index("run")
    assert runs.variant.to_dict() == {"a": "popsize=16", "b": "popsize=8", "c": "popsize=16", "d": ""}
    assert runs.settings["a"] == runs.settings["c"] != runs.settings["b"]


def test_a_setting_is_told_by_the_end_of_its_key_that_no_other_has(write_run):
    write_run("a", CURVE, seed=1, method="rsnn-ec_staged")
    changed = ["searcher.episodes.entropy_penalty=0.3", "searcher.prob_min.kernel_h=0", "searcher.batch_size=512"]
    write_run("b", CURVE, *changed, "+searcher.episodes.chunk_size=3", seed=2, method="rsnn-ec_staged")
    variant = load(["a", "b"]).set_index("run").variant["b"].iloc[0]
    assert variant == "batch_size=512, episodes.entropy_penalty=0.3, prob_min.kernel_h=0"


def test_a_run_of_an_earlier_version_has_the_settings_of_one_without_an_incumbent(write_run):
    write_run("with", CURVE, seed=1)
    write_run("without", CURVE, "incumbent=null", seed=2)
    earlier = OmegaConf.load(write_run("earlier", CURVE, "incumbent=null", seed=3) / CONFIG)
    del earlier["incumbent"]
    OmegaConf.save(earlier, Path("earlier", CONFIG))
    settings = load(["with", "without", "earlier"]).drop_duplicates("run").set_index("run").settings
    assert settings["with"] != settings["without"] == settings["earlier"]


@pytest.mark.parametrize(
    ("searcher", "key", "effect"),
    [
        ("ec", "entropy_penalty", 0.5),
        ("ec_critic", "warmup_steps", 1024),
        ("ec_critic", "prob_min_final", 1e-3),
        ("ec_critic", "anneal_steps", 1024),
        ("ec_staged", "batch_growth", 2),
        ("ppo", "anneal_steps", 1024),
    ],
)
def test_a_run_of_an_earlier_version_has_the_settings_of_one_whose_new_options_do_nothing(
    write_run, searcher, key, effect
):
    write_run("now", CURVE, f"searcher={searcher}", seed=1)
    write_run("other", CURVE, f"searcher={searcher}", f"searcher.{key}={effect}", seed=2)
    earlier = OmegaConf.load(write_run("earlier", CURVE, f"searcher={searcher}", seed=3) / CONFIG)
    del earlier.searcher[key]
    OmegaConf.save(earlier, Path("earlier", CONFIG))
    settings = load(["now", "other", "earlier"]).drop_duplicates("run").set_index("run").settings
    assert settings["other"] != settings["now"] == settings["earlier"]


def test_a_number_of_steps_is_the_same_setting_however_it_is_written(write_run):
    for name, steps in (("whole", 2000), ("float", "2e3"), ("more", "3e3")):
        write_run(name, CURVE, "searcher=ec_staged", f"searcher.critic_steps={steps}", seed=len(name))
    settings = load(["whole", "float", "more"]).drop_duplicates("run").set_index("run").settings
    assert settings["whole"] == settings["float"] != settings["more"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"mujoco": "3.3.0"},
            "Hopper-v5: runs with different mujoco are mixed, whose numbers cannot be compared: 3.3.0,",
        ),
        (
            {"warp": "4.0.0"},
            "Hopper-v5: runs with different mujoco-warp are mixed, whose numbers cannot be compared: 4.0.0, none",
        ),
        ({"env": "Hopper-v4"}, "versions of Hopper are mixed, whose numbers cannot be compared: Hopper-v4, Hopper-v5"),
        (
            {"words": ["env.healthy_reward=2"]},
            'mixed, whose numbers cannot be compared: {"healthy_reward": 1.0}, {',
        ),
    ],
)
def test_mixed_versions_of_environment_and_physics_warn(write_run, changes, message):
    write_run("a", CURVE, seed=0)
    write_run("b", CURVE, *changes.pop("words", []), seed=1, **changes)
    with pytest.warns(ResultsWarning, match=re.escape(message)):
        load(["a", "b"])
    assert PHYSICS == ("versions.mujoco", "versions.gymnasium", "versions.mujoco-warp")


@pytest.mark.parametrize("words", [["problem.device=cpu", "problem.physics=warp"], ["+env.physics=warp"]])
def test_runs_on_other_physics_are_never_averaged_with_these(write_run, words):
    write_run("exact", CURVE, seed=0)
    write_run("warp", CURVE, *words, seed=0, warp="4.0.0")
    with pytest.warns(ResultsWarning, match="mixed"):
        frame = load(["exact", "warp"])
    variants = frame.drop_duplicates("run").set_index("run").variant
    assert "physics=warp" in variants["warp"]
    assert len(summary(frame)) == 2


def test_one_version_does_not_warn(write_run):
    write_run("a", CURVE, seed=0)
    write_run("b", CURVE, seed=1, env="Walker2d-v5", mujoco="3.3.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResultsWarning)
        load(["a", "b"])


@pytest.fixture
def long_runs(write_run):
    """Runs with many generations, some evaluated; one of them stopped early, one failed at once."""
    for seed in range(3):
        steps = range(7 + seed, 2_000, 7)
        curve = {step: step / 3 if step % 200 < 7 or step > 1_985 else None for step in steps}
        write_run(f"runs/a{seed}", curve, seed=seed, budget=2_000 if seed == 2 else None)
        write_run(f"runs/b{seed}", curve if seed else {}, "searcher.popsize=8", seed=seed, budget=1_900)
    return load("runs", config=["agent.num_neurons", "agent.connections", "agent.surrogate.detach_reset"])


def test_saved_results_come_back_to_the_bit(long_runs):
    save(long_runs, "results.csv")
    assert "mujoco-warp" not in Path("results.csv").read_text()  # of no run
    again = load("results.csv")
    pd.testing.assert_frame_equal(again, thin(long_runs), check_exact=True)
    save(again, "again.csv")
    assert Path("again.csv").read_bytes() == Path("results.csv").read_bytes()


def test_thinned_rows_are_few_and_tell_the_same(long_runs):
    few = thin(long_runs)
    assert len(few) < len(long_runs) / 5
    assert few.run.nunique() == long_runs.run.nunique()
    for at_steps in (None, 1, 7, 395, 399, 400, 401, 406, 1_234, 1_899):
        for score in ("final", "last5"):
            arguments = {"at_steps": at_steps, "score": score, "threshold": 200.0}
            with warnings.catch_warnings(action="ignore", category=ResultsWarning):
                pd.testing.assert_frame_equal(run_scores(few, **arguments), run_scores(long_runs, **arguments))
                pd.testing.assert_frame_equal(summary(few, **arguments), summary(long_runs, **arguments))


def test_runs_and_saved_results_make_one_table(write_run):
    write_run("a", CURVE)
    save(load("a"), "a.csv")
    write_run("b", CURVE, seed=1)
    assert load(["b", "a.csv"]).run.unique().tolist() == ["a", "b"]
    with pytest.raises(UserError, match="run 'a' is in two of the sources"):
        load(["a", "a.csv"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "x,y\n1,2\n", "it has 'x'"),
        (lambda text: text.replace("budget", "budget.x", 1), "it lacks 'budget'"),
        (lambda text: text[:-20], "the last line is cut off"),
        (lambda text: text.replace("versions.python,", '"my.python",', 1), "the line of column names is damaged"),
        (lambda text: text.replace(",300,", ",three,"), "expected cells of int64"),
        (lambda text: text.replace("a,Hopper-v5,", "a,"), "line 2: expected "),
        (lambda text: text.replace(",True,", ",yes,"), "column 'finished': expected cells of bool"),
        (lambda text: text.partition("\n")[0] + "\n", "'results.csv' has no runs"),
        (
            lambda text: text + text.partition("\n")[2],
            "run 'a': expected a column 'generation' that never falls",
        ),
        (lambda text: text + text.splitlines()[-1] + "\n", "'results.csv', run 'a': generation 3 comes twice"),
    ],
)
def test_a_csv_file_that_is_foreign_or_damaged_is_refused_by_name(write_run, change, message):
    write_run("a", CURVE)
    save(load("a"), "results.csv")
    text = Path("results.csv").read_text()
    assert change(text) != text
    Path("results.csv").write_text(change(text))
    with pytest.raises(UserError, match=r"'results\.csv'") as error:
        load("results.csv")
    assert message in str(error.value)
    with pytest.raises(UserError, match=r"found no run in \*\.csv: 'results\.csv'"), pytest.warns(ResultsWarning):
        load("*.csv")


def test_a_metrics_file_is_not_taken_for_results(write_run):
    write_run("a", CURVE)
    with pytest.raises(UserError, match="of a run, give the folder"):
        load("a/metrics.csv")


def test_saved_results_without_a_key_say_how_to_get_it(write_run):
    write_run("a", CURVE)
    save(load("a"), "a.csv")
    with pytest.raises(UserError, match=r"'a\.csv' lacks the key 'agent\.num_neurons'"):
        load("a.csv", config=["agent.num_neurons"])


@pytest.mark.parametrize(
    ("path", "message"), [("a.parquet", r"ends in \.csv"), ("no/a.csv", "cannot write 'no/a.csv'")]
)
def test_results_are_saved_as_csv_where_they_can_be(write_run, path, message):
    write_run("a", CURVE)
    with pytest.raises(UserError, match=message):
        save(load("a"), path)
