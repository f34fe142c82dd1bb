"""Environments by id, and their wrappers, from the words of a command line to a saved policy that is evaluated."""

import json
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from omegaconf import OmegaConf

from envs import make_plain
from experiments.cli import main
from experiments.errors import UserError
from experiments.evaluation.episodes import evaluate
from experiments.run_config.build import build
from experiments.run_config.compose import compose_config
from experiments.run_config.environment import with_limit
from experiments.run_config.targets import EVERYTHING
from experiments.run_config.wrappers import folder_name, keywords_of_plain, saved_keywords
from experiments.run_folder.archive import checksum
from experiments.run_folder.policy import load_policy

TIME_AWARE = "{_target_: gymnasium.wrappers.TimeAwareObservation}"
WORDS = ["env=gymnasium", "agent.num_neurons=8", "searcher.popsize=4", "problem.num_envs=3", "problem.num_threads=1"]
ONE_LINE = ["progress=false", "eval.every=null", "eval.final_episodes=1", "budget=100", "run_dir=run"]


@pytest.mark.parametrize(
    ("env_id", "name"),
    [
        ("CartPole-v1", "CartPole-v1"),
        ("my_envs:Cart-v0", "Cart-v0"),
        ("ale_py:ALE/Pong-v5", "ALE-Pong-v5"),
        ("a b/../c", "a-b-..-c"),
        ("..", "environment"),
        ("", "environment"),
    ],
)
def test_runs_are_named_after_the_id(env_id, name):
    assert folder_name(env_id) == name
    config = compose_config(["env=gymnasium", f"env.id='{env_id}'"])
    assert config.env.name == name
    assert config.run_dir == f"runs/{name}-rsnn-ec-seed0"


def test_what_make_vec_takes_itself_does_not_reach_a_plain_environment():
    own = {"physics": "auto", "device": "cpu", "deterministic": True, "output": "numpy", "vectorization_mode": None}
    assert saved_keywords({"_target_": "envs.make_vec", "id": "Hopper-v5", "frame_skip": 2, **own}) == {
        "id": "Hopper-v5",
        "frame_skip": 2,
    }


def test_an_environment_needs_no_alive_bonus():
    assert compose_config(["env=gymnasium"]).problem.decrease_rewards_by is None
    assert compose_config(["env=hopper", "~env.alive_bonus"]).problem.decrease_rewards_by is None
    assert compose_config(["env=gymnasium", "problem.decrease_rewards_by=1"]).problem.decrease_rewards_by == 1


