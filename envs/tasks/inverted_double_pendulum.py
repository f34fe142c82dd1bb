"""InvertedDoublePendulum-v5 (https://gymnasium.farama.org/environments/mujoco/inverted_double_pendulum/)."""

import math

import numpy as np
from gymnasium.envs.mujoco.inverted_double_pendulum_v5 import InvertedDoublePendulumEnv
from numba import carray, from_dtype

from envs.episode_kernel import TASK_SIGNATURE, call_record, data_array
from envs.tasks.task import Task, clip, locate_root
from native.compiled import callback, compiled
from native.pointers import bool_array, float64_row, pointer_cast

# The exponent comes from memory: Gymnasium squares NumPy scalars with libm's pow, whose result differs in the last bit
# from x * x about once in a thousand, and a constant exponent would be compiled to x * x.
PARAMETERS = np.dtype([("healthy_reward", np.float64), ("exponent", np.float64)])
_as_parameters = pointer_cast(from_dtype(PARAMETERS))


@compiled
def _power(x, exponent):
    return x**exponent


@callback(TASK_SIGNATURE)
def observe(data, argument, slot):
    """Writes the position of the cart, sines and cosines of the angles, and clipped velocities and constraint force."""
    call = call_record(argument)
    qpos = data_array(data, call.data_qpos, call.nq)
    qvel = data_array(data, call.data_qvel, call.nv)
    observation = float64_row(call.observations, slot, call.num_observations)
    observation[0] = qpos[0]
    for i in range(1, call.nq):
        observation[i] = math.sin(qpos[i])
        observation[call.nq - 1 + i] = math.cos(qpos[i])
    start = 2 * call.nq - 1
    for i in range(call.nv):
        observation[start + i] = clip(qvel[i], -10.0, 10.0)
    observation[start + call.nv] = clip(data_array(data, call.data_qfrc_constraint, 1)[0], -10.0, 10.0)


@callback(TASK_SIGNATURE)
def transition(data, argument, slot):
    """Writes the reward (an alive bonus less distance and velocity penalties), whether the tip is low, and `info`."""
    call = call_record(argument)
    parameters = carray(_as_parameters(call.parameters), (1,))[0]
    info = float64_row(call.info, slot, call.num_info)
    tip = data_array(data, call.data_site_xpos, 3)
    qvel = data_array(data, call.data_qvel, call.nv)
    two = parameters.exponent
    terminated = tip[2] <= 1
    alive_bonus = 0.0 if terminated else parameters.healthy_reward
    distance = 0.01 * _power(tip[0], two) + _power(tip[2] - 2, two)
    velocity = 1e-3 * _power(qvel[1], two) + 5e-3 * _power(qvel[2], two)
    float64_row(call.rewards, slot, 1)[0] = alive_bonus - distance - velocity
    bool_array(call.terminated, slot + 1)[slot] = terminated
    info[0] = alive_bonus
    info[1] = -distance
    info[2] = -velocity


INVERTED_DOUBLE_PENDULUM = Task(
    env_id="InvertedDoublePendulum-v5",
    env_class=InvertedDoublePendulumEnv,
    parameters=PARAMETERS,
    observe=observe,
    transition=transition,
    locate=locate_root,
    step_info=("reward_survive", "distance_penalty", "velocity_penalty"),
)
