"""Ant-v5 (https://gymnasium.farama.org/environments/mujoco/ant/)."""

import numpy as np
from gymnasium.envs.mujoco.ant_v5 import AntEnv
from numba import carray, from_dtype

from envs.episode_kernel import TASK_SIGNATURE, call_record, data_array
from envs.sums import sum_squares
from envs.tasks.task import DISTANCE, XY_POSITION, Task, clip, control_cost, observe_positions
from native.compiled import callback
from native.pointers import bool_array, float64_row, pointer_cast

PARAMETERS = np.dtype(
    [
        ("forward_reward_weight", np.float64),
        ("ctrl_cost_weight", np.float64),
        ("contact_cost_weight", np.float64),
        ("healthy_reward", np.float64),
        ("main_body", np.int64),
        ("terminate_when_unhealthy", np.int64),
        ("healthy_z_range", np.float64, 2),
        ("contact_force_range", np.float64, 2),
        ("exclude_current_positions_from_observation", np.int64),
        ("include_cfrc_ext_in_observation", np.int64),
    ]
)
_as_parameters = pointer_cast(from_dtype(PARAMETERS))


@callback(TASK_SIGNATURE)
def locate(data, argument, slot):
    """Writes the position of the main body."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    xpos = data_array(data, call.data_xpos, 3 * call.nbody)
    after = float64_row(call.after, slot, 2)
    after[0] = xpos[3 * parameters.main_body]
    after[1] = xpos[3 * parameters.main_body + 1]


@callback(TASK_SIGNATURE)
def observe(data, argument, slot):
    """Writes positions (without x and y, unless asked for), velocities and, if asked for, clipped contact forces."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    end = observe_positions(data, call, slot, 2 * parameters.exclude_current_positions_from_observation)
    if parameters.include_cfrc_ext_in_observation != 0:
        forces = data_array(data, call.data_cfrc_ext, 6 * call.nbody)
        observation = float64_row(call.observations, slot, call.num_observations)
        low, high = parameters.contact_force_range[0], parameters.contact_force_range[1]
        for i in range(6, 6 * call.nbody):
            observation[end + i - 6] = clip(forces[i], low, high)


@callback(TASK_SIGNATURE)
def transition(data, argument, slot):
    """Writes the reward (progress and health less control and contact costs), whether it is unhealthy, and `info`."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    qpos = data_array(data, call.data_qpos, call.nq)
    qvel = data_array(data, call.data_qvel, call.nv)
    before = float64_row(call.before, slot, 2)
    after = float64_row(call.after, slot, 2)
    info = float64_row(call.info, slot, call.num_info)

    healthy = parameters.healthy_z_range[0] <= qpos[2] and qpos[2] <= parameters.healthy_z_range[1]
    for i in range(call.nq):
        healthy = healthy and np.isfinite(qpos[i])
    for i in range(call.nv):
        healthy = healthy and np.isfinite(qvel[i])

    x_velocity = (after[0] - before[0]) / call.dt
    forward = x_velocity * parameters.forward_reward_weight
    survive = parameters.healthy_reward if healthy else 0.0
    cost = control_cost(call, slot, parameters.ctrl_cost_weight)

    forces = data_array(data, call.data_cfrc_ext, 6 * call.nbody)
    scratch = float64_row(call.squares, slot, call.num_squares)
    clipped = scratch[: forces.size]
    for i in range(forces.size):
        clipped[i] = clip(forces[i], parameters.contact_force_range[0], parameters.contact_force_range[1])
    contact_cost = parameters.contact_cost_weight * sum_squares(clipped, clipped)

    float64_row(call.rewards, slot, 1)[0] = (forward + survive) - (cost + contact_cost)
    bool_array(call.terminated, slot + 1)[slot] = (not healthy) and parameters.terminate_when_unhealthy != 0
    info[0] = x_velocity
    info[1] = (after[1] - before[1]) / call.dt
    info[2] = forward
    info[3] = -cost
    info[4] = -contact_cost
    info[5] = survive


ANT = Task(
    env_id="Ant-v5",
    env_class=AntEnv,
    parameters=PARAMETERS,
    observe=observe,
    transition=transition,
    locate=locate,
    step_info=("x_velocity", "y_velocity", "reward_forward", "reward_ctrl", "reward_contact", "reward_survive"),
    state_info=XY_POSITION | DISTANCE,
    contact_forces=True,
)
