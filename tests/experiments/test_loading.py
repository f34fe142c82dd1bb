"""`load_policy`: a folder with two files plays anywhere as its run did, without Hydra."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from hydra.utils import instantiate

import experiments
from agents import ModuleAgent
from experiments import load_policy
from experiments.errors import UserError
from experiments.evaluation.episodes import play_episode
from experiments.run_config.compose import compose_config
from experiments.run_config.construct import construct
from experiments.run_config.keywords import keywords

ROOT = Path(__file__).resolve().parents[2]
PLAIN_LOOP = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("hydra", "omegaconf"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())

import experiments

assert "torch" not in sys.modules  # `import experiments` alone is light

from experiments import load_policy

returns = []
for folder in sys.argv[1:]:
    policy = load_policy(folder)
    env = policy.make_env()
    policy.reset(7)
    observation, _ = env.reset(seed=7)
    total, is_over = 0.0, False
    while not is_over:
        observation, reward, terminated, truncated, _ = env.step(policy(observation))
        total += float(reward)
        is_over = terminated or truncated
    returns.append(total)
print(returns)
"""


def played_here(folder) -> float:
    policy = load_policy(folder)
    return play_episode(policy.make_env(), policy, 7)[0]


def test_two_files_in_another_folder_play_the_same_without_hydra(finished_run, working_directory):
    copied = working_directory / "elsewhere"
    copied.mkdir()
    for name in ("policy.json", "policy.safetensors"):
        shutil.copy(finished_run / name, copied)
    (working_directory / "empty").mkdir()
    program = [sys.executable, "-c", PLAIN_LOOP, str(copied), "zoo/hopper"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(Path.home())}
    ended = subprocess.run(
        program, cwd=working_directory / "empty", env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [played_here(finished_run), played_here("zoo/hopper")]


def test_it_is_the_policy_in_the_environment_of_its_training(finished_run):
    policy = load_policy(finished_run)
    env = policy.make_env()
    assert (env.spec.id, policy.env["id"]) == ("InvertedPendulum-v5", "InvertedPendulum-v5")
    policy.reset(3)
    observation, _ = env.reset(seed=3)
    action = policy(observation)
    policy.saved.policy.reset(3)
    assert action.dtype == np.float32
    np.testing.assert_array_equal(action, policy.saved.policy(observation))


def test_further_keywords_of_the_environment_go_before_its_own():
    env = load_policy("zoo/hopper").make_env(max_episode_steps=17, healthy_reward=3.0)
    assert env.spec.max_episode_steps == 17
    assert env.spec.kwargs["healthy_reward"] == 3.0


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"id": "Walker2d-v5", "healthy_reward": 1.0}, r"env: expected an observation of shape \(11,\) .* Walker2d"),
        ({"healthy_reword": 1.0}, "env.healthy_reword: .*cannot be made and played"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused_in_one_line(keywords, message):
    with pytest.raises(UserError, match=message):
        load_policy("zoo/hopper").make_env(**keywords)


def test_a_folder_without_a_policy_is_refused_in_one_line(working_directory):
    with pytest.raises(UserError, match="holds no policy"):
        load_policy("nowhere")


def test_the_package_has_no_other_lazy_names():
    with pytest.raises(AttributeError, match="'load_polcy'"):
        _ = experiments.load_polcy


@pytest.mark.parametrize("agent", ["rsnn", "rsnn_sign", "rnn", "gru", "lstm", "evotorch_net"])
def test_an_agent_is_made_as_hydra_makes_it(agent):
    config = compose_config([f"agent={agent}", f"searcher={'ec' if agent == 'rsnn' else 'es'}"]).agent
    node = {key: value for key, value in keywords("agent", config).items() if key != "_partial_"}
    made, by_hydra = construct(node, 3, 2), instantiate({**node, "_convert_": "all"}, 3, 2)
    assert (type(made), made.parameter_shapes) == (type(by_hydra), by_hydra.parameter_shapes)
    solution = by_hydra.initial_solutions(1, torch.Generator().manual_seed(0))
    states = [one.initial_state(1) for one in (made, by_hydra)]
    actions = [
        one.step(solution, [0], np.ones((1, 3)), state) for one, state in zip((made, by_hydra), states, strict=True)
    ]
    assert torch.equal(*actions)


def test_parts_are_made_first_wherever_they_are():
    node = {"_target_": "builtins.dict", "_convert_": "all", "a": [{"b": {"_target_": "builtins.dict", "x": 1}}]}
    assert construct(node) == instantiate(node) == {"a": [{"b": {"x": 1}}]}
    module = {"_target_": "agents.ModuleAgent", "_partial_": True, "module": {"_target_": "x"}}
    made = construct({**module, "module": {"_target_": "evotorch.neuroevolution.net.str_to_net", "_partial_": True}})
    assert made.func is ModuleAgent
    assert made.keywords["module"].func.__name__ == "str_to_net"


def test_a_plain_gymnasium_loop_is_what_it_plays(finished_run):
    policy, env = load_policy(finished_run), gymnasium.make("InvertedPendulum-v5")
    assert play_episode(env, policy, 7) == play_episode(policy.make_env(), policy, 7)
