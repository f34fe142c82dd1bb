"""Components of the user's own, from a folder outside the checkout: one Python file and one YAML each.

They are trained, swept against ours in this process and in others, resumed, evaluated and put into one table.
"""

import subprocess
import sys
import textwrap
from pathlib import Path

import gymnasium
import pandas as pd
import pytest
from omegaconf import OmegaConf

from experiments.analysis.load_results import load, save, summary
from experiments.cli import main
from experiments.errors import UserError
from experiments.evaluation.episodes import play_episode
from experiments.run_config.build import build
from experiments.run_config.compose import compose_config
from experiments.run_config.config_dir import own_config_dir
from experiments.run_folder.metrics import COLUMNS, OF_WORKERS
from experiments.run_folder.policy import load_policy
from tests.forked_python import ROOT, forked_python

MODULE = '''
import gymnasium
import numpy as np
import torch
from evotorch.algorithms.searchalgorithm import SearchAlgorithm


class Point(gymnasium.Env):
    """A point that is to be moved to a goal."""

    observation_space = gymnasium.spaces.Box(-10.0, 10.0, (2,), dtype=np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), dtype=np.float32)

    def __init__(self, goal: float = 0.5):
        self.goal = goal

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = self.np_random.uniform(-1, 1)
        return np.array([self.x, self.goal]), {}

    def step(self, action):
        self.x += 0.1 * float(action[0])
        return np.array([self.x, self.goal]), -abs(self.x - self.goal), False, False, {}


gymnasium.register("Point-v0", entry_point=Point, max_episode_steps=20)


class Linear:
    """One layer of tanh units."""

    dtype = torch.float32

    def __init__(self, obs_length, act_length, gain: float = 1.0):
        self.obs_length, self.act_length, self.gain = obs_length, act_length, gain
        self.solution_length = obs_length * act_length

    def initial_state(self, batch_size, generator=None):
        return {}

    def reset(self, state, slots, seeds):
        pass

    def step(self, solutions, members, obs, state):
        weights = solutions[torch.as_tensor(members)].reshape(len(members), self.obs_length, self.act_length)
        return torch.tanh(self.gain * torch.einsum("bi,bia->ba", torch.as_tensor(obs, dtype=torch.float32), weights))


class Climb(SearchAlgorithm):
    """Hill climbing."""

    def __init__(self, problem, *, popsize: int, stdev: float = 0.3, block_size: int = 1):
        super().__init__(problem, center=lambda: self._center, temperature=lambda: self._stdev)
        self._popsize, self._stdev, self._best = popsize, stdev, -float("inf")
        self._center = problem.generate_values(1)[0].clone()

    def _step(self):
        batch = self.problem.generate_batch(self._popsize)
        shape = (self._popsize, self.problem.solution_length)
        batch.set_values(self._center + self._stdev * torch.randn(shape, generator=self.problem.generator))
        self.problem.evaluate(batch)
        best = int(batch.evals[:, 0].argmax())
        if float(batch.evals[best, 0]) > self._best:
            self._best, self._center = float(batch.evals[best, 0]), batch.values[best].clone()
        self._stdev *= 0.9

    def state_dict(self):
        return {"center": self._center, "best": self._best, "stdev": self._stdev}

    def load_state_dict(self, state):
        self._center, self._best, self._stdev = torch.as_tensor(state["center"]), state["best"], state["stdev"]
'''
YAMLS = {
    "agent/linear.yaml": "{_target_: MODULE.Linear, name: linear, label: Linear, weight_scale: 1.0, gain: 1.0}",
    "searcher/climb.yaml": "{_target_: MODULE.Climb, name: climb, label: Climb, solutions: real, popsize: 8, "
    "stdev: 0.3, block_size: 1, same_results: [block_size]}",
    "env/point.yaml": "{_target_: envs.make_vec, name: point, id: 'MODULE:Point-v0', alive_bonus: null}",
}
TINY = ["env=point", "agent=linear", "eval.every=400", "eval.episodes=2", "eval.final_episodes=3", "progress=false"]
TINY += ["incumbent=null"]


@pytest.fixture
def module(working_directory, monkeypatch):
    """The name of a Python file in the working directory, beside a folder `conf` of YAML files."""
    name = f"own_parts_{working_directory.name}"
    Path(f"{name}.py").write_text(MODULE)
    for path, text in YAMLS.items():
        Path("conf", path).parent.mkdir(parents=True, exist_ok=True)
        Path("conf", path).write_text(text.replace("MODULE", name))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # arrays this small lose more by waiting for a second thread
    yield name
    sys.modules.pop(name, None)
    gymnasium.registry.pop("Point-v0", None)


