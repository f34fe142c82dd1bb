"""Where the arrays of an mjData are is found once, and is the same for every model."""

import gymnasium
import pytest

from envs import data_layout
from envs.data_layout import FIELDS, field_offsets


@pytest.fixture
def models():
    return [gymnasium.make(name).unwrapped.model for name in ("Hopper-v5", "Swimmer-v5", "Humanoid-v5", "Pusher-v5")]


def test_what_was_found_in_one_model_holds_in_the_others(models, monkeypatch):
    monkeypatch.setattr(data_layout, "_known", {})
    in_turn = [field_offsets(model) for model in models]
    for model, offsets in zip(models, in_turn, strict=True):
        monkeypatch.setattr(data_layout, "_known", {})
        assert field_offsets(model) == offsets
    assert all({offsets[name] for offsets in in_turn} - {0} for name in FIELDS if name != "site_xpos")


def test_an_offset_that_does_not_hold_is_searched_again(models, monkeypatch):
    expected = field_offsets(models[0])
    monkeypatch.setattr(data_layout, "_known", {"qpos": 0})
    assert field_offsets(models[0]) == expected
