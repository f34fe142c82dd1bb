"""Making vector environments by id."""

from functools import partial
from typing import Any

import gymnasium
from gymnasium.envs.registration import load_env_creator
from gymnasium.vector import VectorEnv
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from envs.fallback import FallbackVectorEnv
from envs.go_nogo import GoNoGo, make_go_nogo
from envs.make_plain import make_plain
from envs.mujoco_vector_env import MujocoVectorEnv
from envs.tasks import TASKS, Task
from native.arguments import check_whole

_PASSIVE_WRAPPERS = (OrderEnforcing, PassiveEnvChecker)  # of `gymnasium.make`; they change no number
_TASKS_OF_CLASSES = {task.env_class: task for task in TASKS.values()}


def make_vec(id: str, num_envs: int, num_threads: int = 0, **kwargs: Any) -> VectorEnv:
    """Makes copies of a Gymnasium environment that are stepped together.

    Gymnasium's own Hopper, Walker2d, HalfCheetah, Swimmer, Ant, Humanoid, HumanoidStandup, InvertedPendulum and
    InvertedDoublePendulum (all -v5) run natively on MuJoCo's thread pool and equal `gymnasium.make(id, **kwargs)` to
    the last bit, under whatever id they are registered; so do they with signals (HopperGoNoGo-v5 and so on, see
    `envs.GoNoGo`). Everything else, such as another class registered under one of
    these ids, or one of them with further wrappers, runs in Gymnasium's `SyncVectorEnv`. Both keep the same contract:
    autoreset is disabled; `reset` takes `options={"reset_mask": (B,) bool}`; and a finished sub-environment keeps its
    last observation and flags, is not simulated and pays 0 until it is reset. A copy, by `pickle` or `copy`, is made
    anew, see `envs.remaking`.

    Args:
        id: Environment id, as for `gymnasium.make`.
        num_envs: Number of sub-environments B.
        num_threads: Number of threads of the native physics; 0 for all cores, or `OMP_NUM_THREADS` if that is smaller.
            Results do not depend on it.
        **kwargs: Keywords of `gymnasium.make` for this id: reward weights, healthy ranges, `frame_skip`,
            `max_episode_steps`, `reset_noise_scale` and others.

    Raises:
        ValueError: If the id is unknown, a number is out of range, or the environment cannot be made or played.
        TypeError: If a keyword is unknown, or of a type that the environment refuses.
    """
    num_envs = check_whole("num_envs", num_envs)
    num_threads = check_whole("num_threads", num_threads, minimum=0)
    template = make_plain(id, **kwargs)
    task = native_task(template)
    if task is not None:
        env = MujocoVectorEnv(task, template, num_envs, num_threads)
    else:
        template.close()
        env = FallbackVectorEnv(partial(gymnasium.make, id, **kwargs), num_envs)
    env.made_by = partial(make_vec, id, num_envs, num_threads, **kwargs)
    return env


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
