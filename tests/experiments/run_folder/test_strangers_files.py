"""Files of a run that a stranger wrote import, unpickle and call nothing, and one line says what is wrong with them."""

import json
import pickle
import shutil
import sys
from pathlib import Path

import evotorch.algorithms
import pytest
import yaml

import agents
import ec_evotorch
from experiments.cli import main
from experiments.errors import UserError
from experiments.run_config.build import build
from experiments.run_config.compose import compose_config
from experiments.run_config.foreign import KNOWN
from experiments.run_config.targets import EVERYTHING
from experiments.run_folder.archive import checksum
from experiments.run_folder.policy import load_policy
from experiments.training.run import train

MARK = Path("ran")


class Touch:
    """Leaves the mark when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (MARK,)


@pytest.fixture
def evil(working_directory, monkeypatch):
    """The name of a module that can be imported from the current folder and leaves a mark when it is."""
    name = f"evil_{working_directory.name}"
    Path(f"{name}.py").write_text("from pathlib import Path\nPath('ran').touch()\ndef run(*_, **__): return 1.0\n")
    Path("evil.pkl").write_bytes(pickle.dumps(Touch()))
    monkeypatch.syspath_prepend(str(working_directory))
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def folder(finished_run):
    """A copy of a run that has only begun: it can be resumed from the beginning."""
    folder = Path(shutil.copytree(finished_run, "run"))
    shutil.rmtree(folder / "checkpoints")
    for name in ("metrics.csv", "status.json"):
        (folder / name).unlink()
    return folder


UNPICKLE = {
    "_target_": "evotorch.logging.PicklingLogger.unpickle_last_file",
    "_convert_": "none",
    "_args_": [{"_last_file_name": "evil.pkl"}],
}
CREATE = "${oc.create:{_target_:EVIL.run}}"
GYM_NE = {"_target_": "evotorch.neuroevolution.GymNE", "env": "EVIL:X-v0", "network": "Linear(obs_length,act_length)"}
VALUES = {  # of a keyword of the agent
    "a pickle": (UNPICKLE, r"agent\.dt\._convert_: expected no such key"),
    "a pickle in a list": ([[UNPICKLE]], r"agent\.dt\.0\.0\._convert_: expected no such key"),
    "a pickle in keys": ({"a": {"b": UNPICKLE}}, r"agent\.dt\.a\.b\._convert_: expected no such key"),
    "a pickle without the key": ({**UNPICKLE, "_convert_": "all"}, r"agent\.dt\._args_: expected no such key"),
    "a pickle by name": (
        {"_target_": "evotorch.logging.PicklingLogger.unpickle_last_file", "self": None},
        r"agent\.dt\._target_: expected a name in .*'evotorch\.logging",
    ),
    "a node": (CREATE, r"agent\.dt: expected a plain value"),
    "a node in a list": ([{"a": [CREATE]}], r"agent\.dt\.0\.a\.0: expected a plain value"),
    "a node in a text": (f"x{CREATE}", r"agent\.dt: expected a plain value"),
    "a target by reference": (
        {"name": "EVIL.run", "_target_": "${.name}"},
        r"agent\.dt\._target_: expected a plain value",
    ),
    "an environment": (
        {"_target_": "envs.make_vec", "_args_": ["EVIL:X-v0", 2]},
        r"agent\.dt\._args_: expected no such key",
    ),
    "an environment by keyword": (
        {"_target_": "envs.make_vec", "id": "Hopper-v5", "env_id": "EVIL:X-v0", "num_envs": 1},
        r"agent\.dt\._target_: expected a name in .*agent\.dt\.env_id: expected a name in .*got 'evil_",
    ),
    "another problem": (GYM_NE, r"agent\.dt\._target_: expected a name in .*agent\.dt\.env: .*got 'evil_"),
    "not recursive": ({"_target_": "agents.GRU", "_recursive_": False}, r"agent\.dt\._recursive_: expected no such"),
    "partial by a text": ({"_target_": "agents.GRU", "_partial_": "EVIL"}, r"agent\.dt\._partial_: expected true or"),
    "a list as a target": ({"_target_": ["EVIL.run"]}, r"agent\.dt\._target_: expected a name; got \["),
}
ENVS = {  # keywords of the environment
    "an id": ({"id": "EVIL:X-v0"}, r"env\.id: expected a name in .*got 'evil_"),
    "another keyword": ({"env_id": "EVIL:X-v0"}, r"env\.env_id: expected a name in .*got 'evil_"),
    "wrapped": ({"wrappers": [{"inner": {"of": ["EVIL:X-v0"]}}]}, r"env\.wrappers\.0\.inner\.of\.0: .*got 'evil_"),
    "a wrapper": ({"wrappers": [{"_target_": "EVIL.run"}]}, r"env\.wrappers\.0\._target_: expected a name .*'evil_"),
    "a wrapper of another kind": (
        {"wrappers": [{"_target_": "gymnasium.wrappers.RecordVideo", "video_folder": "ran"}]},
        r"env\.wrappers\.0\._target_: expected a name .*got 'gymnasium\.wrappers\.RecordVideo'",
    ),
    "a function for a wrapper": (
        {"wrappers": [{"_target_": "gymnasium.wrappers.TimeLimit", "max_episode_steps": {"_target_": "EVIL.run"}}]},
        r"env\.wrappers\.0\.max_episode_steps\._target_: expected a name .*'evil_",
    ),
    "an argument for a wrapper": (
        {"wrappers": [{"_target_": "gymnasium.wrappers.TimeLimit", "_args_": [UNPICKLE]}]},
        r"env\.wrappers\.0\._args_: expected no such key",
    ),
    "wrappers by number": (
        {"wrappers": {"0": {"_target_": "gymnasium.wrappers.TimeLimit", "max_episode_steps": 3}}},
        r"env\.wrappers: expected a list",
    ),
    "a name that is none": ({"id": " EVIL:X-v0"}, r"env\.id: expected a name in .*got ' evil_"),
    "by reference": ({"foo": "EVIL:X-v0", "id": "${.foo}"}, r"env\.id: expected a plain value"),
    "by a resolver": ({"id": "${oc.decode:'EVIL:X-v0'}"}, r"env\.id: expected a plain value"),
    "capitals": ({"id": "${OC.CREATE:EVIL}"}, r"env\.id: expected a plain value"),
    "another maker": ({"_target_": "gymnasium.make"}, r"env\._target_: expected a name in .*got 'gymnasium\.make'"),
    "an agent as maker": ({"_target_": "agents.GRU"}, r"env\._target_: expected a name in envs\.make_vec"),
    "through ours": ({"_target_": "envs.make.gymnasium.make"}, r"env\._target_: expected a name in envs\.make_vec"),
}
NAMES = [*(("agent", name) for name in VALUES), *(("env", name) for name in ENVS)]


def poisoned(component: str, name: str, evil: str) -> tuple[dict, str]:
    """Returns what is to be put into a component, and what is said of it."""
    value, message = (VALUES if component == "agent" else ENVS)[name]
    value = {"dt": value} if component == "agent" else value
    return json.loads(json.dumps(value).replace("EVIL", evil)), message


@pytest.mark.parametrize(("component", "name"), NAMES)
def test_a_policy_runs_no_code(folder, evil, component, name):
    change, message = poisoned(component, name, evil)
    path = folder / "policy.json"
    description = json.loads(path.read_text())
    description[component] |= change
    description["sha256"] = checksum(description, (folder / "policy.safetensors").read_bytes())
    path.write_text(json.dumps(description))
    with pytest.raises(ValueError, match=message) as error:
        load_policy(folder)
    assert "\n" not in str(error.value)
    assert not MARK.exists()


@pytest.mark.parametrize(("component", "name"), NAMES)
def test_a_configuration_that_is_resumed_runs_no_code(folder, evil, component, name, assert_refused):
    change, message = poisoned(component, name, evil)
    assert_refused(lambda config: config[component].update(change), message)


@pytest.fixture
def assert_refused(folder, capsys):
    """Asserts that a run whose config.yaml is changed is not resumed, for a reason that is one line."""

    def assert_refused(change, message: str) -> None:
        path = folder / "config.yaml"
        config = yaml.safe_load(path.read_text())
        change(config)
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        capsys.readouterr()
        assert main(["resume", str(folder)]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        with pytest.raises(UserError, match=message):
            raise UserError(said)
        assert not MARK.exists()
        assert not (folder / "metrics.csv").exists()

    return assert_refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(runs="${oc.create:{_target_:os.getcwd}}"), r"config\.yaml': runs: expected a plain value"),
        (lambda c: c["versions"].update(x="${oc.env:HOME}"), r"versions\.x: expected a plain value"),
        (lambda c: c["problem"].update(_target_="ec_evotorch.Policy"), r"problem\._target_: expected a name in ec_evo"),
        (
            lambda c: c["searcher"].update(_target_="evotorch.algorithms.PyCMAES", cma_options={"CMA_active": "1/0"}),
            r"searcher\._target_: expected a name in .*type: ec-evotorch resume run --trust evotorch$",
        ),
        (lambda c: c["searcher"].update(optimizer_config=[{"_target_": "agents.GRU"}]), r"_config\.0\._target_: exp"),
        (
            lambda c: c["agent"].update(
                _target_="agents.ModuleAgent",
                module={"_target_": "evotorch.neuroevolution.net.str_to_net", "_partial_": True, "s": "__init__('x')"},
            ),
            r"agent\.module\.s: expected layers of a network",
        ),
        (lambda c: c.update(problem=None), r"problem: expected the key _target_ and keywords; got None"),
        (lambda c: c.update(problem=3), r"problem: expected the key _target_ and keywords; got 3"),
    ],
)
def test_what_training_does_not_write_is_refused(assert_refused, change, message):
    assert_refused(change, message)


@pytest.mark.parametrize(
    ("logger", "key"),
    [
        ({"name": "tensorboard", "folder": "elsewhere"}, "folder"),
        ({"name": "wandb", "project": "x", "settings": {"base_url": "http://elsewhere"}}, "settings"),
        ({"name": "wandb", "project": "x", "dir": "/elsewhere"}, "dir"),
        ({"name": "wandb", "project": {"x": 1}}, "project"),
    ],
)
def test_a_logger_gets_only_what_its_yaml_has(assert_refused, logger, key, monkeypatch):
    monkeypatch.setattr("experiments.training.loggers.find_spec", lambda name: True)
    name = logger["name"]
    assert_refused(lambda c: c.update(logger=logger), rf"logger\.{key}: expected texts for .*--trust {name}$")


@pytest.mark.parametrize("word", ["problem=null", "problem=3"])
def test_a_component_that_has_no_keys_is_refused_before_training(word, capsys):
    assert main(["train", word]) == 2
    assert "error: problem: expected the key _target_ and keywords; got" in capsys.readouterr().err
    with pytest.raises(UserError, match="problem: expected the key _target_"):
        build(compose_config([word]))


def test_what_the_user_types_stays_free(evil):
    with pytest.raises(UserError, match=r"id: cannot make"):
        build(compose_config([f"env.id='{evil}:X-v0'"]), EVERYTHING)
    assert MARK.exists()


def test_every_agent_and_searcher_is_known():
    assert {f"agents.{name}" for name in agents.__all__ if name != "RSNNState"} <= set(KNOWN["agent"])
    ours = {name for name in ec_evotorch.__all__ if hasattr(getattr(ec_evotorch, name), "step")}
    others = set(evotorch.algorithms.__all__) - {"SearchAlgorithm", "PyCMAES"}
    expected = {f"ec_evotorch.{name}" for name in ours} | {f"evotorch.algorithms.{name}" for name in others}
    assert set(KNOWN["searcher"]) == expected


@pytest.mark.parametrize("words", [["agent=evotorch_net", "searcher=snes"], ["agent=rsnn", "searcher=pgpe"]])
def test_what_our_yaml_files_name_needs_no_trust(tiny_run, words):
    tiny = [word for word in tiny_run if not word.startswith("agent.")]
    folder = train(compose_config([*tiny, *words, "run_dir=mine"]))
    assert load_policy(folder).env["id"] == "InvertedPendulum-v5"
    assert main(["resume", "mine", "budget=700"]) == 0
