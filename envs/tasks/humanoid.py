"""Humanoid-v5 (https://gymnasium.farama.org/environments/mujoco/humanoid/)."""

import numpy as np
from gymnasium.envs.mujoco.humanoid_v5 import HumanoidEnv
from numba import carray, from_dtype

from envs.episode_kernel import TASK_SIGNATURE, call_record, data_array
from envs.sums import sum_squares
from envs.tasks.task import DISTANCE, XY_POSITION, Task, clip, copy_into, observe_positions
from native.compiled import callback, compiled
from native.pointers import bool_array, float64_row, pointer_cast

OBSERVATION_PARAMETERS = [
    ("exclude_current_positions_from_observation", np.int64),
    ("include_cinert_in_observation", np.int64),
    ("include_cvel_in_observation", np.int64),
    ("include_qfrc_actuator_in_observation", np.int64),
    ("include_cfrc_ext_in_observation", np.int64),
]
PARAMETERS = np.dtype(
    [
        ("forward_reward_weight", np.float64),
        ("ctrl_cost_weight", np.float64),
        ("contact_cost_weight", np.float64),
        ("contact_cost_range", np.float64, 2),
        ("healthy_reward", np.float64),
        ("terminate_when_unhealthy", np.int64),
        ("healthy_z_range", np.float64, 2),
        ("body_mass_address", np.int64),
        ("total_mass", np.float64),
        *OBSERVATION_PARAMETERS,
    ]
)
_as_parameters = pointer_cast(from_dtype(PARAMETERS))


@compiled
def observe_body(data, call, slot, parameters):
    """Writes the observation of Humanoid and HumanoidStandup, and the tendons that `info` shows."""
    end = observe_positions(data, call, slot, 2 * parameters.exclude_current_positions_from_observation)
    observation = float64_row(call.observations, slot, call.num_observations)
    if parameters.include_cinert_in_observation != 0:
        end = copy_into(observation, end, data_array(data, call.data_cinert, 10 * call.nbody)[10:])
    if parameters.include_cvel_in_observation != 0:
        end = copy_into(observation, end, data_array(data, call.data_cvel, 6 * call.nbody)[6:])
    if parameters.include_qfrc_actuator_in_observation != 0:
        end = copy_into(observation, end, data_array(data, call.data_qfrc_actuator, call.nv)[6:])
    if parameters.include_cfrc_ext_in_observation != 0:
        copy_into(observation, end, data_array(data, call.data_cfrc_ext, 6 * call.nbody)[6:])
    tendons = float64_row(call.tendons, slot, 2 * call.ntendon)
    end = copy_into(tendons, 0, data_array(data, call.data_ten_length, call.ntendon))
    copy_into(tendons, end, data_array(data, call.data_ten_velocity, call.ntendon))


@compiled
def squared_ctrl_and_contacts(data, call, slot):
    """Returns the sums of squares of the controls and of the external contact forces."""
    scratch = float64_row(call.squares, slot, call.num_squares)
    ctrl = sum_squares(data_array(data, call.data_ctrl, call.nu), scratch[: call.nu])
    forces = data_array(data, call.data_cfrc_ext, 6 * call.nbody)
    return ctrl, sum_squares(forces, scratch[: forces.size])


@callback(TASK_SIGNATURE)
def locate(data, argument, slot):
    """Writes the position of the centre of mass."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    mass = float64_row(parameters.body_mass_address, 0, call.nbody)
    xipos = data_array(data, call.data_xipos, 3 * call.nbody)
    x = 0.0
    y = 0.0
    for body in range(call.nbody):
        x += mass[body] * xipos[3 * body]
        y += mass[body] * xipos[3 * body + 1]
    after = float64_row(call.after, slot, 2)
    after[0] = x / parameters.total_mass
    after[1] = y / parameters.total_mass


@callback(TASK_SIGNATURE)
def observe(data, argument, slot):
    """Writes positions, velocities and the other parts of the observation that are asked for."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    observe_body(data, call, slot, parameters)


@callback(TASK_SIGNATURE)
def transition(data, argument, slot):
    """Writes the reward (progress and health less control and contact costs), whether the humanoid fell, and `info`."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    qpos = data_array(data, call.data_qpos, call.nq)
    before = float64_row(call.before, slot, 2)
    after = float64_row(call.after, slot, 2)
    info = float64_row(call.info, slot, call.num_info)
    healthy = parameters.healthy_z_range[0] < qpos[2] and qpos[2] < parameters.healthy_z_range[1]
    x_velocity = (after[0] - before[0]) / call.dt
    forward = parameters.forward_reward_weight * x_velocity
    survive = parameters.healthy_reward if healthy else 0.0
    ctrl, contacts = squared_ctrl_and_contacts(data, call, slot)
    ctrl_cost = parameters.ctrl_cost_weight * ctrl
    contact_cost = clip(
        parameters.contact_cost_weight * contacts, parameters.contact_cost_range[0], parameters.contact_cost_range[1]
    )
    float64_row(call.rewards, slot, 1)[0] = (forward + survive) - (ctrl_cost + contact_cost)
    bool_array(call.terminated, slot + 1)[slot] = (not healthy) and parameters.terminate_when_unhealthy != 0
    info[0] = x_velocity
    info[1] = (after[1] - before[1]) / call.dt
    info[2] = survive
    info[3] = forward
    info[4] = -ctrl_cost
    info[5] = -contact_cost


HUMANOID = Task(
    env_id="Humanoid-v5",
    env_class=HumanoidEnv,
    parameters=PARAMETERS,
    observe=observe,
    transition=transition,
    locate=locate,
    step_info=("x_velocity", "y_velocity", "reward_survive", "reward_forward", "reward_ctrl", "reward_contact"),
    state_info=XY_POSITION | DISTANCE,
    contact_forces=True,
    tendon_info=True,
)
