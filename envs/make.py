"""Making vector environments by id."""

import difflib
from functools import partial
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from envs.fallback import FallbackVectorEnv
from envs.mujoco_vector_env import MujocoVectorEnv
from envs.mujoco_warnings import log_mujoco_warnings
from envs.tasks import TASKS
from native.arguments import check_whole


def make_vec(id: str, num_envs: int, num_threads: int = 0, **kwargs: Any) -> VectorEnv:
    """Makes copies of a Gymnasium environment that are stepped together.

    Hopper, Walker2d, HalfCheetah, Swimmer, Ant, Humanoid, HumanoidStandup, InvertedPendulum and InvertedDoublePendulum
    (all -v5) run natively on MuJoCo's thread pool and equal `gymnasium.make(id, **kwargs)` to the last bit. Any other
    id runs in Gymnasium's `SyncVectorEnv`. Both keep the same contract: autoreset is disabled; `reset` takes
    `options={"reset_mask": (B,) bool}`; and a finished sub-environment keeps its last observation and flags, is not
    simulated and pays 0 until it is reset. A copy, by `pickle` or `copy`, is made anew, see `envs.remaking`.

    Args:
        id: Environment id, as for `gymnasium.make`.
        num_envs: Number of sub-environments B.
        num_threads: Number of threads of the native physics; 0 for all cores, or `OMP_NUM_THREADS` if that is smaller.
            Results do not depend on it.
        **kwargs: Keywords of `gymnasium.make` for this id: reward weights, healthy ranges, `frame_skip`,
            `max_episode_steps`, `reset_noise_scale` and others.

    Raises:
        ValueError: If the id is unknown, or a number is out of range.
        TypeError: If a keyword is unknown.
    """
    num_envs = check_whole("num_envs", num_envs)
    num_threads = check_whole("num_threads", num_threads, minimum=0)
    log_mujoco_warnings()
    template = _make_one(id, kwargs)
    if id in TASKS:
        env = MujocoVectorEnv(TASKS[id], template, num_envs, num_threads)
    else:
        template.close()
        env = FallbackVectorEnv(partial(_make_one, id, kwargs), num_envs)
    env.made_by = partial(make_vec, id, num_envs, num_threads, **kwargs)
    return env


def _make_one(id: str, kwargs: dict[str, Any]) -> gymnasium.Env:
    try:
        return gymnasium.make(id, **kwargs)
    except (gymnasium.error.UnregisteredEnv, gymnasium.error.Error) as error:
        close = difflib.get_close_matches(str(id), gymnasium.registry.keys(), n=1)
        hint = f"; did you mean {close[0]!r}?" if close and close[0] != id else ""
        raise ValueError(f"id: cannot make {id!r}{hint} ({error})") from error
    except TypeError as error:
        raise TypeError(f"{id} refused its keywords {sorted(kwargs)}: {error}") from error