@pytest.fixture
def train_own(module):
    """Trains with the components of `module`, in this process, and returns the run folder."""

    def train(*words: str) -> Path:
        assert main(["train", "--config-dir", "conf", *TINY, "searcher=climb", *words, "run_dir=run"]) == 0
        return Path("run")

    return train


def in_a_process(*words: str) -> subprocess.CompletedProcess:
    """Runs a command in a new process, which knows of no module but what the command makes known."""
    return forked_python("-m", "experiments.cli", *words)


def test_a_sweep_of_own_and_our_components_is_one_table(module):
    words = ["agent=linear,gru", "agent.weight_scale=1.0", "searcher=climb,es", "budget=600", "seed=0,1"]
    assert main(["train", "-m", "--config-dir", "conf", *TINY, *words]) == 0
    frame = load("runs")
    assert set(frame.method) == {"Climb-Linear", "Climb-GRU", "ES-Linear", "ES-GRU"}
    assert set(frame.environment) == {f"{module}:Point-v0"}
    assert frame.groupby("method").temperature.count().to_dict() == {
        **{"Climb-GRU": 8, "Climb-Linear": 8},
        **{"ES-GRU": 0, "ES-Linear": 0},
    }
    assert set(summary(frame).method) == set(frame.method)
    save(frame, "results.csv")
    pd.testing.assert_series_equal(load("results.csv").temperature.dropna(), frame.temperature.dropna())


def test_what_an_own_searcher_reports_is_in_metrics_csv(train_own):
    metrics = pd.read_csv(train_own("budget=600") / "metrics.csv")
    assert tuple(metrics.columns) == (*COLUMNS, "temperature", "worst_eval")
    assert metrics.temperature.tolist() == pytest.approx([0.3 * 0.9**generation for generation in (1, 2, 3, 4)])


def test_a_resumed_run_needs_trust_and_ends_as_an_unbroken_one(train_own, module, rows):
    unbroken = rows(train_own("budget=1000"))
    folder = train_own("budget=600", "overwrite=true")
    config = OmegaConf.load(folder / "config.yaml")
    assert config.imported_from == {module: str(Path(f"{module}.py").resolve())}
    said = in_a_process("resume", "run", "budget=1000")
    assert said.returncode == 2
    command = f"ec-evotorch resume run budget=1000 --trust {module}"
    assert said.stderr.count("\n") == 1
    assert said.stderr.endswith(f"If you trust that code, type: {command}\n")
    done = in_a_process(*command.split()[1:])
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(folder).equals(unbroken)


def test_a_run_that_is_resumed_from_elsewhere_says_which_file_to_trust(train_own, module, monkeypatch):
    folder, file = train_own("budget=200").resolve(), Path(f"{module}.py").resolve()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    said = in_a_process("resume", str(folder), "budget=400")
    command = f"ec-evotorch resume {folder} budget=400 --trust {file}"
    assert said.stderr.endswith(f"type: {command}\n")
    assert in_a_process(*command.split()[1:]).returncode == 0


def test_a_policy_with_parts_of_two_files_says_at_once_which_to_trust(train_own, module, monkeypatch):
    """Agent and environment are in different modules, and the run was moved away from both."""
    other, agent = Path(f"{module}_agent.py"), Path("conf/agent/linear.yaml")
    other.write_text(Path(f"{module}.py").read_text().replace("Point-v0", "Other-v0"))
    agent.write_text(agent.read_text().replace(module, other.stem))
    folder, files = train_own("budget=200").resolve(), [other.resolve(), Path(f"{module}.py").resolve()]
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    for command in (["evaluate", str(folder), "--episodes=2"], ["resume", str(folder), "budget=400"]):
        said = in_a_process(*command)
        assert (said.returncode, said.stderr.count("\n")) == (2, 1)
        advised = said.stderr.rstrip().partition("type: ")[2].split()
        assert sorted(advised[len(command) + 1 :]) == sorted(["--trust", str(files[0]), "--trust", str(files[1])])
        assert in_a_process(*advised[1:]).returncode == 0


def test_a_sweep_goes_on_with_own_components_without_being_asked_for_trust(module, rows):
    words = ["train", "-m", "--config-dir", "conf", *TINY, "searcher=climb,es", "run_dir=runs/${searcher.name}"]
    assert main([*words, "budget=300"]) == 0
    assert main([*words, "budget=600"]) == 0
    assert rows(Path("runs/climb")).steps.iloc[-1] >= 600


