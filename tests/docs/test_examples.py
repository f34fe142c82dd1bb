"""The programs of docs/examples do what their pages say, at small sizes."""

import importlib
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from hydra.utils import instantiate
from sklearn.datasets import load_digits

from ec_evotorch import EvolvingConnectivity, Resumable, RolloutProblem
from experiments import load_policy
from experiments.cli import main
from experiments.run_config.compose import compose_config
from experiments.training.run import train

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
OWN = EXAMPLES / "own"
NO_KEYWORDS = {"name", "label", "alive_bonus", "weight_scale", "solutions"}  # keys of a YAML that are labels


@pytest.fixture
def example(monkeypatch):
    """Imports an example by the name of its file."""

    def load(name: str, folder: Path = EXAMPLES):
        monkeypatch.syspath_prepend(str(folder))
        return importlib.import_module(name)

    return load


@pytest.fixture
def own_component(example):
    """Builds a component of docs/examples/own from its YAML, as the command does."""

    def build(group: str, name: str):
        example(name, OWN)
        keys = yaml.safe_load((OWN / "conf" / group / f"{name}.yaml").read_text())
        assert keys["name"] == name
        return instantiate({key: value for key, value in keys.items() if key not in NO_KEYWORDS})

    return build


def test_every_example_has_a_test():
    source = Path(__file__).read_text()
    assert [path.stem for path in EXAMPLES.rglob("*.py") if f'"{path.stem}"' not in source] == []


def test_onemax_is_solved(example):
    assert example("onemax").main().sum() >= 198


def test_selected_features_are_better_than_all(example):
    best, center = example("feature_selection").main(generations=3, popsize=10)
    assert best > 0.9  # all 30 features: 0.900
    assert center.shape == (30,)


def test_a_pruned_network_has_a_higher_fitness_than_the_whole_one(example, monkeypatch):
    x, y = load_digits(return_X_y=True)
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda return_X_y: (x[::4], y[::4]))  # the example in seconds
    pruned, whole = example("pruning_mask").main(generations=80)
    assert pruned > whole


def test_hopper_is_trained_from_python(example):
    log, mean_return, one_return = example("train_hopper").main(generations=3, episodes=2)
    assert list(log.index) == [1, 2, 3]
    assert (log.total_interaction_count.diff().dropna() > 0).all()
    assert np.isfinite([mean_return, one_return]).all()


def test_a_run_is_trained_from_python_tells_its_scores_and_is_a_start_for_another(example, tmp_path):
    words = ["budget=1000", "agent.num_neurons=8", "searcher.popsize=4", "eval.final_episodes=2", "progress=false"]
    run = example("train_run").main(tmp_path / "run", *words)
    assert run == tmp_path / "run"
    assert run.score == pd.read_csv(run / "metrics.csv").center_return_mean.iloc[-1]
    assert (
        run.score
        == run.status["last_evaluation"]["center_return_mean"]
        == run.status["best_evaluation"]["center_return_mean"]
    )
    assert run.metrics.steps.iloc[-1] == run.status["steps"]
    searcher = example("warm_start").main(run, generations=1, num_neurons=8)
    assert searcher.problem.normalizer.count > run.status["steps"] / 2  # trials do not count


def test_a_network_with_positions_is_searched_and_its_wire_measured(example):
    searcher, wire = example("anatomy").main(generations=1, num_neurons=8)
    assert searcher.problem.solution_length < 22 * 8 + 8 * 8 + 8 * 3
    assert 0 <= wire < 8 * 8 * 0.5


def test_real_weights_are_trained_by_three_searchers(example):
    returns = example("real_weights").main(generations=2, popsize=4)
    assert len(returns) == 3
    assert np.isfinite(list(returns.values())).all()


def test_surrogate_gradients_learn(example):
    status = example("surrogate_gradients").main(iterations=1)
    assert status["total_interaction_count"] == 2048
    assert status["gradient_norm"] > 0


def test_a_module_of_ones_own_is_trained(example):
    searcher = example("own_module").main(generations=2, popsize=4)
    assert searcher.problem.agent.batched
    assert np.isfinite(searcher.status["mean_return"])


def test_a_search_goes_on_from_a_file(example, tmp_path):
    resumed, unbroken = example("save_and_resume").main(tmp_path / "search.safetensors")
    assert torch.equal(resumed, unbroken)


