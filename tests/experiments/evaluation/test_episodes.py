"""Evaluation plays plain Gymnasium, the same episodes whoever plays them."""

import json
import shutil

import gymnasium
import pandas as pd
import pytest

from experiments.cli import main
from experiments.evaluation.episodes import MOST_WORKERS, default_workers, episode_seed, evaluate
from experiments.run_folder.policy import load_policy


def test_an_episode_is_a_plain_gymnasium_loop(finished_run):
    policy, env, seed = load_policy(finished_run).policy, gymnasium.make("InvertedPendulum-v5"), episode_seed(3, 0)
    policy.reset(seed=seed)
    observation, _ = env.reset(seed=seed)
    total, length, over = 0.0, 0, False
    while not over:
        observation, reward, terminated, truncated, _ = env.step(policy(observation))
        total, length, over = total + reward, length + 1, terminated or truncated
    assert evaluate(finished_run, num_episodes=1, seed=3).to_dict("list") == {
        "seed": [seed],
        "return": [total],
        "length": [length],
    }


def test_a_shorter_evaluation_is_the_head_of_a_longer_one(finished_run):
    assert evaluate(finished_run, 3).equals(evaluate(finished_run, 7).head(3))


def test_another_seed_plays_other_episodes(finished_run):
    assert set(evaluate(finished_run, 4, seed=0).seed).isdisjoint(evaluate(finished_run, 4, seed=1).seed)


def test_no_episode_has_a_seed_that_training_uses():
    assert all(2**63 <= episode_seed(seed, episode) < 2**64 for seed in range(20) for episode in range(20))


@pytest.mark.parametrize(("asked", "most"), [("1", 1), ("2", 2), ("", MOST_WORKERS)])
def test_workers_are_as_many_as_episodes_and_cores_are_worth(monkeypatch, asked, most):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(64)))
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert [default_workers(count) for count in (1, 39, 40, 10_000)] == [1, 1, min(2, most), most]


def test_cores_that_the_process_may_not_use_get_no_worker(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {5})
    assert default_workers(10_000) == 1


@pytest.mark.slow
def test_the_number_of_workers_does_not_matter(finished_run):
    assert evaluate(finished_run, 12, workers=2).equals(evaluate(finished_run, 12, workers=1))


def test_the_command_reports_saves_and_exports(finished_run, working_directory, capsys):
    shutil.copytree(finished_run, working_directory / "run")
    assert main(["evaluate", "run", "--episodes", "6", "--seed", "2", "--csv", "out.csv"]) == 0
    report = json.loads((working_directory / "run" / "evaluation.json").read_text())
    episodes = pd.read_csv("out.csv")
    assert report["returns"] == episodes["return"].tolist() == evaluate(finished_run, 6, seed=2)["return"].tolist()
    assert report["return"]["mean"] == pytest.approx(episodes["return"].mean())
    assert f"{report['return']['median']:,.1f}" in capsys.readouterr().out


def test_a_damaged_policy_is_one_line_and_exit_code_2(finished_run, working_directory, capsys):
    shutil.copytree(finished_run, working_directory / "run")
    tensors = working_directory / "run" / "policy.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1])
    assert main(["evaluate", "run", "--episodes", "1"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "ec-evotorch: error: 'run': policy.safetensors or policy.json is damaged: the checksum does not fit"
    ]
