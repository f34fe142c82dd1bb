"""An error in a component of the user's own: one line says what and where, and nothing that can be kept is lost."""

import json
import math
import sys
from pathlib import Path

import pytest

from experiments.analysis.load_results import load, summary
from experiments.cli import main
from experiments.run_config.compose import compose_config
from experiments.run_config.targets import EVERYTHING
from experiments.training.run import train

MODULE = """
import gymnasium
import numpy as np
import torch
from evotorch.algorithms.searchalgorithm import SearchAlgorithm


class Point(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-10.0, 10.0, (2,), dtype=np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), dtype=np.float32)
    resets = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        Point.resets += 1
        self.x = self.np_random.uniform(-1, 1)
        return np.array([self.x, 0.5]), {}

    def step(self, action):
        self.x += 0.1 * float(action[0])
        return np.array([self.x, 0.5]), -abs(self.x - 0.5), False, False, {}

    def close(self):
        pass


gymnasium.register("FaultyPoint-v0", entry_point=Point, max_episode_steps=20)


class Linear:
    dtype = torch.float32

    def __init__(self, obs_length, act_length):
        self.obs_length, self.act_length = obs_length, act_length
        self.solution_length = obs_length * act_length
        self.steps = 0

    def initial_state(self, batch_size, generator=None):
        return {}

    def reset(self, state, slots, seeds):
        pass

    def step(self, solutions, members, obs, state):
        self.steps += 1
        weights = solutions[torch.as_tensor(members)].reshape(len(members), self.obs_length, self.act_length)
        return torch.tanh(torch.einsum("bi,bia->ba", torch.as_tensor(obs, dtype=torch.float32), weights))


class Climb(SearchAlgorithm):
    def __init__(self, problem, *, popsize: int):
        super().__init__(problem, center=lambda: self._center, heat=self._heat)
        self._popsize, self._center = popsize, problem.generate_values(1)[0].clone()

    def _heat(self):
        return 0.5

    def _step(self):
        batch = self.problem.generate_batch(self._popsize)
        self.problem.evaluate(batch)
        self._center = batch.values[int(batch.evals[:, 0].argmax())].clone()

    def state_dict(self):
        return {"center": self._center}

    def load_state_dict(self, state):
        self._center = torch.as_tensor(state["center"])
"""
YAMLS = {
    "agent/linear.yaml": "{_target_: MODULE.Linear, name: linear, weight_scale: 1.0}",
    "searcher/climb.yaml": "{_target_: MODULE.Climb, name: climb, solutions: real, popsize: 4}",
    "env/point.yaml": "{_target_: envs.make_vec, name: point, id: 'MODULE:FaultyPoint-v0', alive_bonus: null}",
}
WORDS = [
    *("env=point", "agent=linear", "searcher=climb", "budget=400", "problem.num_envs=2", "checkpoint_every=1"),
    *("eval.every=null", "eval.final_episodes=1", "progress=false", "incumbent=null"),
]
STEP = "        self.steps += 1\n"
BATCH = "        batch = self.problem.generate_batch(self._popsize)\n"
THIRD = "        if self.step_count == 2: "

