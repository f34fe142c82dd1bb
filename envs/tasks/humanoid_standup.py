"""HumanoidStandup-v5 (https://gymnasium.farama.org/environments/mujoco/humanoid_standup/)."""

import numpy as np
from gymnasium.envs.mujoco.humanoidstandup_v5 import HumanoidStandupEnv
from numba import carray, from_dtype

from envs.episode_kernel import TASK_SIGNATURE, call_record, data_array
from envs.tasks.humanoid import OBSERVATION_PARAMETERS, observe_body, squared_ctrl_and_contacts
from envs.tasks.task import XY_POSITION, Task, clip, locate_root
from native.compiled import callback
from native.pointers import bool_array, float64_row, pointer_cast

PARAMETERS = np.dtype(
    [
        ("ctrl_cost_weight", np.float64),
        ("impact_cost_weight", np.float64),
        ("impact_cost_range", np.float64, 2),
        ("timestep", np.float64),
        *OBSERVATION_PARAMETERS,
    ]
)
_as_parameters = pointer_cast(from_dtype(PARAMETERS))


@callback(TASK_SIGNATURE)
def observe(data, argument, slot):
    """Writes positions, velocities and the other parts of the observation that are asked for."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    observe_body(data, call, slot, parameters)


@callback(TASK_SIGNATURE)
def transition(data, argument, slot):
    """Writes the reward (height less control and impact costs) and `info`; the episode never terminates."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    qpos = data_array(data, call.data_qpos, call.nq)
    info = float64_row(call.info, slot, call.num_info)
    height = qpos[2] / parameters.timestep
    ctrl, contacts = squared_ctrl_and_contacts(data, call, slot)
    ctrl_cost = parameters.ctrl_cost_weight * ctrl
    impact_cost = clip(
        parameters.impact_cost_weight * contacts, parameters.impact_cost_range[0], parameters.impact_cost_range[1]
    )
    float64_row(call.rewards, slot, 1)[0] = height - ctrl_cost - impact_cost + 1
    bool_array(call.terminated, slot + 1)[slot] = False
    info[0] = height
    info[1] = -ctrl_cost
    info[2] = -impact_cost


HUMANOID_STANDUP = Task(
    env_id="HumanoidStandup-v5",
    env_class=HumanoidStandupEnv,
    parameters=PARAMETERS,
    observe=observe,
    transition=transition,
    locate=locate_root,
    step_info=("reward_linup", "reward_quadctrl", "reward_impact"),
    state_info=XY_POSITION | {"z_distance_from_origin": lambda qpos, init: qpos[:, 2] - init[2]},
    contact_forces=True,
    tendon_info=True,
)
