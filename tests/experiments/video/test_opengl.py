"""The OpenGL library is chosen by itself, as the user says, or refused in one line."""

import os
import sys

import pytest

from experiments.cli import main
from experiments.errors import UserError
from experiments.video import opengl
from experiments.video.opengl import choose_backend, drawing_with, has_display

DISPLAY = {"DISPLAY": ":0"}


@pytest.mark.parametrize(
    ("variables", "working", "chosen"),
    [
        (DISPLAY, ("glfw", "egl", "osmesa"), "glfw"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, ("glfw", "egl"), "glfw"),
        (DISPLAY, ("egl", "osmesa"), "egl"),  # a display that is named and does not answer
        ({}, ("glfw", "egl", "osmesa"), "egl"),
        ({"DISPLAY": ""}, ("glfw", "osmesa"), "osmesa"),
        ({"MUJOCO_GL": "osmesa", **DISPLAY}, ("glfw", "egl", "osmesa"), "osmesa"),
        ({"MUJOCO_GL": ""}, ("osmesa",), "osmesa"),
    ],
)
def test_the_first_that_works_is_chosen_unless_the_user_chooses(variables, working, chosen):
    assert choose_backend(variables, working.__contains__) == chosen


@pytest.mark.parametrize(
    ("variables", "working", "message"),
    [
        ({}, ("glfw",), r"^MuJoCo cannot draw here: .* EGL and OSMesa .* libegl1 .* libosmesa6.* tried egl, osmesa$"),
        (DISPLAY, (), "tried glfw, egl, osmesa$"),
        (
            {"MUJOCO_GL": "osmesa"},
            ("egl",),
            "^MUJOCO_GL: expected one of glfw, egl, osmesa that .* got 'osmesa'$",
        ),
        ({"MUJOCO_GL": "off"}, ("egl", "off"), "^MUJOCO_GL: .* got 'off'$"),
    ],
)
def test_where_none_works_one_line_says_what_to_install(variables, working, message):
    with pytest.raises(UserError, match=message):
        choose_backend(variables, working.__contains__)


def test_a_library_is_tried_in_a_process_that_may_crash(monkeypatch):
    assert not opengl.draws("no_such_library")
    monkeypatch.setattr(opengl, "TRIAL", "import os; os.abort()")
    assert not opengl.draws("egl")
    monkeypatch.setattr(opengl, "TRIAL", "import os; assert os.environ['MUJOCO_GL'] == '{backend}'")
    assert opengl.draws("egl")
    monkeypatch.setattr(opengl, "TRIAL", "import time; time.sleep(60)")
    monkeypatch.setattr(opengl, "SECONDS", 0.1)
    assert not opengl.draws("egl")


@pytest.mark.parametrize("before", [None, "osmesa"])
def test_the_variable_is_set_while_it_is_needed(before, monkeypatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    if before:
        monkeypatch.setenv("MUJOCO_GL", before)
    with drawing_with("egl"):
        assert os.environ["MUJOCO_GL"] == "egl"
    assert os.environ.get("MUJOCO_GL") == before


def test_systems_other_than_linux_have_a_display():
    assert has_display({}, "darwin")
    assert not has_display({}, "linux")
    assert has_display(DISPLAY, "linux")


def test_a_library_with_which_mujoco_cannot_be_imported_is_refused_in_one_line(monkeypatch, capsys):
    monkeypatch.setenv("MUJOCO_GL", "vulkan")
    monkeypatch.setitem(sys.modules, "mujoco", None)  # as if its import failed
    assert main(["table", "runs"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("ec-evotorch: error: MUJOCO_GL: expected one of glfw, egl, osmesa")
    assert "got 'vulkan'" in err
