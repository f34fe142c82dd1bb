"""Hopper-v5 (https://gymnasium.farama.org/environments/mujoco/hopper/)."""

import numpy as np
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from numba import carray, from_dtype

from envs.episode_kernel import TASK_SIGNATURE, call_record, data_array
from envs.tasks.task import X_POSITION, Task, clip, control_cost, locate_root, observe_positions
from native.compiled import callback
from native.pointers import bool_array, float64_row, pointer_cast

PARAMETERS = np.dtype(
    [
        ("forward_reward_weight", np.float64),
        ("ctrl_cost_weight", np.float64),
        ("healthy_reward", np.float64),
        ("terminate_when_unhealthy", np.int64),
        ("healthy_state_range", np.float64, 2),
        ("healthy_z_range", np.float64, 2),
        ("healthy_angle_range", np.float64, 2),
        ("exclude_current_positions_from_observation", np.int64),
    ]
)
_as_parameters = pointer_cast(from_dtype(PARAMETERS))


@callback(TASK_SIGNATURE)
def observe(data, argument, slot):
    """Writes positions (without x, unless asked for), and velocities clipped to [−10, 10]."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    end = observe_positions(data, call, slot, parameters.exclude_current_positions_from_observation)
    observation = float64_row(call.observations, slot, call.num_observations)
    for i in range(end - call.nv, end):
        observation[i] = clip(observation[i], -10.0, 10.0)


@callback(TASK_SIGNATURE)
def transition(data, argument, slot):
    """Writes the reward (progress and health less control cost), whether the hopper is unhealthy, and `info`."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    qpos = data_array(data, call.data_qpos, call.nq)
    qvel = data_array(data, call.data_qvel, call.nv)
    before = float64_row(call.before, slot, 2)
    after = float64_row(call.after, slot, 2)
    info = float64_row(call.info, slot, call.num_info)

    low, high = parameters.healthy_state_range[0], parameters.healthy_state_range[1]
    healthy = True
    for i in range(2, call.nq):
        healthy = healthy and low < qpos[i] and qpos[i] < high
    for i in range(call.nv):
        healthy = healthy and low < qvel[i] and qvel[i] < high
    healthy = healthy and parameters.healthy_z_range[0] < qpos[1] and qpos[1] < parameters.healthy_z_range[1]
    healthy = healthy and parameters.healthy_angle_range[0] < qpos[2] and qpos[2] < parameters.healthy_angle_range[1]

    velocity = (after[0] - before[0]) / call.dt
    forward = parameters.forward_reward_weight * velocity
    survive = parameters.healthy_reward if healthy else 0.0
    cost = control_cost(call, slot, parameters.ctrl_cost_weight)
    float64_row(call.rewards, slot, 1)[0] = (forward + survive) - cost
    bool_array(call.terminated, slot + 1)[slot] = (not healthy) and parameters.terminate_when_unhealthy != 0
    info[0] = velocity
    info[1] = forward
    info[2] = -cost
    info[3] = survive


HOPPER = Task(
    env_id="Hopper-v5",
    env_class=HopperEnv,
    parameters=PARAMETERS,
    observe=observe,
    transition=transition,
    locate=locate_root,
    step_info=("x_velocity", "reward_forward", "reward_ctrl", "reward_survive"),
    state_info=X_POSITION | {"z_distance_from_origin": lambda qpos, init: qpos[:, 1] - init[1]},
)