BEFORE = {  # what is found before anything is written: text of the module, what stands in its place, message
    "an agent of half a number": ("= obs_length * act_length", "= 1.5", "solution_length"),
    "an agent whose length is a text": ("= obs_length * act_length", "= 'two'", "solution_length"),
    "an agent without a length": ("self.solution_length =", "self.length =", "has no solution_length"),
    "an agent that cannot begin": (
        "return {}",
        "return [][0]",
        "problem: cannot be made: IndexError: list index out of range (MODULE",
    ),
    "an agent that cannot be made": (
        "self.steps = 0",
        "self.steps = {}['x']",
        "problem: cannot be made: KeyError: 'x' (MODULE.py, line",
    ),
    "an agent that cannot reset": (
        "slots, seeds):\n        pass",
        "slots, seeds):\n        state.x = 1",
        "agent: reset failed before training: AttributeError: 'dict' object has no attribute 'x' (MODULE.py, line",
    ),
    "an agent that cannot act": (STEP, "        1 / 0\n", "agent: step failed before training: ZeroDivisionError"),
    "an action of another shape": (
        "return torch.tanh(",
        "return torch.zeros(3) * torch.tanh(",
        "agent: expected step to return a tensor of shape (2, 1); got one of shape (2, 3)",
    ),
    "no action": ("return torch.tanh(", "torch.tanh(", "expected step to return a tensor of shape (2, 1); got None"),
    "a searcher that cannot be made": ("self._popsize, self._center =", "self.step_count =", "searcher: "),
    "a centre of another shape": (
        "center=lambda: self._center,",
        "center=lambda: torch.zeros(5),",
        "expected 'center' of its status to be a tensor of shape (2,) and torch.float32; got one of shape (5,)",
    ),
    "a centre that is a list": ("center=lambda: self._center,", "center=lambda: [0.0, 0.0],", "got a list"),
    "a state with an object": (
        '{"center": self._center}',
        '{"center": self._center, "rng": {"of": self}}',
        "searcher: state_dict: rng/of: expected a tensor, an array, a number, a text, true, false or None; got a Climb",
    ),
    "a state with a path": ('{"center": self._center}', '{"a/b": 1}', "expected keys that are texts without '/'"),
    "a state that is none": ('return {"center": self._center}', "return 3", "state_dict: it: expected a dictionary"),
    "a state that cannot be taken": (
        'return {"center": self._center}',
        "return self.nope",
        "searcher: state_dict failed before training: AttributeError: 'Climb' object has no attribute 'nope' (MODULE",
    ),
}
DURING = {  # what goes wrong when training has begun: text, replacement, message, generations that are kept
    "nothing is evaluated": (BATCH, BATCH + "        return\n", "the searcher evaluated nothing in its first step", 0),
    "nothing is evaluated later": (
        BATCH,
        THIRD + "return\n" + BATCH,
        "the number of environment steps did not rise",
        2,
    ),
    "an error in step": (BATCH, THIRD + "1 / 0\n" + BATCH, "ZeroDivisionError: division by zero (MODULE.py, line", 2),
    "an exit in step": (
        BATCH,
        THIRD + "raise RuntimeError('a\\nb')\n" + BATCH,
        "RuntimeError: a b (MODULE.py, line",
        2,
    ),
    "an error without words": (BATCH, THIRD + "assert False\n" + BATCH, "AssertionError (MODULE.py, line", 2),
    "no centre": (
        ".clone()\n\n    def state",
        ".clone() if self.step_count < 2 else None\n\n    def state",
        "got a NoneType",
        2,
    ),
    "a status that fails": ("return 0.5", "return 0.5 if self.step_count < 2 else [][0]", "IndexError", 1),
    "a state that fails": (
        'return {"center": self._center}',
        'return {"center": self._center} if self.step_count < 3 else self.nope',
        "AttributeError: 'Climb' object has no attribute 'nope'",
        2,
    ),
    "a state that changes": (
        'return {"center": self._center}',
        'return {"center": self._center} if self.step_count < 3 else {"center": self}',
        "expected a tensor",
        2,
    ),
    "an agent that fails later": (
        STEP,
        STEP + "        if self.steps > 99: {}['x']\n",
        "KeyError: 'x' (MODULE.py, lin",
        2,
    ),
    "an environment that fails later": (
        "        Point.resets += 1\n",
        "        Point.resets += 1\n        if Point.resets > 12: raise OSError('no floor')\n",
        "OSError: no floor (MODULE.py",
        2,
    ),
}


@pytest.fixture
def faulty(working_directory, monkeypatch):
    """Writes `MODULE` with some text replaced, and its YAML files; returns the name of the module."""
    name = f"faulty_{working_directory.name}"
    for path, text in YAMLS.items():
        Path("conf", path).parent.mkdir(parents=True)
        Path("conf", path).write_text(text.replace("MODULE", name))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "")

    def write(text: str = "", replacement: str = "") -> str:
        assert text in MODULE
        sys.modules.pop(name, None)
        Path(f"{name}.py").write_text(MODULE.replace(text, replacement) if text else MODULE)
        return name

    yield write
    sys.modules.pop(name, None)


def train_it(*words: str) -> int:
    return main(["train", "--config-dir", "conf", *WORDS, "run_dir=run", *words])


