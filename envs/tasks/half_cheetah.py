"""HalfCheetah-v5 (https://gymnasium.farama.org/environments/mujoco/half_cheetah/)."""

import numpy as np
from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv
from numba import carray, from_dtype

from envs.episode_kernel import TASK_SIGNATURE, call_record
from envs.tasks.task import X_POSITION, Task, control_cost, locate_root, observe_positions
from native.compiled import callback
from native.pointers import bool_array, float64_row, pointer_cast

PARAMETERS = np.dtype(
    [
        ("forward_reward_weight", np.float64),
        ("ctrl_cost_weight", np.float64),
        ("exclude_current_positions_from_observation", np.int64),
    ]
)
_as_parameters = pointer_cast(from_dtype(PARAMETERS))


@callback(TASK_SIGNATURE)
def observe(data, argument, slot):
    """Writes positions (without x, unless asked for) and velocities."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    observe_positions(data, call, slot, parameters.exclude_current_positions_from_observation)


@callback(TASK_SIGNATURE)
def transition(data, argument, slot):
    """Writes the reward (progress less control cost) and `info`; the episode never terminates."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    before = float64_row(call.before, slot, 2)
    after = float64_row(call.after, slot, 2)
    info = float64_row(call.info, slot, call.num_info)
    velocity = (after[0] - before[0]) / call.dt
    forward = parameters.forward_reward_weight * velocity
    cost = control_cost(call, slot, parameters.ctrl_cost_weight)
    float64_row(call.rewards, slot, 1)[0] = forward - cost
    bool_array(call.terminated, slot + 1)[slot] = False
    info[0] = velocity
    info[1] = forward
    info[2] = -cost


HALF_CHEETAH = Task(
    env_id="HalfCheetah-v5",
    env_class=HalfCheetahEnv,
    parameters=PARAMETERS,
    observe=observe,
    transition=transition,
    locate=locate_root,
    step_info=("x_velocity", "reward_forward", "reward_ctrl"),
    state_info=X_POSITION,
)
