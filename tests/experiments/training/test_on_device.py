"""Training with physics and networks on a device of Warp: against the exact physics, as a run, and what is refused."""

import re
import shutil
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from agents import RSNN
from ec_evotorch import RolloutProblem
from envs import make_vec
from experiments.analysis import load
from experiments.cli import main
from experiments.evaluation.episodes import evaluate
from experiments.run_config.compose import compose_config
from experiments.run_folder import versions
from experiments.run_folder.policy import load_policy
from experiments.training.resume import resume
from experiments.training.run import train
from native import memory
from native.warp_device import load_warp
from tests.device import DEVICE
from tests.experiments.training.tiny_runs import interruption

pytest.importorskip("mujoco_warp", reason="MuJoCo Warp is not installed: pip install 'ec-evotorch[gpu]'")

ON_DEVICE = [f"problem.device={DEVICE}", "problem.physics=warp"]
ON_CPU = ["problem.device=cpu", "problem.physics=warp"]
WORDS = [
    "env=hopper",
    "agent.num_neurons=16",
    "searcher.popsize=4",
    "problem.num_envs=4",
    "problem.max_episode_steps=30",
    "incumbent=null",
    "budget=350",
    "eval.every=100",
    "eval.episodes=1",
    "eval.final_episodes=2",
    "checkpoint_every=1",
    "progress=false",
]


def make_problem(**settings):
    return RolloutProblem(partial(make_vec, "Hopper-v5"), RSNN, **{"num_envs": 32, "seed": 0} | settings)


def test_networks_do_on_the_device_what_they_do_in_the_exact_physics():
    expected, problem = make_problem(), make_problem(device=DEVICE, physics="warp")
    for one in (expected, problem):
        one.normalizer.update(50, np.ones((1, 11)), np.full((1, 11), 60.0))
    solutions = expected.agent.initial_solutions(64, torch.Generator().manual_seed(0))
    exact, played = expected.play(solutions, 0), problem.play(solutions, 0)
    alike = exact.lengths == played.lengths  # a spike that differs by the rounding of float32 makes another episode
    assert alike.mean() >= 0.7
    np.testing.assert_allclose(played.returns.mean(), exact.returns.mean(), rtol=0.1)
    assert np.median(np.abs(played.returns - exact.returns)[alike]) < 1e-3
    assert np.isfinite(played.returns).all()


@pytest.mark.slow
def test_episodes_in_these_physics_do_not_depend_on_the_number_of_slots():
    problems = [make_problem(device=DEVICE, physics="warp", num_envs=num_envs) for num_envs in (32, 7, 1)]
    solutions = problems[0].agent.initial_solutions(20, torch.Generator().manual_seed(1))
    played, *others = (problem.play(solutions, 0) for problem in problems)
    for other in (*others, problems[0].play(solutions, 0)):
        np.testing.assert_array_equal(other.returns, played.returns)
        np.testing.assert_array_equal(other.sums_of_squares, played.sums_of_squares)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return train(compose_config([*WORDS, *ON_DEVICE, f"run_dir={tmp_path_factory.mktemp('device') / 'run'}"]))


@pytest.fixture(scope="module")
def unbroken_es(tmp_path_factory):
    words = [*WORDS, *ON_DEVICE, "searcher=es", f"run_dir={tmp_path_factory.mktemp('device') / 'run'}"]
    return train(compose_config(words))


def test_a_run_says_what_simulated_it_and_its_policy_plays_in_the_exact_physics(unbroken):
    config = OmegaConf.load(unbroken / "config.yaml")
    assert (config.problem.device, config.problem.physics) == (DEVICE, "warp")
    assert config.versions["mujoco-warp"] == load(unbroken)["versions.mujoco-warp"].iloc[0]
    assert "physics" not in load_policy(unbroken).env
    assert np.isfinite(evaluate(unbroken, 2)["return"]).all()


