"""A model of the user's own: what was compiled is recorded, and another one at the same path is noticed."""

import json
import shutil
from pathlib import Path

import pytest
from gymnasium.envs.mujoco import mujoco_env
from omegaconf import OmegaConf

from experiments.analysis.load_results import load
from experiments.cli import main
from experiments.errors import ResultsWarning, UserError
from experiments.evaluation.energy import measure
from experiments.evaluation.episodes import evaluate
from experiments.report.report import report
from experiments.run_config.compose import compose_config
from experiments.run_config.environment import is_other_model
from experiments.run_folder.archive import checksum
from experiments.run_folder.policy import load_policy
from experiments.training.resume import resume
from experiments.training.run import train
from experiments.video.stage import read_stage

XML = Path("my.xml")
MODEL = (Path(mujoco_env.__file__).parent / "assets" / "inverted_pendulum.xml").read_text()


@pytest.fixture(autouse=True)
def model(working_directory):
    XML.write_text(MODEL)


def change_model():
    before = XML.read_text()
    XML.write_text(before.replace('gravity="0 0 -9.81"', 'gravity="0 0 -1.62"'))
    assert XML.read_text() != before


def digest_of(folder):
    return OmegaConf.load(folder / "config.yaml").env.get("model_digest")


def change_policy(folder, change):
    """Changes policy.json as somebody does who knows how its checksum is made."""
    path = folder / "policy.json"
    description = json.loads(path.read_text())
    change(description)
    description["sha256"] = checksum(description, (folder / "policy.safetensors").read_bytes())
    path.write_text(json.dumps(description))


