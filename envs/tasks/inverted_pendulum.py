"""InvertedPendulum-v5 (https://gymnasium.farama.org/environments/mujoco/inverted_pendulum/)."""

import numpy as np
from gymnasium.envs.mujoco.inverted_pendulum_v5 import InvertedPendulumEnv

from envs.episode_kernel import TASK_SIGNATURE, call_record
from envs.tasks.task import Task, locate_root, observe_positions
from native.compiled import callback
from native.pointers import bool_array, float64_row


@callback(TASK_SIGNATURE)
def observe(data, argument, slot):
    """Writes positions and velocities."""
    observe_positions(data, call_record(argument), slot, 0)


@callback(TASK_SIGNATURE)
def transition(data, argument, slot):
    """Writes the reward (1 while the pole stands), whether it has fallen or is not finite, and `info`."""
    call = call_record(argument)
    observation = float64_row(call.observations, slot, call.num_observations)
    terminated = np.abs(observation[1]) > 0.2
    for i in range(observation.size):
        terminated = terminated or not np.isfinite(observation[i])
    reward = 0.0 if terminated else 1.0
    float64_row(call.rewards, slot, 1)[0] = reward
    float64_row(call.info, slot, call.num_info)[0] = reward
    bool_array(call.terminated, slot + 1)[slot] = terminated


INVERTED_PENDULUM = Task(
    env_id="InvertedPendulum-v5",
    env_class=InvertedPendulumEnv,
    parameters=np.dtype([]),
    observe=observe,
    transition=transition,
    locate=locate_root,
    step_info=("reward_survive",),
)
