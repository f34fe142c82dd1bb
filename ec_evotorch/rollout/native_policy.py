"""Observation statistics, normalisation, the agent and rescaling as one C function, for environments that act natively.

An environment with ``rollout(policy, context, max_steps)`` calls ``void policy(int64 context, int64 slot, double*
observation, double* action)`` from its own threads; an agent with ``native(solutions, members, state)`` offers ``void
step(int64 context, int64 slot, float* observation, float* action)``. This joins the two.
"""

import numpy as np
from numba import carray, from_dtype, types

from ec_evotorch.rollout.normalizer import add_visited, normalize_row, rescale_row
from native.compiled import callback
from native.pointers import bool_array, call_void, float32_row, float64_row, pointer_cast

CONTEXT = np.dtype(
    [
        (name, np.int64)
        for name in (
            "obs_length",
            "act_length",
            "normalize",
            "mean",
            "stdev",
            "sums",
            "sums_of_squares",
            "inputs",
            "outputs",
            "middle",
            "half_range",
            "failed",
            "agent",
            "agent_context",
        )
    ]
)


_as_context = pointer_cast(from_dtype(CONTEXT))


@callback(types.void(types.int64, types.int64, types.int64, types.int64))
def act(context_address, slot, observation_address, action_address):
    """Count the observation, normalise it, let the agent act, and rescale the action."""
    context = carray(_as_context(context_address), (1,))[0]
    d = context.obs_length
    a = context.act_length
    observation = float64_row(observation_address, 0, d)
    inputs = float32_row(context.inputs, slot, d)
    outputs = float32_row(context.outputs, slot, a)
    if context.normalize != 0:
        sums = float64_row(context.sums, slot, d)
        add_visited(observation, sums, float64_row(context.sums_of_squares, slot, d))
        normalize_row(observation, float64_row(context.mean, 0, d), float64_row(context.stdev, 0, d), inputs)
    else:
        for i in range(d):
            inputs[i] = np.float32(observation[i])
    call_void(context.agent, (context.agent_context, slot, inputs.ctypes.data, outputs.ctypes.data))
    middle, half_range = float32_row(context.middle, 0, a), float32_row(context.half_range, 0, a)
    if not rescale_row(outputs, middle, half_range, float64_row(action_address, 0, a)):
        bool_array(context.failed, slot + 1)[slot] = True
