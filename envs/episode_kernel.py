"""The C callbacks that play one sub-environment: one resets it, one advances it until it ends or has done its steps.

MuJoCo's thread pool calls `reset_slot` and `advance_slot` for each sub-environment. What differs between tasks
(observation, reward, termination) is reached through three addresses of functions in the call record, so this file is
compiled once for all tasks. An action comes from the action array or, where `policy` is set, from a C function
`void policy(int64 context, int64 slot, double* observation, double* action)`. Whole stretches of an episode then run
without returning to Python.
"""

import numpy as np
from numba import carray, from_dtype, types

from envs.data_layout import FIELDS
from native.compiled import callback, compiled
from native.pointers import bool_array, call_void, copy_row, float64_row, int64_row, load_address, pointer_cast

_ADDRESSES = (
    "mj_step",
    "mj_forward",
    "mj_reset_data",
    "mj_rne_post_constraint",
    "locate",
    "observe",
    "transition",
    "policy",
    "policy_context",
    "parameters",
    "signals",
    "init_qpos",
    "actions",
    "squares",
    "start_qpos",
    "start_qvel",
    "observations",
    "rewards",
    "terminated",
    "truncated",
    "before",
    "after",
    "info",
    "tendons",
    "episode_return",
    "episode_length",
)
_SIZES = ("nq", "nv", "nu", "nbody", "ntendon", "num_observations", "num_info", "num_squares")
_FLAGS = ("frame_skip", "contact_forces", "single_precision_actions", "max_episode_steps", "max_steps", "stop")

CALL = np.dtype(
    [(name, np.int64) for name in (*_ADDRESSES, *_SIZES, *_FLAGS, *(f"data_{field}" for field in FIELDS))]
    + [("dt", np.float64)]
)
"""The record that a callback reads: addresses of functions and of arrays with a row for each slot, sizes, settings."""

_as_call = pointer_cast(from_dtype(CALL))
TASK_SIGNATURE = types.void(types.int64, types.int64, types.int64)  # (mjData*, call record*, slot)


@compiled
def call_record(argument):
    """Returns the call record at an address."""
    return carray(_as_call(argument), (1,))[0]


@compiled
def data_array(data, offset, size):
    """Returns the array of an `mjData` whose pointer stands at an offset."""
    return float64_row(load_address(data + offset), 0, size)


@callback(types.void(types.int64, types.int64, types.int32, types.int64))
def reset_slot(model, data, slot, argument):
    """Starts an episode from this slot's rows of `start_qpos` and `start_qvel`, as `MujocoEnv.reset` does."""
    call = call_record(argument)
    call_void(call.mj_reset_data, (model, data))
    copy_row(float64_row(call.start_qpos, slot, call.nq), data_array(data, call.data_qpos, call.nq))
    copy_row(float64_row(call.start_qvel, slot, call.nv), data_array(data, call.data_qvel, call.nv))
    int64_row(call.episode_length, 0, slot + 1)[slot] = 0
    call_void(call.mj_forward, (model, data))
    call_void(call.locate, (data, argument, types.int64(slot)))
    call_void(call.observe, (data, argument, types.int64(slot)))
    float64_row(call.episode_return, slot, 1)[0] = 0.0
    bool_array(call.terminated, slot + 1)[slot] = False
    bool_array(call.truncated, slot + 1)[slot] = False


@callback(types.void(types.int64, types.int64, types.int32, types.int64))
def advance_slot(model, data, slot, argument):
    """Advances by up to `max_steps` environment steps; ends early with the episode, or when `stop` is set."""
    call = call_record(argument)
    index = types.int64(slot)
    action = float64_row(call.actions, slot, call.nu)
    before = float64_row(call.before, slot, 2)
    after = float64_row(call.after, slot, 2)
    reward = float64_row(call.rewards, slot, 1)
    episode_return = float64_row(call.episode_return, slot, 1)
    episode_length = int64_row(call.episode_length, 0, slot + 1)
    terminated = bool_array(call.terminated, slot + 1)
    truncated = bool_array(call.truncated, slot + 1)
    observation_address = call.observations + index * call.num_observations * 8
    action_address = call.actions + index * call.nu * 8
    ctrl = data_array(data, call.data_ctrl, call.nu)
    for _ in range(call.max_steps):
        if call.policy != 0:
            call_void(call.policy, (call.policy_context, index, observation_address, action_address))
        copy_row(action, ctrl)
        for _ in range(call.frame_skip):
            call_void(call.mj_step, (model, data))
        if call.contact_forces != 0:
            call_void(call.mj_rne_post_constraint, (model, data))
        episode_length[slot] += 1
        copy_row(after, before)
        call_void(call.locate, (data, argument, index))
        call_void(call.observe, (data, argument, index))
        call_void(call.transition, (data, argument, index))
        episode_return[0] += reward[0]
        truncated[slot] = episode_length[slot] >= call.max_episode_steps
        if terminated[slot] or truncated[slot] or call.stop != 0:
            break
