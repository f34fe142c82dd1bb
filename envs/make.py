"""Making vector environments by id."""

import logging
from functools import cache, partial
from typing import Any

import gymnasium
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.envs.registration import load_env_creator
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from gymnasium.vector import VectorEnv
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from envs.fallback import AsyncFallbackVectorEnv, FallbackVectorEnv
from envs.go_nogo import GoNoGo, make_go_nogo
from envs.make_plain import Wrappers, make_plain, make_wrapped
from envs.mujoco_vector_env import MujocoVectorEnv
from envs.tasks import TASKS, Task
from native.arguments import check_choice, check_flag, check_whole
from native.warp_device import find_device

_PASSIVE_WRAPPERS = (OrderEnforcing, PassiveEnvChecker)  # of `gymnasium.make`; they change no number
_TASKS_OF_CLASSES = {task.env_class: task for task in TASKS.values()}
_MODES = ("sync", "async")
_PHYSICS = ("auto", "mujoco", "warp")
_OUTPUTS = ("numpy", "torch")
_ACTIONS = (Box, Discrete, MultiDiscrete, MultiBinary)
_LOGGER = logging.getLogger(__name__)


def make_vec(
    id: str,
    num_envs: int,
    num_threads: int = 0,
    *,
    physics: str = "auto",
    device: str = "cpu",
    deterministic: bool = True,
    output: str = "numpy",
    vectorization_mode: str | None = None,
    wrappers: Wrappers = (),
    **kwargs: Any,
) -> VectorEnv:
    """Makes copies of a Gymnasium environment that are stepped together.

    Gymnasium's own Hopper, Walker2d, HalfCheetah, Swimmer, Ant, Humanoid, HumanoidStandup, InvertedPendulum and
    InvertedDoublePendulum (all -v5) run natively on MuJoCo's thread pool and equal `gymnasium.make(id, **kwargs)` to
    the last bit, under whatever id they are registered, and with an XML file of the user's own as well; so do they with
    signals (HopperGoNoGo-v5 and so on, see `envs.GoNoGo`). Everything else, such as a class derived from theirs, or one
    of them with further wrappers, is played by Gymnasium one step at a time: in its `SyncVectorEnv` or, if asked for,
    in several processes. A MuJoCo environment that is played so is logged as a warning, once.

    All keep the same contract: autoreset is disabled; `reset` takes `options={"reset_mask": (B,) bool}`; and a finished
    sub-environment keeps its last observation and flags, is not simulated and pays 0 until it is reset. A copy, by
    `pickle` or `copy`, is made anew, see `envs.remaking`. Observations may be of any space that Gymnasium can put
    together; actions of a `Box`, `Discrete`, `MultiDiscrete` or `MultiBinary`.

    With `physics="warp"` the nine run on MuJoCo Warp, in single precision, on a CPU or a CUDA device (extra `gpu`), see
    `envs.warp.vector_env`. Nothing else runs there.

    Args:
        id: Environment id, as for `gymnasium.make`.
        num_envs: Number of sub-environments B.
        num_threads: Number of threads of the native physics, or of the processes of "async"; 0 for all cores, or
            `OMP_NUM_THREADS` if that is smaller. Results do not depend on it.
        physics: "mujoco" for all that is said above, "warp" for MuJoCo Warp; "auto" is "warp" on a device other than
            "cpu".
        device: "cpu", "cuda" for the current CUDA device, or "cuda:0", "cuda:1" and so on.
        deterministic: Whether MuJoCo Warp does all that it can to repeat its results on a CUDA device to the last bit,
            which takes longer and is not yet enough where bodies touch, see `envs.warp.model`. On a CPU they always
            repeat.
        output: "torch" for tensors on the device with `physics="warp"`, see `envs.warp.vector_env`.
        vectorization_mode: "sync" lets Gymnasium play all sub-environments in this process, "async" in several; None
            plays natively where that is possible, else as "sync". Results do not depend on it.
        wrappers: Functions, such as classes of wrappers, each of which is called with an environment and returns
            another; every sub-environment goes through all of them in this order.
        **kwargs: Keywords of `gymnasium.make` for this id: reward weights, healthy ranges, `frame_skip`,
            `max_episode_steps`, `reset_noise_scale` and others. What `make_vec` takes itself (all the names above) does
            not reach an environment of your own; give it such keywords in `gymnasium.register(…, kwargs={…})`.

    Raises:
        ValueError: If the id is unknown, a number is out of range, or the environment cannot be made or played.
        TypeError: If a keyword is unknown, or of a type that the environment refuses.
        ImportError: If `physics="warp"` needs what is not installed.
        EnvProcessError: If a process of "async" ends.
        MemoryError: If there is no memory for so many sub-environments.
    """
    if vectorization_mode is not None and vectorization_mode not in _MODES:
        raise ValueError(f"vectorization_mode: expected {' or '.join(_MODES)} or None, got {vectorization_mode!r}")
    num_envs = check_whole("num_envs", num_envs)
    num_threads = check_whole("num_threads", num_threads, minimum=0)
    on_warp = _is_on_warp(physics, device, output, vectorization_mode, wrappers)
    deterministic = check_flag("deterministic", deterministic)
    warp_device = _find_warp_device(device) if on_warp else None  # before anything is made
    template = make_plain(id, wrappers, **kwargs)
    task = native_task(template)
    if on_warp:
        env = _make_on_warp(task, template, num_envs, warp_device, deterministic, output)
    elif task is not None and vectorization_mode is None:
        env = MujocoVectorEnv(task, template, num_envs, num_threads)
    else:
        if vectorization_mode is None and isinstance(template.unwrapped, MujocoEnv):
            _warn_of_fallback(template.spec.id, type(template.unwrapped), bool(wrappers))
        template.close()
        _check_actions(template)
        if vectorization_mode == "async":
            known = gymnasium.spec(id) if isinstance(id, str) else id  # perhaps to this process alone
            make_one = partial(make_wrapped, known, wrappers, **kwargs)
            env = AsyncFallbackVectorEnv(make_one, template, num_envs, num_threads)
        else:
            env = FallbackVectorEnv(partial(make_wrapped, id, wrappers, **kwargs), num_envs)
    env.made_by = partial(
        make_vec,
        id,
        num_envs,
        num_threads,
        physics=physics,
        device=device,
        deterministic=deterministic,
        output=output,
        vectorization_mode=vectorization_mode,
        wrappers=wrappers,
        **kwargs,
    )
    return env


