"""Whatever is wrong with an environment, one line says so of it, by the dotted key, and nothing is written."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, Text, Tuple

from ec_evotorch.rollout.components import EnvError
from experiments.cli import main
from experiments.run_config.compose import compose_config
from experiments.run_config.keywords import env_refusal, refusal
from experiments.training.run import Run


@pytest.fixture
def refused(tiny_run, capsys, monkeypatch):
    """Trains with some words, which must be refused, and returns the line that says why."""

    def refused(*words, sweep=False):
        monkeypatch.setattr(Run, "go_on", lambda run: pytest.fail("it was accepted"))
        assert main(["train", *(["-m"] if sweep else []), *tiny_run, "run_dir=run", *words]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert not Path("run").exists()
        return error.removeprefix("ec-evotorch: error: ")

    return refused


@pytest.mark.parametrize(
    "word",
    [
        "+env.frame_skip=2.5",
        "+env.frame_skip=0",
        "+env.frame_skip=-1",
        "+env.healthy_z_range=3",
        "+env.healthy_z_range=[1]",
        "+env.terminate_when_unhealthy=0.5",
        "+env.xml_file=./missing.xml",
        "+env.xml_file=/etc/passwd",
        "+env.no_such_keyword=1",
        "env.id=Hoper-v5",
        "env.alive_bonus=nan",
        "env.alive_bonus=abc",
        "env.healthy_reward=nan",
        "env.healthy_reward=.inf",
        "env.healthy_reward=null",
        "env.healthy_reward=[1,2]",
    ],
)
def test_a_keyword_of_the_environment_is_refused_by_its_key(refused, word):
    key = word.lstrip("+").partition("=")[0]
    assert refused("env=hopper", word).startswith(f"{key}: ")


def test_a_body_that_the_model_does_not_have_is_named(refused):
    assert refused("env=ant", "+env.main_body=nobody").startswith(
        "env.main_body: Ant-v5 cannot be made and played with"
    )


@pytest.mark.parametrize("value", ["0,4", "4,0"])
def test_a_sweep_with_one_such_value_says_which(refused, value):
    said = refused(f"+env.frame_skip={value}", "run_dir=run/${env.frame_skip}", sweep=True)
    assert said.startswith("env.frame_skip: InvertedPendulum-v5 cannot be made and played with frame_skip=0: ")


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        ("1e30", "seed: expected a whole number, at most 4294967295; got 1e+30"),
        ("4294967296", "seed: expected a whole number, at most 4294967295; got 4294967296"),
        ("1e3", "seed: expected a whole number, at least 0; got 1000.0, which is to be written as 1000"),
        ("-1", "seed: expected a whole number, at least 0; got -1"),
    ],
)
def test_a_seed_out_of_range_is_named_as_it_was_written(refused, seed, message):
    assert refused(f"seed={seed}") == f"{message}\n"


@pytest.mark.parametrize("limit", ["0", "2.5", "abc"])
def test_a_limit_of_steps_is_named(refused, limit):
    assert refused(f"problem.max_episode_steps={limit}").startswith(
        "problem.max_episode_steps: expected a positive whole"
    )


class Own(gymnasium.Env):
    """An environment of two numbers."""

    def __init__(self, actions=None, reward=1.0):
        self.observation_space = Box(-1.0, 1.0, (2,))
        self.action_space = {
            "text": Text(3),
            "parts": Tuple([Discrete(3), Discrete(2)]),
        }.get(actions, Box(-1.0, 1.0, (1,)))
        self._reward = reward

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        return np.zeros(2, np.float32), self._reward, True, False, {}


@pytest.fixture(autouse=True)
def own():
    gymnasium.register("Own-v0", Own, max_episode_steps=5)
    yield
    del gymnasium.registry["Own-v0"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "+env.actions=text",
            "env: Own-v0: expected an action space that is one of Box, Discrete, MultiDiscrete, Mult",
        ),
        (
            "+env.actions=parts",
            "env: Own-v0: expected an action space that is one of Box, Discrete, MultiDiscrete, MultiBinary, got "
            "Tuple(Discrete(3), Discrete(2))\n",
        ),
        (
            "+env.reward=[1.0]",
            "env.reward: Own-v0 cannot be made and played with reward=[1.0]: Own-v0: expected step to",
        ),
        (
            "+env.reward=text",
            "env.reward: Own-v0 cannot be made and played with reward='text': Own-v0: expected step to",
        ),
    ],
)
def test_ones_own_environment_is_named_and_not_the_agent(refused, word, message):
    assert refused("env.id=Own-v0", word).startswith(message)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("frame_skip: Hopper-v5 refuses", "env.frame_skip: Hopper-v5 refuses"),
        ("frame_skip, id: they do not go together", "env.frame_skip, env.id: they do not go together"),
        ("no module named box", "env: no module named box"),
        ("Own-v0: expected no frame_skip", "env: Own-v0: expected no frame_skip"),
    ],
)
def test_what_an_environment_says_gets_the_dotted_keys_of_its_own(said, message):
    env = {"_target_": "envs.make_vec", "id": "Hopper-v5", "frame_skip": 3}
    agent = {"_target_": "agents.RSNN", "module": "own", "frame_skip": 1}
    assert str(env_refusal(said, env)) == message
    assert str(refusal(EnvError(f"env: {said}"), {"agent": agent, "env": env})) == message


def test_the_path_of_a_model_is_absolute_unless_it_is_gymnasiums_own():
    assert compose_config(["+env.xml_file=./a/../my.xml"]).env.xml_file == str(Path.cwd() / "my.xml")
    for path in ("/models/my.xml", "~/my.xml", "hopper.xml"):
        assert compose_config([f"+env.xml_file='{path}'"]).env.xml_file == path
