"""What the vector environment must know of a task, and the pieces that tasks share."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from gymnasium.envs.mujoco import MujocoEnv

from envs.episode_kernel import TASK_SIGNATURE, call_record, data_array
from envs.sums import sum_squares
from native.compiled import Callback, callback, compiled
from native.pointers import float64_row

StateInfo = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Task:
    """One of Gymnasium's MuJoCo environments.

    Its three C functions take `(mjData*, call record*, slot)` and write to the arrays of the call record.

    Attributes:
        env_id: Gymnasium's id.
        env_class: Gymnasium's class.
        parameters: Record of the environment's settings; each name is the environment's attribute `_name`.
        observe: C function that writes the observation.
        transition: C function that writes the reward, termination and the numbers of `step_info`.
        locate: C function that writes the position that velocities are taken from to `after`.
        step_info: Names in `info` of the numbers that `transition` writes, in order.
        state_info: Names in `info` and functions that compute them from (qpos (B, nq), init_qpos (nq,)) after each
            reset and step.
        contact_forces: Whether `cfrc_ext` is read, which needs `mj_rnePostConstraint`.
        tendon_info: Whether `info` holds tendon_length and tendon_velocity.
    """

    env_id: str
    env_class: type[MujocoEnv]
    parameters: np.dtype
    observe: Callback
    transition: Callback
    locate: Callback
    step_info: tuple[str, ...]
    state_info: dict[str, StateInfo] = field(default_factory=dict)
    contact_forces: bool = False
    tendon_info: bool = False


X_POSITION: dict[str, StateInfo] = {"x_position": lambda qpos, init: qpos[:, 0]}
XY_POSITION = X_POSITION | {"y_position": lambda qpos, init: qpos[:, 1]}


def _distance(qpos: np.ndarray, init: np.ndarray) -> np.ndarray:
    """Returns `np.linalg.norm` of each row's first two coordinates, with the same `dot`, so that it rounds alike."""
    return np.sqrt([xy.dot(xy) for xy in qpos[:, :2]])


DISTANCE: dict[str, StateInfo] = {"distance_from_origin": _distance}


@callback(TASK_SIGNATURE)
def locate_root(data, argument, slot):
    """Writes the first two joint coordinates as the position."""
    call = call_record(argument)
    qpos = data_array(data, call.data_qpos, call.nq)
    after = float64_row(call.after, slot, 2)
    after[0] = qpos[0]
    after[1] = qpos[1]


@compiled
def clip(value, low, high):
    """Returns `np.clip` of a number; NaN stays NaN."""
    if value < low:
        return low
    if value > high:
        return high
    return value


@compiled
def copy_into(observation, start, values):
    """Writes `values` from index `start` on, and returns the index after them."""
    for i in range(values.size):
        observation[start + i] = values[i]
    return start + values.size


@compiled
def observe_positions(data, call, slot, skipped):
    """Writes qpos without its first `skipped` numbers, then qvel, and returns the index after them."""
    observation = float64_row(call.observations, slot, call.num_observations)
    end = copy_into(observation, 0, data_array(data, call.data_qpos, call.nq)[skipped:])
    return copy_into(observation, end, data_array(data, call.data_qvel, call.nv))


@compiled
def control_cost(call, slot, weight):
    """Returns `weight * np.sum(np.square(action))` in the precision of the action, as NumPy promotes it."""
    action = float64_row(call.actions, slot, call.nu)
    scratch = float64_row(call.squares, slot, call.num_squares)
    if call.single_precision_actions != 0:
        single = scratch.view(np.float32)[: call.nu]
        return np.float64(np.float32(weight) * sum_squares(action, single))
    return weight * sum_squares(action, scratch[: call.nu])
