"""Which model is simulated: the same text for the same compiled model, wherever its files are."""

from pathlib import Path

import gymnasium
import mujoco
import pytest
from gymnasium.envs.mujoco import mujoco_env

from envs import make_plain, make_vec, model_digest

HOPPER = Path(mujoco_env.__file__).parent / "assets" / "hopper.xml"
OPTION = '<mujoco><option gravity="0 0 -{}"/></mujoco>'


@pytest.fixture
def model(tmp_path):
    """A hopper that includes another file."""
    (tmp_path / "gravity.xml").write_text(OPTION.format(9.81))
    path = tmp_path / "hopper.xml"
    path.write_text(HOPPER.read_text().replace("<worldbody>", '<include file="gravity.xml"/><worldbody>', 1))
    return path


def digest(path, **kwargs):
    return model_digest(make_plain("Hopper-v5", xml_file=str(path), **kwargs))


def test_a_file_that_is_included_is_part_of_the_model(model):
    before = digest(model)
    assert before.startswith(f"{mujoco.__version__}-")
    (model.parent / "gravity.xml").write_text(OPTION.format(1.62))
    assert digest(model) != before


def test_place_comments_and_how_it_is_drawn_are_not_part_of_the_model(model, monkeypatch):
    before = digest(model)
    assert digest(model, width=2000, render_mode="rgb_array") == before
    model.write_text(model.read_text() + "<!-- nothing -->\n")
    moved = model.parent.rename(model.parent.with_name("moved")) / model.name
    assert digest(moved) == before
    monkeypatch.chdir(moved.parent)
    assert digest("./hopper.xml") == before


@pytest.mark.parametrize("env_id", ["Hopper-v5", "Pusher-v5", "Pendulum-v1"])
def test_models_of_gymnasium_itself_have_none(env_id):
    assert model_digest(gymnasium.make(env_id)) is None
    assert make_vec(env_id, 1).model_digest is None


def test_vector_environments_know_theirs(model, tmp_path):
    pusher = tmp_path / "pusher.xml"
    pusher.write_text((HOPPER.parent / "pusher_v5.xml").read_text())
    assert make_vec("Hopper-v5", 2, xml_file=str(model)).model_digest == digest(model)
    expected = model_digest(make_plain("Pusher-v5", xml_file=str(pusher)))
    assert make_vec("Pusher-v5", 2, xml_file=str(pusher)).model_digest == expected
    assert expected is not None