@pytest.fixture
def folder(train_tiny):
    return train_tiny("+env.xml_file=./my.xml", "run_dir=run")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_run):
    """A run whose model stays what and where it was."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / XML).write_text(MODEL)
    return train(compose_config([*tiny_run, f"+env.xml_file={folder / XML}", f"run_dir={folder}/run"]))


def test_the_model_is_recorded_with_the_run_and_its_policy(folder):
    recorded = digest_of(folder)
    assert recorded is not None
    assert json.loads((folder / "policy.json").read_text())["model_digest"] == recorded


def test_a_run_with_a_model_of_gymnasium_records_none(finished_run):
    assert digest_of(finished_run) is None
    assert "model_digest" not in (finished_run / "policy.json").read_text()


def test_a_moved_run_goes_on_in_another_folder(folder, monkeypatch, rows, train_tiny):
    unbroken = rows(train_tiny("+env.xml_file=./my.xml", "run_dir=unbroken", "budget=900"))
    Path("elsewhere").mkdir()
    moved = folder.resolve().rename(Path("elsewhere/moved").resolve())
    monkeypatch.chdir("elsewhere")
    resume(moved, ["budget=900"])
    assert rows(moved).equals(unbroken)
    assert len(evaluate(moved, 2)) == 2


def test_a_run_whose_model_has_changed_is_not_resumed(folder):
    change_model()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(
        UserError, match=r"^env\.xml_file: expected the model that the run was trained with \(.*my\.xml'"
    ):
        resume(folder, ["budget=900"])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_run_of_an_earlier_version_records_its_model_when_it_is_resumed(folder):
    config = OmegaConf.load(folder / "config.yaml")
    recorded = config.env.pop("model_digest")
    OmegaConf.save(config, folder / "config.yaml")
    resume(folder, ["budget=900"])
    assert digest_of(folder) == recorded


def test_a_sweep_goes_on_unless_the_model_has_changed(tiny_run, capsys):
    words = ["train", "-m", *tiny_run, "+env.xml_file=./my.xml", "run_dir=run"]
    assert main(words) == 0
    assert main(words) == 0
    assert main([*words, "budget=900"]) == 0
    assert capsys.readouterr().out.count("1 run: 1 ") == 3
    change_model()
    for more in ([], ["budget=1200"]):
        assert main([*words, *more]) == 2
        assert "these differ: the model in env.xml_file (" in capsys.readouterr().err


@pytest.mark.parametrize(
    "act",
    [
        lambda run: evaluate(run, 2),
        lambda run: measure(run, 1),
        lambda run: read_stage(load_policy(run), ("rgb_array",), None),
    ],
)
def test_playing_with_another_model_is_warned_of(folder, act, recwarn):
    act(folder)
    assert not [warning for warning in recwarn if warning.category is ResultsWarning]
    change_model()
    with pytest.warns(ResultsWarning, match=r"was trained with another model than '.*my\.xml' is now"):
        act(folder)


def test_the_commands_say_so_in_a_line_and_on_the_page(folder, capsys):
    change_model()
    for command in ("evaluate", "energy"):
        assert main([command, str(folder), "--episodes", "1"]) == 0
        assert capsys.readouterr().err.startswith(
            f"ec-evotorch {command}: warning: the policy was trained with another"
        )
    assert "the policy was trained with another model than" in report([folder])


def test_two_models_at_one_path_are_two_methods_and_one_at_two_paths_is_one(train_tiny):
    train_tiny("+env.xml_file=./my.xml", "run_dir=a")
    XML.rename("other.xml")
    train_tiny("+env.xml_file=./other.xml", "run_dir=b", "seed=1")
    frame = load(["a", "b"])
    assert frame.settings.nunique() == frame.environment_keywords.nunique() == 1
    Path("other.xml").rename(XML)
    change_model()
    train_tiny("+env.xml_file=./my.xml", "run_dir=c", "seed=2")
    with pytest.warns(ResultsWarning, match="runs with different keywords are mixed"):
        frame = load(["a", "b", "c"])
    assert frame.groupby("run").variant.first().tolist() == [f"model_digest={digest_of(Path(run))}" for run in "abc"]
    assert frame.settings.nunique() == 2


def test_models_of_two_versions_of_mujoco_are_not_compared():
    assert is_other_model("4.0.0-aa", "4.0.0-bb")
    for before, now in (("4.0.0-aa", "4.0.0-aa"), ("4.0.0-aa", "4.1.0-bb"), (None, "4.0.0-aa"), ("4.0.0-aa", None)):
        assert not is_other_model(before, now)


@pytest.mark.parametrize("command", ["evaluate", "video", "energy"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d["env"].update(xml_file="/etc/passwd"),
            "env.xml_file: InvertedPendulum-v5 cannot be made and played",
        ),
        (
            lambda d: d["env"].update(xml_file="./gone.xml"),
            "env.xml_file: InvertedPendulum-v5 cannot be made and played",
        ),
        (lambda d: d["env"].update(frame_skip=2.5), "env.frame_skip: InvertedPendulum-v5 cannot be made and played"),
        (lambda d: d["env"].update(id="Gone-v5"), "env.id: cannot make 'Gone-v5'"),
        (
            lambda d: d.update(env={"id": "Hopper-v5"}),
            "env: expected an observation of shape (4,) for this policy; Hopper-v5",
        ),
        (lambda d: d.update(model_digest=3), "'run/policy.json': model_digest: expected a str; got 3"),
    ],
)
def test_an_environment_that_cannot_be_played_is_one_line(trained, capsys, command, change, message):
    folder = Path(shutil.copytree(trained, "run"))
    change_policy(folder, change)
    assert main([command, str(folder)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ec-evotorch: error: {message}")
    assert error.count("\n") == 1
    assert not (folder / "evaluation.json").exists()


def test_a_run_without_its_model_does_not_cost_the_others_their_page(folder):
    XML.unlink()
    page = report([folder])
    assert "no picture of the network of &#39;run&#39;: env.xml_file: InvertedPendulum-v5 cannot be made" in page


def test_a_way_to_draw_makes_no_other_method(train_tiny):
    train_tiny("+env.render_mode=rgb_array", "run_dir=a")
    train_tiny("run_dir=b", "seed=1")
    frame = load(["a", "b"])
    assert set(frame.variant) == {""}
    assert frame.settings.nunique() == frame.environment_keywords.nunique() == 1


def test_a_limit_of_steps_makes_another_method_and_is_that_of_the_policy(train_tiny):
    words = ["+env.max_episode_steps=-1", "problem.max_episode_steps=4", "budget=100"]
    limited = train_tiny(*words, "run_dir=a")
    short = train_tiny("problem.max_episode_steps=3", "budget=100", "run_dir=short")
    assert evaluate(short, 3).length.max() <= 3
    assert evaluate(limited, 3).length.max() <= 4
    plain = train_tiny("run_dir=b", "budget=100", "problem.max_episode_steps=2000")
    assert "max_episode_steps" not in json.loads((plain / "policy.json").read_text())["env"]
    config = OmegaConf.load(plain / "config.yaml")
    del config.problem.max_episode_steps  # as an earlier version wrote it
    OmegaConf.save(config, plain / "config.yaml")
    unlimited = train_tiny("run_dir=c", "budget=100", "seed=1")
    assert load([plain, unlimited]).settings.nunique() == 1
    with pytest.warns(ResultsWarning, match="different keywords"):
        assert load([limited, unlimited]).settings.nunique() == 2