@pytest.mark.parametrize(
    ("searcher", "fixture"), [("ec", "unbroken"), pytest.param("es", "unbroken_es", marks=pytest.mark.slow)]
)
def test_an_interrupted_run_ends_as_an_unbroken_one(searcher, fixture, rows, request):
    whole = request.getfixturevalue(fixture)
    with interruption(1):
        train(compose_config([*WORDS, *ON_DEVICE, f"searcher={searcher}", "run_dir=run"]))
    folder = resume(Path("run"))
    assert len(rows(whole)) > 2
    assert rows(folder).equals(rows(whole))
    assert torch.equal(load_policy(folder).policy.solution, load_policy(whole).policy.solution)


def test_without_the_extra_a_run_is_evaluated_and_says_what_resuming_needs(unbroken, monkeypatch, capsys):
    def version(package):
        if package in versions.WARP_PACKAGES:
            raise PackageNotFoundError(package)
        return "1"

    shutil.copytree(unbroken, "run")
    monkeypatch.setattr(versions, "version", version)
    for package in ("warp", "mujoco_warp"):
        monkeypatch.setitem(sys.modules, package, None)
    load_warp.cache_clear()
    try:
        assert np.isfinite(evaluate(Path("run"), 1)["return"]).all()
        before = Path("run/metrics.csv").read_bytes()
        assert main(["resume", "run", "budget=500"]) == 2
    finally:
        load_warp.cache_clear()
    said = capsys.readouterr().err
    assert f"problem.device: expected None, got {DEVICE!r}, but NVIDIA Warp is not installed: pip install" in said
    assert "Traceback" not in said
    assert Path("run/metrics.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["problem.device=cpu"], "problem.physics: expected warp with problem.device=cpu; got null"),
        (["problem.device=cpu", "+env.physics=auto"], "env.physics: expected warp with problem.device=cpu; got auto"),
        ([*ON_CPU, "problem.device=tpu"], "problem.device: expected 'cpu' or .*; got 'tpu'"),
        ([*ON_CPU, "problem.physics=brax"], "problem.physics: expected one of 'auto', 'mujoco', 'warp'; got 'brax'"),
        ([*ON_CPU, "problem.physics=mujoco"], "problem.physics: expected warp with problem.device=cpu; got mujoco"),
        ([*ON_CPU, "problem.num_actors=2"], "problem.num_actors: expected 0 with device='cpu', got 2"),
        (
            [*ON_CPU, "agent=gru", "+agent.backend=numba", "searcher=es"],
            "problem.device: agent: device: expected none with backend='numba', got 'cpu'",
        ),
        ([*ON_CPU, "env=gymnasium"], "problem.physics: expected 'mujoco' for CartPole-v1; 'warp' plays .*"),
        (["+env.physics=warp", "+env.output=torch"], "env.output: expected numpy, whose arrays .*; got torch"),
        (["problem.device=1"], "problem.device: expected 'cpu' or .*; got 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_trained_on_a_device_is_refused_in_one_line(words, message, capsys, working_directory):
    assert main(["train", *WORDS, *words, "run_dir=run"]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(f"ec-evotorch: error: {message}.*\n", said), said
    assert not list(working_directory.iterdir())


@pytest.mark.parametrize(
    ("words", "available"),
    [
        ([], 2e6),  # of MuJoCo
        (ON_CPU, 2e6),  # of MuJoCo Warp
        ([*ON_CPU, "searcher=es", "agent.num_neurons=256"], 50e6),  # of the networks, the physics would fit
    ],
    ids=["MuJoCo", "MuJoCo Warp", "networks"],
)
def test_more_slots_than_there_is_memory_for_are_refused_in_one_line(
    words, available, capsys, working_directory, monkeypatch
):
    monkeypatch.setattr(memory, "available_memory", lambda: int(available))
    assert main(["train", *WORDS, *words, "problem.num_envs=1000", "run_dir=run"]) == 2
    said = capsys.readouterr().err
    message = r"problem.num_envs: expected at most \d+, got 1,000: not enough memory, \d+.\d kB for each of them and"
    assert re.fullmatch(rf"ec-evotorch: error: {message} 0.\d GB left\n", said), said
    assert not list(working_directory.iterdir())
