"""Observation statistics, normalisation, the agent and rescaling as one C function, for environments that act natively.

An environment with ``rollout(policy, context, max_steps)`` calls ``void policy(int64 context, int64 slot, double*
observation, double* action)`` from its own threads; an agent with ``native(solutions, members, state)`` offers ``void
step(int64 context, int64 slot, float* observation, float* action)``. This joins the two.
"""

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, from_dtype, types
from numba.core import cgutils
from numba.extending import intrinsic

from ec_evotorch.normalizer import add_visited, normalize_row, rescale_row

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
            "agent",
            "agent_context",
        )
    ]
)


def _pointer_cast(target: types.Type):
    @intrinsic
    def cast(typingctx, address):
        signature = types.CPointer(target)(address)

        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return signature, codegen

    return cast


_as_context = _pointer_cast(from_dtype(CONTEXT))
_as_float64 = _pointer_cast(types.float64)
_as_float32 = _pointer_cast(types.float32)


@intrinsic
def _call(typingctx, function, arguments):
    signature = types.void(function, arguments)

    def codegen(context, builder, signature, args):
        word = ir.IntType(64)
        values = cgutils.unpack_tuple(builder, args[1])
        function_type = ir.FunctionType(ir.VoidType(), [word] * len(values))
        builder.call(builder.inttoptr(args[0], function_type.as_pointer()), values)
        return context.get_dummy_value()

    return signature, codegen


@cfunc(types.void(types.int64, types.int64, types.int64, types.int64), cache=True)
def act(context_address, slot, observation_address, action_address):
    """Count the observation, normalise it, let the agent act, and rescale the action."""
    context = carray(_as_context(context_address), (1,))[0]
    d = context.obs_length
    a = context.act_length
    observation = carray(_as_float64(observation_address), (d,))
    inputs_address = context.inputs + slot * d * 4
    outputs_address = context.outputs + slot * a * 4
    inputs = carray(_as_float32(inputs_address), (d,))
    if context.normalize != 0:
        add_visited(
            observation,
            carray(_as_float64(context.sums + slot * d * 8), (d,)),
            carray(_as_float64(context.sums_of_squares + slot * d * 8), (d,)),
        )
        normalize_row(
            observation, carray(_as_float64(context.mean), (d,)), carray(_as_float64(context.stdev), (d,)), inputs
        )
    else:
        for i in range(d):
            inputs[i] = np.float32(observation[i])
    _call(context.agent, (context.agent_context, slot, inputs_address, outputs_address))
    rescale_row(
        carray(_as_float32(outputs_address), (a,)),
        carray(_as_float32(context.middle), (a,)),
        carray(_as_float32(context.half_range), (a,)),
        carray(_as_float64(action_address), (a,)),
    )
