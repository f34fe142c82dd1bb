"""Which OpenGL library MuJoCo draws with: a display's, or one that draws without a display."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from experiments.errors import UserError

VARIABLE = "MUJOCO_GL"  # of the environment, which MuJoCo and Gymnasium read
BACKENDS = ("glfw", "egl", "osmesa")  # those that Gymnasium knows; the first needs a display
ADVICE = "on Debian: apt install libegl1 libgl1-mesa-dri, or apt install libosmesa6"
SECONDS = 60.0  # after which a library that does not answer is taken for broken
# A process of its own tries: a library that fails may crash, and what is imported for one is in the way of another.
TRIAL = """
import mujoco
from mujoco.{backend} import GLContext
context = GLContext(16, 16)
context.make_current()
mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), mujoco.mjtFontScale.mjFONTSCALE_100)
"""
WINDOW_TRIAL = "import glfw, sys; sys.exit(not (glfw.init() and glfw.get_primary_monitor()))"


def check_mujoco_gl(variables: Mapping[str, str]) -> None:
    """Checks that MuJoCo can be imported with what the user has set `MUJOCO_GL` to.

    Args:
        variables: The environment variables of this process.

    Raises:
        UserError: If not.
    """
    if not variables.get(VARIABLE):
        return
    try:
        import mujoco  # noqa: F401
    except Exception as error:  # whatever the bindings of a library that is not there run into
        raise _refusal(variables[VARIABLE], f" ({type(error).__name__}: {error})") from error


def draws(backend: str) -> bool:
    """Returns whether MuJoCo can draw with a library here, which takes about a second to find out.

    Args:
        backend: One of `BACKENDS`.
    """
    return _succeeds(TRIAL.format(backend=backend), {**os.environ, VARIABLE: backend})


def shows_windows() -> bool:
    """Returns whether a window can be opened on the display."""
    return _succeeds(WINDOW_TRIAL, dict(os.environ))


def has_display(variables: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Returns whether the system says that it has a display.

    Args:
        variables: Environment variables.
        platform: Name of the system, as `sys.platform` has it.
    """
    return platform in ("darwin", "win32") or any(variables.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def choose_backend(variables: Mapping[str, str], draws: Callable[[str], bool] = draws) -> str:
    """Returns the library to draw with: what the user has set, else the display's, else EGL, else OSMesa.

    Args:
        variables: Environment variables.
        draws: Returns whether a library works here.

    Raises:
        UserError: If none works, or that which the user has set does not.
    """
    named = variables.get(VARIABLE)
    if named:
        if named not in BACKENDS or not draws(named):
            raise _refusal(named, "")
        return named
    candidates = BACKENDS if has_display(variables) else BACKENDS[1:]
    for backend in candidates:
        if draws(backend):
            return backend
    raise UserError(
        f"MuJoCo cannot draw here: expected a display, or one of the libraries EGL and OSMesa to draw without one "
        f"({ADVICE}); tried {', '.join(candidates)}"
    )


@contextmanager
def drawing_with(backend: str) -> Iterator[None]:
    """Lets MuJoCo draw with a library within the block."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = backend
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def _refusal(named: str, reason: str) -> UserError:
    return UserError(
        f"{VARIABLE}: expected one of {', '.join(BACKENDS)} that works here ({ADVICE}), or nothing, so that one is "
        f"chosen; got '{named}'{reason}"
    )


def _succeeds(program: str, variables: dict[str, str]) -> bool:
    words = [sys.executable, "-c", program]
    try:
        return subprocess.run(words, env=variables, capture_output=True, timeout=SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False