def test_keywords_of_another_id_are_told_with_what_has_none(capsys):
    assert main(["train", "env=hopper", "env.id=CartPole-v1", *ONE_LINE]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ec-evotorch: error: env.healthy_reward: CartPole-v1 cannot be made and played with ")
    assert error.endswith("; with env=gymnasium env.id=CartPole-v1 it gets no keywords but those that you add\n")


def test_a_wrapped_environment_is_trained_saved_evaluated_and_resumed(capsys):
    words = [*WORDS, "env.id=Pendulum-v1", "+env.g=3", f"env.wrappers=[{TIME_AWARE}]", "problem.max_episode_steps=20"]
    assert main(["train", *words, *ONE_LINE, "env.vectorization_mode=sync"]) == 0
    saved = load_policy(Path("run"))
    limit = {"_target_": "gymnasium.wrappers.TimeLimit", "max_episode_steps": 20}
    wrappers = [{"_target_": "gymnasium.wrappers.TimeAwareObservation"}, limit]
    assert saved.env == {"id": "Pendulum-v1", "max_episode_steps": None, "g": 3, "wrappers": wrappers}
    assert evaluate(Path("run"), 2)["length"].tolist() == [20, 20]
    assert main(["evaluate", "run", "--episodes", "2"]) == 0
    assert main(["resume", "run", "budget=300"]) == 0
    assert capsys.readouterr().err == ""


def test_choices_are_saved_with_their_spaces_and_played_again():
    assert main(["train", *WORDS, "env.id=FrozenLake-v1", *ONE_LINE]) == 0
    description = json.loads(Path("run/policy.json").read_text())
    assert description["format_version"] == 2
    assert description["observation_space"] == {"kind": "Discrete", "n": 16, "start": 0, "dtype": "int64"}
    assert description["env"] == {"id": "FrozenLake-v1", "max_episode_steps": None}
    policy, env = load_policy(Path("run")).policy, gymnasium.make("FrozenLake-v1")
    policy.reset(seed=1)
    assert policy(env.reset(seed=1)[0]) in env.action_space
    assert len(evaluate(Path("run"), 2)) == 2


def test_a_policy_is_not_played_where_observations_or_actions_are_others(capsys):
    assert main(["train", *WORDS, "env.id=FrozenLake-v1", *ONE_LINE]) == 0
    for env_id, said in (("Taxi-v4", "an observation of Discrete(16)"), ("CartPole-v1", "an observation of Discrete")):
        path = Path("run/policy.json")
        description = json.loads(path.read_text())
        description["env"] = {"id": env_id}
        description["sha256"] = checksum(description, Path("run/policy.safetensors").read_bytes())
        path.write_text(json.dumps(description))
        assert main(["evaluate", "run", "--episodes", "1"]) == 2
        error = capsys.readouterr().err
        assert f"env: expected {said}" in error
        assert f"for this policy; {env_id} has " in error


@pytest.mark.parametrize(
    ("wrappers", "message"),
    [
        ("3", "env.wrappers: expected a list of _target_ and keywords; got 3"),
        (
            "[gymnasium.wrappers.ClipAction]",
            r"env.wrappers\[0\]: expected the key _target_, a dotted path, and keywords",
        ),
        (
            f"[{TIME_AWARE},{{a: 1}}]",
            r"env.wrappers\[1\]: expected the key _target_, a dotted path, and keywords; got {",
        ),
        ("[{_target_: gymnasium.wrappers.ClipAction, _args_: [1]}]", "expected keywords of gymnasium.wrappers.ClipA"),
        ("[{_target_: gymnasium.wrappers.Nope}]", r"env.wrappers.0._target_: 'gymnasium.wrappers.Nope' does not exist"),
        (
            "[{_target_: gymnasium.wrappers.RescaleAction, low: 1}]",
            "env.wrappers: CartPole-v1 cannot be made and played",
        ),
    ],
)
def test_what_is_no_wrapper_is_refused_by_its_key(wrappers, message):
    with pytest.raises(UserError, match=f"{message}"):
        build(compose_config([*WORDS, f"env.wrappers={wrappers}"]), EVERYTHING)


def test_a_wrapper_of_ones_own_is_trusted_like_other_code(monkeypatch, capsys):
    name = f"own_{Path.cwd().name}"
    Path(f"{name}.py").write_text(
        "import gymnasium\nclass Louder(gymnasium.RewardWrapper):\n"
        "    def __init__(self, env, factor):\n        super().__init__(env)\n        self.factor = factor\n"
        "    def reward(self, reward):\n        return self.factor * reward\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "")
    assert main(["train", *WORDS, f"env.wrappers=[{{_target_: {name}.Louder, factor: 3}}]", *ONE_LINE]) == 0
    assert main(["evaluate", "run", "--episodes", "2"]) == 2
    said = f"expected a name in envs or gymnasium that training writes there; got '{name}.Louder'. "
    assert f"env.wrappers.0._target_: {said}" in capsys.readouterr().err
    episodes = evaluate(Path("run"), 2, trust=[name])
    np.testing.assert_array_equal(episodes["return"], 3.0 * episodes["length"])
    sys.modules.pop(name, None)


def test_a_limit_of_the_problem_is_the_outermost_wrapper_or_a_keyword():
    config = compose_config(["env=gymnasium", "problem.max_episode_steps=7"])
    assert with_limit(config, None).max_episode_steps == 7
    OmegaConf.update(config, "env.wrappers", [{"_target_": "gymnasium.wrappers.RepeatAction", "num_repeats": 2}])
    limited = OmegaConf.to_container(with_limit(config, None))
    env = make_plain(**keywords_of_plain({key: limited[key] for key in ("id", "wrappers")}))
    assert (type(env), type(env.env)) == (gymnasium.wrappers.TimeLimit, gymnasium.wrappers.RepeatAction)


def test_a_process_that_crashes_is_a_failed_run_that_goes_on(capsys, rows, monkeypatch):
    name = f"deadly_{Path.cwd().name}"
    Path(f"{name}.py").write_text(
        "import os, gymnasium\nfrom pathlib import Path\nclass Deadly(gymnasium.Wrapper):\n    count = 0\n"
        "    def step(self, action):\n        Deadly.count += 1\n"
        "        if Deadly.count > 150 and not Path('mended').exists():\n            os._exit(7)\n"
        "        return super().step(action)\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "")
    words = [*WORDS, f"env.wrappers=[{{_target_: {name}.Deadly}}]", "env.vectorization_mode=async", *ONE_LINE]
    words += ["checkpoint_every=1", "budget=400"]
    assert main(["train", *words]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "EnvProcessError: CartPole-v1: a process that played sub-environments has ended with exit code 7; " in error
    assert error.endswith("to go on when that is mended: ec-evotorch resume run\n")
    assert json.loads(Path("run/status.json").read_text())["state"] == "failed"
    assert len(rows(Path("run"))) > 0
    Path("mended").touch()
    assert main(["resume", "run", "--trust", name]) == 0
    resumed = rows(Path("run"))
    assert main(["train", *words, "overwrite=true", "env.vectorization_mode=sync"]) == 0
    assert resumed.equals(rows(Path("run")))
    sys.modules.pop(name, None)