def test_a_search_by_optuna_goes_on_where_it_was_stopped(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny = ["env=inverted_pendulum", "budget=200", "agent.num_neurons=8", "eval.episodes=1", "eval.final_episodes=2"]
    search = example("optuna_search").main
    study = search(tmp_path / "study", 1, *tiny, "progress=false")
    stopped = study.ask()
    assert stopped.suggest_categorical("popsize", [8, 16, 32]) in (8, 16, 32)
    rate = stopped.suggest_float("rate", 0.01, 0.2, log=True)
    study = search(tmp_path / "study", 2, *tiny, "progress=false")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert study.trials[2].params["rate"] == rate
    assert len(list((tmp_path / "study").glob("popsize*"))) == 2
    assert len(search(tmp_path / "study", 2).trials) == 3  # nothing is left to do


def test_an_exported_network_hops_with_numpy_alone(example, tmp_path):
    assert main(["export", "zoo/hopper", "-o", str(tmp_path / "policy.npz"), "--seed", "3"]) == 0
    policy, by_numpy = load_policy("zoo/hopper"), example("numpy_policy").NumpyPolicy(tmp_path / "policy.npz")
    env = policy.make_env()
    observation, _ = env.reset(seed=3)
    policy.reset(3)
    for _ in range(50):
        action = policy(observation)
        np.testing.assert_allclose(by_numpy(observation), action, atol=1e-6)
        observation, *_ = env.step(action)
    by_numpy.reset(seed=4)
    assert 0 <= by_numpy.v_mem.min() < by_numpy.v_mem.max() < 1


def test_methods_are_compared_with_pandas(example):
    table, probability = example("compare_methods").main()
    assert len(table) == 13
    assert probability == 1.0  # every seed of EC is above every seed of ES on Hopper


def test_an_environment_an_agent_and_a_searcher_of_ones_own_learn_together(own_component):
    """A sign policy that pushes against position and velocity, (False, False), is the best of the four."""
    parts = {"env": "point_mass", "agent": "sign_policy", "searcher": "bit_climber"}
    env, agent, searcher = (own_component(group, name) for group, name in parts.items())
    problem = RolloutProblem(env, agent, seed=0, num_episodes=4)
    search = searcher(problem, flip_probability=0.3)
    search.run(10)
    assert search.status["center"].tolist() == [False, False]


def test_a_searcher_of_the_package_trains_an_agent_and_an_environment_of_ones_own(own_component):
    problem = RolloutProblem(own_component("env", "point_mass"), own_component("agent", "sign_policy"), seed=0)
    searcher = EvolvingConnectivity(problem, popsize=16, center_learning_rate=0.1)
    searcher.run(10)
    assert searcher.status["center"].tolist() == [False, False]


def test_a_searcher_of_ones_own_goes_on_after_an_interruption(own_component):
    def make():
        env, agent = own_component("env", "point_mass"), own_component("agent", "sign_policy")
        searcher = own_component("searcher", "bit_climber")(RolloutProblem(env, partial(agent, gain=0.1), seed=0))
        return searcher, Resumable(searcher)

    (unbroken, resumable), (resumed, other) = make(), make()
    unbroken.run(2)
    other.load_state_dict(resumable.state_dict())
    unbroken.run(2)
    resumed.run(2)
    assert torch.equal(resumed.status["center"], unbroken.status["center"])
    assert resumed.status["mean_return"] == unbroken.status["mean_return"]


def test_a_searcher_of_ones_own_names_a_wrong_argument(own_component):
    env, agent = own_component("env", "point_mass"), own_component("agent", "sign_policy")
    problem = RolloutProblem(env, agent, seed=0)
    with pytest.raises(ValueError, match="flip_probability: expected a number in"):
        own_component("searcher", "bit_climber")(problem, flip_probability=2.0)


def test_speeds_are_told_by_signal(example, tmp_path):
    words = ["env=hopper_go_nogo", "+env.shortest=2", "+env.longest=4", "agent.num_neurons=8", "searcher.popsize=2"]
    run = train(compose_config([*words, "budget=50", "eval.final_episodes=0", "progress=false", f"run_dir={tmp_path}"]))
    speeds = example("go_nogo_speeds").main(run, episodes=3)
    assert speeds.index.tolist() == ["NOGO", "GO"]
    assert (speeds.speed > 0).all()
    assert speeds.settled.isna().all()  # no interval has 50 steps
