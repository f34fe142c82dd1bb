"""The reference pages name everything that the command takes and everything that a run writes."""

import importlib.util
import re
from functools import partial
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from agents import RSNN
from ec_evotorch import EvolvingConnectivity, RolloutProblem
from envs import make_vec
from experiments import cli

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
CONF = ROOT / "experiments" / "conf"
SHARED = "Arguments of all commands that compare results"
GROUPS = ("env", "agent", "searcher", "method", "logger", "scale", "experiment")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A small run of EC on a spiking network."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    words = ["env=hopper", "budget=2000", "eval.every=500", "eval.episodes=1", "eval.final_episodes=1"]
    assert cli.main(["train", *words, "progress=false", "checkpoint_every=1", f"run_dir={folder}"]) == 0
    assert cli.main(["evaluate", str(folder), "--episodes", "1"]) == 0
    return folder


def section(page: str, heading: str) -> str:
    """Returns a section of a reference page, up to the next heading of its level."""
    text = (REFERENCE / page).read_text()
    return re.split(r"^## ", text.partition(f"\n## {heading}\n")[2], flags=re.MULTILINE)[0]


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_option_of_a_command_is_on_its_page(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}  # on all of them
    documented = section("command-line.md", command) + section("command-line.md", SHARED)
    assert {option for option in options if option not in documented} == set()
    assert options


@pytest.mark.parametrize("group", GROUPS)
def test_every_choice_of_a_group_is_on_the_page(group):
    page = (REFERENCE / "configuration.md").read_text()
    choices = [path.stem for path in (CONF / group).glob("*.yaml")]
    assert choices
    assert [choice for choice in choices if f"`{choice}`" not in page] == []


def test_every_key_of_a_run_is_on_the_page():
    page = (REFERENCE / "configuration.md").read_text()
    config = yaml.safe_load((CONF / "train.yaml").read_text())
    own = {key for key in config if key not in ("defaults", "hydra", "eval", "problem")}
    parts = ("eval", "incumbent", "early_stop", "problem")
    nested = {f"{part}.{key}" for part in parts for key in config[part] if not key.startswith("_")}
    assert {key for key in own | nested if f"`{key}`" not in page} == set()


@pytest.mark.parametrize("group", ["agent", "searcher"])
def test_every_keyword_of_a_component_is_on_the_page(group):
    page = (REFERENCE / "configuration.md").read_text()
    keywords = {
        key
        for path in (CONF / group).glob("*.yaml")
        for key in OmegaConf.load(path)
        if not str(key).startswith("_") and key not in ("module", "defaults")
    }
    assert {key for key in keywords if f"`{key}`" not in page} == set()


def test_every_column_of_metrics_is_on_the_page(run):
    page = (REFERENCE / "metrics.md").read_text()
    columns = (run / "metrics.csv").read_text().partition("\n")[0].split(",")
    assert [column for column in columns if f"`{column}`" not in page] == []


def test_every_file_of_a_run_is_on_the_page(run):
    page = (REFERENCE / "run-folder.md").read_text()
    names = [f"{path.name}/" if path.is_dir() else path.name for path in run.iterdir()]
    assert "evaluation.json" in names
    assert [name for name in names if f"`{name}`" not in page] == []


def test_a_policy_is_loaded_as_the_page_says(run):
    program = re.search(r"```python\n(.*?)```", (REFERENCE / "run-folder.md").read_text(), re.DOTALL).group(1)
    names: dict = {}
    exec(program.replace("runs/demo", str(run)), names)
    assert names["action"].shape == names["env"].action_space.shape


def test_the_picture_of_the_readme_can_be_drawn_again(run, tmp_path):
    spec = importlib.util.spec_from_file_location("overview", ROOT / "docs" / "images" / "overview.py")
    overview = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(overview)
    drawn = overview.main(run, tmp_path / "overview.png")
    assert drawn.stat().st_size > 50_000


@pytest.mark.parametrize("page", ["tutorial.md", "reference/metrics.md"])
def test_metrics_are_read_as_the_page_says(page, run, tmp_path, monkeypatch):
    folder = tmp_path / "runs" / "hopper-rsnn-ec-seed0"
    folder.parent.mkdir()
    folder.symlink_to(run)
    monkeypatch.chdir(tmp_path)
    program = re.search(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL).group(1)
    names: dict = {}
    exec(program, names)
    assert names["metrics"].center_return_mean.notna().any()


def test_an_environment_of_ones_own_is_used_from_python_as_the_page_says(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "examples" / "own"))
    page = (ROOT / "docs" / "how-to" / "own-environment.md").read_text().partition("## From Python")[2]
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1), names)
    names["searcher"].run(1)
    assert names["problem"].env.num_envs == 128


def test_a_search_is_logged_as_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problem = RolloutProblem(partial(make_vec, "Hopper-v5"), partial(RSNN, num_neurons=8), num_envs=4, seed=0)
    names = {"searcher": EvolvingConnectivity(problem, popsize=4)}
    program = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "how-to" / "loggers.md").read_text(), re.DOTALL).group(
        1
    )
    exec(program.replace("run(100)", "run(2)"), names)
    assert list((tmp_path / "events").iterdir())
