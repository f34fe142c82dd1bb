"""Speeds are counted per round, and compared within a round."""

import itertools
from types import SimpleNamespace

import pandas as pd
import pytest

from experiments.bench import speed, timing
from experiments.bench.timing import measure_speeds, median_ratio
from experiments.cli import main
from native.threads import default_num_threads


def test_contenders_take_turns_and_are_counted_in_their_own_steps(monkeypatch):
    clock = itertools.count()  # every look at the clock takes a second
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    calls = []

    def contender(name, steps):
        return lambda: (calls.append(name), steps)[1]

    speeds = measure_speeds({"a": contender("a", 3), "b": contender("b", 6)}, seconds=4, rounds=2)
    assert calls == ["a", "b", *"aabb", *"aabb"]  # warm-up, then two steps of a second in each turn
    assert speeds.a.tolist() == [3, 3]
    assert speeds.b.tolist() == [6, 6]


def test_a_ratio_is_taken_within_rounds():
    speeds = pd.DataFrame({"a": [10, 20, 300], "raw": [10, 40, 100]})
    assert median_ratio(speeds, "a", "raw") == 1


def test_bench_prints_and_writes_a_table(capsys, working_directory):
    words = ["bench", "environments", "--seconds", "0.01", "--num-envs", "2", "--csv", str(working_directory)]
    assert main(words) == 0
    assert "Humanoid-v5" in capsys.readouterr().out
    table = pd.read_csv(working_directory / "environments.csv")
    assert table.environment.tolist() == ["Hopper-v5", "Walker2d-v5", "Humanoid-v5"]
    assert (table["make_vec / raw"] > 0).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["nope"],
            "expected tables among environments, agents, trainings, gradients, sizes, memory, bytes, workers, "
            "clusters, device; got 'nope'",
        ),
        (["--seconds", "0"], "--seconds: expected a positive number"),
        (["--csv", "nowhere"], "--csv: 'nowhere' is not a folder"),
    ],
)
def test_bench_refuses_mistakes(capsys, words, message):
    assert main(["bench", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("asked", "threads"), [("1", 1), ("", 3)])
def test_the_bare_physics_have_as_many_threads_as_make_vec_by_default(monkeypatch, asked, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1, 2})
    made, make = [], speed.mujoco.batch.Batch
    monkeypatch.setattr(
        speed.mujoco.batch, "Batch", lambda *words, **keys: made.append(keys["nthread"]) or make(*words, **keys)
    )
    assert speed._raw_physics("Hopper-v5", 2)() == 2
    assert made == [threads] == [default_num_threads()]


def test_trainings_are_measured_with_small_populations_on_every_environment(monkeypatch):
    trained = []

    def train(words):
        trained.append(words)
        return int, SimpleNamespace(env=SimpleNamespace(close=int), status={"mean_episode_length": 9.0})

    monkeypatch.setattr(speed, "begin_training", train)
    monkeypatch.setattr(speed, "_raw_physics", lambda *arguments: int)
    monkeypatch.setattr(speed, "measure_speeds", lambda *arguments: pd.DataFrame({"raw": [4.0], "training": [2.0]}))
    rows = pd.DataFrame(speed.measure_trainings(64, 1.0))
    ours = rows[(rows.agent == "rsnn") & (rows.searcher == "ec")]
    of_environment = ours.groupby("environment").popsize.agg(list)
    assert sorted(of_environment.index) == ["Hopper-v5", "Humanoid-v5", "Walker2d-v5"]
    assert of_environment.tolist() == [[128, 32, 16]] * 3
    assert (rows["training / raw"] == 0.5).all()
    assert [words[3] for words in trained] == [f"searcher.popsize={popsize}" for popsize in rows.popsize]
