"""Speeds are counted per round, and compared within a round."""

import itertools

import pandas as pd
import pytest

from experiments.bench import timing
from experiments.bench.timing import measure_speeds, median_ratio
from experiments.cli import main


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
            "clusters; got 'nope'",
        ),
        (["--seconds", "0"], "--seconds: expected a positive number"),
        (["--csv", "nowhere"], "--csv: 'nowhere' is not a folder"),
    ],
)
def test_bench_refuses_mistakes(capsys, words, message):
    assert main(["bench", *words]) == 2
    assert message in capsys.readouterr().err
