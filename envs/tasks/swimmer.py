"""Swimmer-v5 (https://gymnasium.farama.org/environments/mujoco/swimmer/)."""

from gymnasium.envs.mujoco.swimmer_v5 import SwimmerEnv
from numba import carray, from_dtype

from envs.episode_kernel import TASK_SIGNATURE, call_record
from envs.tasks.half_cheetah import PARAMETERS
from envs.tasks.task import DISTANCE, XY_POSITION, Task, control_cost, locate_root, observe_positions
from native.compiled import callback
from native.pointers import bool_array, float64_row, pointer_cast

_as_parameters = pointer_cast(from_dtype(PARAMETERS))


@callback(TASK_SIGNATURE)
def observe(data, argument, slot):
    """Writes positions (without x and y, unless asked for) and velocities."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    observe_positions(data, call, slot, 2 * parameters.exclude_current_positions_from_observation)


@callback(TASK_SIGNATURE)
def transition(data, argument, slot):
    """Writes the reward (progress less control cost) and `info`; the episode never terminates."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    before = float64_row(call.before, slot, 2)
    after = float64_row(call.after, slot, 2)
    info = float64_row(call.info, slot, call.num_info)
    x_velocity = (after[0] - before[0]) / call.dt
    forward = parameters.forward_reward_weight * x_velocity
    cost = control_cost(call, slot, parameters.ctrl_cost_weight)
    float64_row(call.rewards, slot, 1)[0] = forward - cost
    bool_array(call.terminated, slot + 1)[slot] = False
    info[0] = x_velocity
    info[1] = (after[1] - before[1]) / call.dt
    info[2] = forward
    info[3] = -cost


SWIMMER = Task(
    env_id="Swimmer-v5",
    env_class=SwimmerEnv,
    parameters=PARAMETERS,
    observe=observe,
    transition=transition,
    locate=locate_root,
    step_info=("x_velocity", "y_velocity", "reward_forward", "reward_ctrl"),
    state_info=XY_POSITION | DISTANCE,
)