@pytest.mark.parametrize("fault", BEFORE)
def test_a_fault_that_shows_at_once_is_told_before_anything_is_written(fault, faulty, capsys):
    text, replacement, message = BEFORE[fault]
    name = faulty(text, replacement)
    assert train_it() == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message.replace("MODULE", name) in error
    assert not Path("run").exists()


@pytest.mark.parametrize("fault", DURING)
def test_a_fault_in_training_is_a_failed_run_that_keeps_what_was_done(fault, faulty, capsys, rows):
    text, replacement, message, kept = DURING[fault]
    name = faulty(text, replacement)
    assert train_it() == 1
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert message.replace("MODULE", name) in error
    assert "the traceback is in run/traceback.txt; to go on when that is mended: ec-evotorch resume run" in error
    status = json.loads(Path("run/status.json").read_text())
    assert status["state"] == "failed"
    assert status["reason"] in error
    assert Path("run/traceback.txt").read_text().startswith("Traceback (most recent call last):\n")
    assert len(rows(Path("run"))) == kept
    assert Path("run/policy.json").exists() == (kept > 0)
    assert train_it() == 2
    assert "'run' holds a run already" in capsys.readouterr().err

    faulty()  # it is mended
    assert main(["resume", "run", "--trust", name]) == 0
    resumed = rows(Path("run"))
    assert not Path("run/traceback.txt").exists()
    assert train_it("overwrite=true") == 0
    assert resumed.equals(rows(Path("run")))


def test_a_sweep_tells_of_a_fault_once_and_goes_on_when_it_is_mended(faulty, capsys):
    name = faulty(*DURING["an error in step"][:2])
    words = ["train", "-m", "--config-dir", "conf", *WORDS, "seed=0,1", "run_dir=run${seed}"]
    assert main(words) == 1
    out, error = capsys.readouterr()
    assert out.splitlines()[-1] == "2 runs: 2 failed"
    assert f"failed: run0: ZeroDivisionError: division by zero ({name}.py, line" in out
    assert error.count("\n") == 2
    faulty()
    assert main(words) == 0


def test_the_error_itself_is_the_cause_for_who_trains_from_python(faulty):
    faulty(*DURING["an error in step"][:2])
    config = compose_config([*WORDS, "run_dir=run"], config_dir="conf")
    sys.path.append(str(Path.cwd()))
    with pytest.raises(Exception, match="division by zero") as error:
        train(config, EVERYTHING)
    assert type(error.value.__cause__) is ZeroDivisionError


def test_an_environment_that_cannot_be_closed_is_a_warning(faulty, capsys):
    faulty("def close(self):\n        pass", "def close(self):\n        assert Point.resets < 9, 'stuck'")
    assert train_it() == 0
    assert "warning: closing a RolloutProblem failed: AssertionError: stuck" in capsys.readouterr().err
    assert json.loads(Path("run/status.json").read_text())["state"] == "finished"


def test_a_state_that_cannot_be_loaded_is_one_line(faulty, capsys):
    name = faulty()
    assert train_it() == 0
    faulty('torch.as_tensor(state["center"])', "self.nope")
    before = Path("run/metrics.csv").read_bytes()
    assert main(["resume", "run", "budget=800", "--trust", name]) == 2
    assert f"does not fit the run: AttributeError: 'Climb' object has no attribute 'nope' ({name}.py" in (
        capsys.readouterr().err
    )
    assert Path("run/metrics.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("value", "written"), [("10**400", math.inf), ("-(10**400)", -math.inf), ("2**64", 2.0**64), ("2**62 + 1", 2.0**62)]
)
def test_a_number_of_any_size_in_the_status_is_a_column(value, written, faulty):
    faulty("return 0.5", f"return {value}")
    assert train_it() == 0
    assert set(load("run").heat) == {written}


@pytest.mark.parametrize("name", ["heat, in K", "heat\nof it", 'a "heat"', " heat\r", ""])
def test_an_entry_of_the_status_may_have_any_name(name, faulty):
    faulty("heat=self._heat", f"**{{{name!r}: self._heat}}")
    assert train_it() == 0
    frame = load("run")
    column = frame.columns[frame.columns.get_loc("steps_per_second") + 1]
    assert frame[column].tolist() == [0.5] * len(frame)
    assert len(summary(frame)) == 1
