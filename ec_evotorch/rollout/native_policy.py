"""Observation statistics, normalisation, the agent and rescaling as one C function, for environments that act natively.

An environment with `rollout(policy, context, max_steps)` calls `void policy(int64 context, int64 slot, double*
observation, double* action)` from its own threads; an agent with `native(solutions, members, state)` offers `void
step(int64 context, int64 slot, float* observation, float* action)`. The function `act` joins the two.
"""

import numpy as np
from numba import carray, from_dtype, types

from ec_evotorch.rollout.finite_observations import FINITE, find_nonfinite
from ec_evotorch.rollout.normalizer import add_visited, normalize_row, rescale_row
from native.compiled import callback
from native.pointers import bool_array, call_void, float32_row, float64_row, int64_row, pointer_cast

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
            "nonfinite",
            "agent",
            "agent_context",
        )
    ]
)


_as_context = pointer_cast(from_dtype(CONTEXT))


@callback(types.void(types.int64, types.int64, types.int64, types.int64))
def act(context_address, slot, observation_address, action_address):
    """Counts the observation of a slot, normalises it, lets the agent act, and rescales the action.

    Args:
        context_address: Address of a record of `CONTEXT`, see `NativePolicy`.
        slot: Index of the slot.
        observation_address: Address of obs_length float64 numbers.
        action_address: Address of act_length float64 numbers, which are overwritten; float32 can represent each.
    """
    context = carray(_as_context(context_address), (1,))[0]
    d = context.obs_length
    a = context.act_length
    observation = float64_row(observation_address, 0, d)
    inputs = float32_row(context.inputs, slot, d)
    outputs = float32_row(context.outputs, slot, a)
    nonfinite = int64_row(context.nonfinite, slot, 1)
    if nonfinite[0] == FINITE:
        nonfinite[0] = find_nonfinite(observation)
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


class NativePolicy:
    """The context with which `act` works on the arrays of some slots.

    C reads and writes the arrays through bare addresses: they live as long as this object, and must not move.

    Attributes:
        function: Address of `act`.
        context: Address of the record that it reads.

    Args:
        native: What the agent's `native(solutions, members, state)` has returned.
        inputs: (B, obs_length) float32; receives what the agent sees.
        outputs: (B, act_length) float32; receives what the agent returns.
        middle: (act_length,) float32 middle of the action space.
        half_range: (act_length,) float32 half range of the action space.
        sums: (B, obs_length) float64, to which the observations are added, if they are normalised.
        sums_of_squares: (B, obs_length) float64, likewise for their squares.
        failed: (B,) bool, set where the agent returns something that is not finite.
        nonfinite: (B,) int64, where it is `FINITE` set to what `find_nonfinite` returns of the observation.
        statistics: Mean and standard deviation of observations, (obs_length,) float64 each; None for no normalisation.
    """

    def __init__(
        self,
        native,
        *,
        inputs: np.ndarray,
        outputs: np.ndarray,
        middle: np.ndarray,
        half_range: np.ndarray,
        sums: np.ndarray,
        sums_of_squares: np.ndarray,
        failed: np.ndarray,
        nonfinite: np.ndarray,
        statistics: tuple[np.ndarray, np.ndarray] | None,
    ):
        arrays = {
            "inputs": inputs,
            "outputs": outputs,
            "middle": middle,
            "half_range": half_range,
            "sums": sums,
            "sums_of_squares": sums_of_squares,
            "failed": failed,
            "nonfinite": nonfinite,
        }
        if statistics is not None:
            arrays["mean"], arrays["stdev"] = statistics
        record = np.zeros(1, dtype=CONTEXT)
        for name, array in arrays.items():
            record[0][name] = array.ctypes.data
        record[0]["obs_length"], record[0]["act_length"] = inputs.shape[1], outputs.shape[1]
        record[0]["normalize"] = statistics is not None
        record[0]["agent"], record[0]["agent_context"] = native.function, native.context
        self.function, self.context = act.address, record.ctypes.data
        self._kept_alive = (record, arrays, native)