def _is_on_warp(physics: str, device: str, output: str, vectorization_mode: str | None, wrappers: Wrappers) -> bool:
    """Returns whether MuJoCo Warp is asked for.

    Raises:
        ValueError: If something is asked for that the physics asked for do not have.
    """
    check_choice("physics", physics, _PHYSICS)
    check_choice("output", output, _OUTPUTS)
    if physics == "warp" or (physics == "auto" and device != "cpu"):
        if vectorization_mode is not None:
            raise ValueError(f"vectorization_mode: expected None with physics='warp', got {vectorization_mode!r}")
        if wrappers:
            raise ValueError(f"wrappers: expected none with physics='warp', got {wrappers!r}")
        return True
    if device != "cpu":
        raise ValueError(f"device: expected 'cpu' with physics='mujoco', got {device!r}")
    if output != "numpy":
        raise ValueError(f"output: expected 'numpy' without physics='warp', got {output!r}")
    return False


def _find_warp_device(device: str):
    from envs.warp.model import load_mujoco_warp

    load_mujoco_warp()
    return find_device(device)


def _make_on_warp(task: Task | None, template: gymnasium.Env, num_envs: int, device, deterministic: bool, output: str):
    """Makes a task on MuJoCo Warp.

    Raises:
        ValueError: If it is none that MuJoCo Warp plays.
    """
    from envs.warp.tasks import READERS
    from envs.warp.vector_env import WarpVectorEnv

    if task is None or task.env_id not in READERS:
        raise ValueError(f"physics: expected 'mujoco' for {template.spec.id}; 'warp' plays {', '.join(READERS)}")
    return WarpVectorEnv(task, template, num_envs, device, deterministic=deterministic, output=output)


def _check_actions(env: gymnasium.Env) -> None:
    """Checks that the actions of several environments can be one array.

    Raises:
        ValueError: If not, naming the space.
    """
    if not isinstance(env.action_space, _ACTIONS):
        kinds = ", ".join(kind.__name__ for kind in _ACTIONS)
        raise ValueError(f"{env.spec.id}: expected an action space that is one of {kinds}, got {env.action_space}")


@cache
def _warn_of_fallback(env_id: str, env_class: type, is_wrapped: bool) -> None:
    why = f"its class {env_class.__module__}.{env_class.__qualname__} is none of the nine that run natively"
    if env_class in _TASKS_OF_CLASSES:
        why = "it has wrappers" if is_wrapped else "it is registered with more than its class"
    _LOGGER.warning("%s is played by Gymnasium, one step at a time, as %s", env_id, why)


def native_task(env: gymnasium.Env) -> Task | None:
    """Returns the native task that plays exactly as an environment of `gymnasium.make` does, or None.

    It is one whose class was called by the registration itself, and that nothing wraps but what `gymnasium.make` adds
    and one `GoNoGo`.
    """
    task = _TASKS_OF_CLASSES.get(type(env.unwrapped))
    creator = env.unwrapped.spec.entry_point
    creator = load_env_creator(creator) if isinstance(creator, str) else creator
    if task is None or creator not in (task.env_class, make_go_nogo):
        return None
    limits, signals = 0, 0
    while isinstance(env, gymnasium.Wrapper):
        limits += type(env) is TimeLimit
        signals += type(env) is GoNoGo
        if type(env) not in (TimeLimit, GoNoGo, *_PASSIVE_WRAPPERS) or limits > 1 or signals > 1:
            return None
        env = env.env
    return task