def test_runs_side_by_side_find_the_components(module, monkeypatch):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    Path("conf", f"{module}.py").write_text(Path(f"{module}.py").read_text())
    Path(f"{module}.py").unlink()  # in the config directory they are found as well
    words = ["searcher=climb,es", "budget=300", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = in_a_process("train", "-m", "--config-dir", "conf", *TINY, *words)
    assert done.stdout.splitlines()[-1:] == ["2 runs: 2 finished now"], done.stderr


def test_workers_find_the_components_and_play_the_same(train_own, rows):
    alone = rows(train_own("budget=600"))
    folder = train_own("budget=600", "overwrite=true", "problem.num_actors=2")
    assert rows(folder).equals(alone)
    assert set(OF_WORKERS) <= set(pd.read_csv(folder / "metrics.csv").columns)


def test_an_own_policy_plays_in_plain_gymnasium_if_it_is_trusted(train_own, module):
    folder = train_own("budget=200")
    with pytest.raises(ValueError, match=rf"If you trust that code, add --trust {module}$"):
        load_policy(folder)
    saved = load_policy(folder, trust=[module])
    env = gymnasium.make(**saved.env)
    total, length = play_episode(env, saved.policy, seed=3)
    assert (length, total < 0) == (20, True)


def test_a_strangers_run_folder_imports_nothing(train_own, module, monkeypatch):
    folder = train_own("budget=200")
    Path(f"{module}.py").rename(folder / f"{module}.py")  # it brings its code along
    (folder / f"{module}.py").write_text("import pathlib; pathlib.Path('imported').touch()")
    monkeypatch.chdir(folder)
    for words in (["resume", ".", "budget=400"], ["evaluate", "."], ["energy", "."], ["table", "."], ["report", "."]):
        in_a_process(*words)
        assert not Path("imported").exists()


def test_keywords_that_an_own_component_declares_harmless_make_no_variant(train_own):
    train_own("budget=200").rename("one")
    train_own("budget=200", "searcher.block_size=4", "seed=1").rename("two")
    frame = load(["one", "two"])
    assert set(frame.variant) == {""}
    assert frame.settings.nunique() == 1


def test_an_entry_of_the_status_may_have_the_name_of_another_column(train_own, module):
    path = Path(f"{module}.py")
    path.write_text(path.read_text().replace("temperature=", "popsize="))
    frame = load(train_own("budget=200"))
    assert frame.popsize.tolist() == [8, 8]
    assert frame.popsize_status.tolist() == pytest.approx([0.27, 0.243])
    save(frame, "results.csv")
    assert load("results.csv").popsize_status.tolist() == frame.popsize_status.tolist()


def test_the_environment_variable_names_the_folder_too(module, monkeypatch, capsys):
    monkeypatch.setenv("EC_EVOTORCH_CONFIG_DIR", "conf")
    assert compose_config(["agent=linear", "searcher=climb"]).agent.label == "Linear"
    assert main(["train", "--cfg", "job", *TINY, "searcher=climb"]) == 0
    assert OmegaConf.create(capsys.readouterr().out) == compose_config([*TINY, "searcher=climb"])
    assert not Path("runs").exists()


def test_the_help_lists_groups_choices_and_where_they_are(module, capsys):
    with pytest.raises(SystemExit):
        main(["train", "--config-dir", "conf", "--help"])
    text = textwrap.dedent(capsys.readouterr().out)
    assert "agent           evotorch_net, gru, lstm" in text
    assert f"YAML files in {Path('conf').resolve()}:\n  env             point\n  agent           linear" in text


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda conf: None, "--config-dir: expected a folder of YAML files; 'mine' is none"),
        (lambda conf: conf.mkdir(), "expected a folder with at least one of env, agent, searcher"),
        (lambda conf: (conf / "agent").mkdir(parents=True) or (conf / "agent/gru.yaml").touch(), "has the name of one"),
    ],
)
def test_a_folder_that_cannot_be_one_of_yaml_files_is_refused(working_directory, prepare, message):
    prepare(Path("mine"))
    with pytest.raises(UserError, match=message):
        own_config_dir("mine")


def test_building_own_components_from_python_needs_trust_as_well(module):
    config = compose_config([*TINY, "searcher=climb"], config_dir="conf")
    with pytest.raises(UserError, match=f"add --trust {module}$"):
        build(config)
    problem, searcher = build(config, trust=[module])
    searcher.run(2)
    assert searcher.status["iter"] == 2
    problem.env.close()


def test_a_run_without_own_components_records_no_imports(finished_run):
    assert "imported_from" not in OmegaConf.load(finished_run / "config.yaml")
