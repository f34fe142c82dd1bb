"""Making one plain Gymnasium environment: whatever goes wrong is one line that names what was refused."""

import copy
import difflib
import re
import sysconfig
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import native
from envs.mujoco_warnings import log_mujoco_warnings
from envs.vector_contract import check_observation, check_step

_OURS = (Path(__file__).parent, Path(native.__file__).parent)
_NOT_THE_USERS = (*_OURS, *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")))
_MOST_LETTERS = 300  # of what a library says
_ARGUMENTS = re.compile(  # which libraries print, arrays and all
    r"\s+(was raised from the environment creator for|Invoked with:) .*", re.DOTALL
)


Wrappers = Sequence[Callable[[gymnasium.Env], gymnasium.Env]]


def make_plain(id: str | gymnasium.envs.registration.EnvSpec, wrappers: Wrappers = (), **kwargs: Any) -> gymnasium.Env:
    """Returns what `gymnasium.make(id, **kwargs)` makes, once another one like it has played its first step.

    Environments use some keywords no earlier than in their first step.

    Args:
        id: Environment id, or a specification, as for `gymnasium.make`.
        wrappers: Functions, each of which is called with an environment and returns another, in this order.
        **kwargs: Keywords of `gymnasium.make` for this id.

    Raises:
        TypeError: If a keyword is unknown, or of a type that the environment refuses.
        ValueError: If the environment cannot be made or played, or what it returns is not what Gymnasium's interface
            asks for. The message begins with the keyword without which it can be played, if there is one.
    """
    if not isinstance(id, str | gymnasium.envs.registration.EnvSpec):
        raise TypeError(f"id: expected the name of a Gymnasium environment, got {id!r}")
    if isinstance(wrappers, str) or not isinstance(wrappers, Sequence) or not all(map(callable, wrappers)):
        raise TypeError(f"wrappers: expected a list of functions that wrap an environment, got {wrappers!r}")
    log_mujoco_warnings()
    if wrappers:
        kwargs = {**kwargs, "wrappers": wrappers}
    error = _mistake(id, kwargs)
    if error is None:
        return make_wrapped(id, **kwargs)
    if isinstance(error, gymnasium.error.UnregisteredEnv):
        close = difflib.get_close_matches(str(id), gymnasium.registry.keys(), n=1)
        hint = f"; did you mean {close[0]!r}?" if close and close[0] != id else ""
        raise ValueError(f"id: cannot make {id!r}{hint} ({error})") from error
    refused = [key for key in kwargs if _mistake(id, {k: v for k, v in kwargs.items() if k != key}) is None]
    name = id if isinstance(id, str) else id.id
    what = f"{name} cannot be made and played"
    if refused:
        values = ", ".join(f"{key}={_short(repr(kwargs[key]))}" for key in refused)
        what = f"{', '.join(refused)}: {what} with {values}"
    raise (TypeError if isinstance(error, TypeError) else ValueError)(f"{what}: {_reason(error)}") from error


def make_wrapped(id, wrappers: Wrappers = (), **kwargs: Any) -> gymnasium.Env:
    """Returns what `gymnasium.make(id, **kwargs)` makes, wrapped; arguments as for `make_plain`.

    Raises:
        TypeError: If a function returns something else than an environment.
        Exception: Whatever is raised in making it.
    """
    env = gymnasium.make(id, **kwargs)
    for wrapper in wrappers:
        env = wrapper(env)
        if not isinstance(env, gymnasium.Env):
            raise TypeError(f"expected {wrapper!r} to return an environment, got {env!r}")
    return env


def _mistake(id, kwargs: dict[str, Any]) -> Exception | None:
    """Returns the exception with which an environment fails to be made or to take a first step, None if it does not."""
    unseen = {"render_mode": None} if "render_mode" in kwargs else {}  # no window opens for a trial
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are given for the environment that is played
            env = make_wrapped(id, **kwargs | unseen)
            try:
                _take_first_step(env)
            finally:
                env.close()
    except Exception as error:  # whatever the environment's author did not think of
        return error
    return None


def _take_first_step(env: gymnasium.Env) -> None:
    name = env.spec.id
    returned = env.reset(seed=0)
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise ValueError(f"{name}: expected reset to return (observation, info), got {_short(repr(returned))}")
    check_observation(name, "reset", env.observation_space, returned[0])
    space = env.action_space
    if isinstance(space, gymnasium.spaces.Box):
        action = np.clip(np.zeros(space.shape), space.low, space.high).astype(space.dtype)
    else:
        space = copy.deepcopy(space)
        space.seed(0)
        action = space.sample()
    inner, step = env.unwrapped, env.unwrapped.step

    def checked_step(action):  # before it comes to Gymnasium's wrappers, which fail on what they do not expect
        returned = step(action)
        check_step(name, inner.observation_space, returned)
        return returned

    inner.step = checked_step
    check_step(name, env.observation_space, env.step(action))


def _reason(error: Exception) -> str:
    """Returns what an exception says, with its kind unless that says so itself, and the line of the user's own code."""
    text = _short(_ARGUMENTS.sub("", str(error)))
    speaks_for_itself = text and isinstance(error, ValueError | OSError | gymnasium.error.Error)
    return (text if speaks_for_itself else f"{type(error).__name__}: {text}") + _place(error)


def _place(error: Exception) -> str:
    """Returns the line that raised an exception, or called what did, outside this package and those installed."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and not any(path.is_relative_to(folder) for folder in _NOT_THE_USERS):
            return f" ({path.name}, line {frame.lineno})"
    return ""


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}…"
