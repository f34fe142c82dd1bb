"""What the vector environment must know of a task, and pieces that tasks share."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from envs.episode_kernel import TASK_SIGNATURE, call_record, data_array
from envs.sums import sum_squares
from native.compiled import callback, compiled
from native.pointers import float64_row

StateInfo = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Task:
    """One of Gymnasium's MuJoCo environments.

    ``locate``, ``observe`` and ``transition`` are numba C functions ``(mjData*, call record*, slot)``: the first writes
    the position that velocities are taken from into ``after``; the second the observation; the third reward,
    termination and the numbers named ``step_info``.
    """

    env_id: str
    parameters: np.dtype
    """Record of the environment's settings; each name is the environment's attribute ``_name``, pairs included."""
    observe: object
    transition: object
    locate: object
    step_info: tuple[str, ...]
    """Names in ``info`` of the numbers that ``transition`` writes, in order."""
    state_info: dict[str, StateInfo] = field(default_factory=dict)
    """Names in ``info`` computed from (qpos (B, nq), init_qpos (nq,)) after reset and step."""
    contact_forces: bool = False
    """Whether ``cfrc_ext`` is read, which needs ``mj_rnePostConstraint``."""
    tendon_info: bool = False
    """Whether ``info`` holds tendon_length and tendon_velocity."""


X_POSITION: dict[str, StateInfo] = {"x_position": lambda qpos, init: qpos[:, 0]}
XY_POSITION = X_POSITION | {"y_position": lambda qpos, init: qpos[:, 1]}


def _distance(qpos: np.ndarray, init: np.ndarray) -> np.ndarray:
    """``np.linalg.norm`` of each row's first two coordinates: the same ``dot``, whose rounding is BLAS's own affair."""
    return np.sqrt([xy.dot(xy) for xy in qpos[:, :2]])


DISTANCE: dict[str, StateInfo] = {"distance_from_origin": _distance}


@callback(TASK_SIGNATURE)
def locate_root(data, argument, slot):
    """The position is that of the first two joint coordinates."""
    call = call_record(argument)
    qpos = data_array(data, call.data_qpos, call.nq)
    after = float64_row(call.after, slot, 2)
    after[0] = qpos[0]
    after[1] = qpos[1]


@compiled
def clip(value, low, high):
    """``np.clip`` of a number: NaN stays NaN."""
    if value < low:
        return low
    if value > high:
        return high
    return value


@compiled
def copy_into(observation, start, values):
    """Write ``values`` from index ``start`` on; return the index behind them."""
    for i in range(values.size):
        observation[start + i] = values[i]
    return start + values.size


@compiled
def observe_positions(data, call, slot, skipped):
    """Write qpos without its first ``skipped`` numbers, then qvel; return the index behind them."""
    observation = float64_row(call.observations, slot, call.num_observations)
    end = copy_into(observation, 0, data_array(data, call.data_qpos, call.nq)[skipped:])
    return copy_into(observation, end, data_array(data, call.data_qvel, call.nv))


@compiled
def control_cost(call, slot, weight):
    """``weight * np.sum(np.square(action))`` in the precision of the action, as NumPy promotes it."""
    action = float64_row(call.actions, slot, call.nu)
    scratch = float64_row(call.squares, slot, call.num_squares)
    if call.single_precision_actions != 0:
        single = scratch.view(np.float32)[: call.nu]
        return np.float64(np.float32(weight) * sum_squares(action, single))
    return weight * sum_squares(action, scratch[: call.nu])
