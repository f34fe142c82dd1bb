"""The recurrent spiking network for one slot on the CPU, event-driven: only rows of spiking neurons are added.

Rows are added four at a time: the sums then stay in registers, and four rows are fetched from memory at once. Where
their number is not a multiple of four, rows of zeros fill up.
"""

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, from_dtype, njit, types
from numba.extending import intrinsic

ROWS_AT_ONCE = 4
FLAGS_AT_ONCE = 64
_ADDRESSES = (
    "solutions",
    "members",
    "v_mem",
    "i_syn",
    "rate",
    "spikes",
    "output",
    "sums",
    "i_in",
    "counts",
    "fired",
    "excitatory_rows",
    "inhibitory_rows",
    "no_row",
    "totals",
    "spike_rates",
)
_SIZES = ("obs_length", "act_length", "num_neurons", "num_excitatory", "substeps", "solution_length", "width")
_CONSTANTS = (
    "decay_syn",
    "decay_mem",
    "gain_mem",
    "decay_rate",
    "r_in",
    "r_hidden",
    "r_out",
    "threshold",
)
CONTEXT = np.dtype(
    [(name, np.int64) for name in (*_ADDRESSES, *_SIZES)] + [(name, np.float32) for name in _CONSTANTS], align=True
)
"""Addresses of arrays with one row per slot, sizes, and constants of the dynamics."""


def _pointer_cast(target: types.Type):
    @intrinsic
    def cast(typingctx, address):
        signature = types.CPointer(target)(address)

        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return signature, codegen

    return cast


_as_context = _pointer_cast(from_dtype(CONTEXT))
_as_float32 = _pointer_cast(types.float32)
_as_float64 = _pointer_cast(types.float64)
_as_int64 = _pointer_cast(types.int64)
_as_int16 = _pointer_cast(types.int16)
_as_int8 = _pointer_cast(types.int8)
_as_uint8 = _pointer_cast(types.uint8)


@intrinsic
def _nonzero_flags(typingctx, address):
    """The 64 bytes at an address as a uint64 mask: bit j is set where byte j is not zero."""
    signature = types.uint64(address)

    def codegen(context, builder, signature, args):
        flags = ir.VectorType(ir.IntType(8), FLAGS_AT_ONCE)
        loaded = builder.load(builder.inttoptr(args[0], flags.as_pointer()))
        loaded.align = 1
        return builder.bitcast(builder.icmp_unsigned("!=", loaded, flags(None)), ir.IntType(FLAGS_AT_ONCE))

    return signature, codegen


@intrinsic
def _trailing_zeros(typingctx, mask):
    """Index of the lowest bit that is set in a mask other than 0."""
    signature = types.int64(mask)

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.IntType(1)(1))

    return signature, codegen


@njit(cache=True)
def _float32(address, size):
    return carray(_as_float32(address), (size,))


@njit(cache=True)
def _integrate(context, slot, recurrent, i_in, any_input):
    """Advance currents and membranes by one substep; mark in ``fired`` who spiked."""
    n = context.num_neurons
    v_mem = _float32(context.v_mem + slot * n * 4, n)
    i_syn = _float32(context.i_syn + slot * n * 4, n)
    fired = carray(_as_uint8(context.fired + slot * context.width), (n,))
    decay_syn, decay_mem, gain_mem = context.decay_syn, context.decay_mem, context.gain_mem
    r_hidden, threshold = context.r_hidden, context.threshold
    zero = np.float32(0.0)
    if any_input:
        for j in range(n):
            i = i_syn[j] * decay_syn + r_hidden * np.float32(recurrent[j])
            v = (i + i_in[j]) * gain_mem + v_mem[j] * decay_mem
            spiked = v > threshold
            i_syn[j] = i
            fired[j] = spiked
            v_mem[j] = zero if spiked else v
    else:
        for j in range(n):
            i = i_syn[j] * decay_syn
            v = (i + i_in[j]) * gain_mem + v_mem[j] * decay_mem
            spiked = v > threshold
            i_syn[j] = i
            fired[j] = spiked
            v_mem[j] = zero if spiked else v


@njit(cache=True)
def _collect(context, slot, kernel_h, row_size, spike_rate):
    """List the recurrent rows (addresses) of the neurons marked in ``fired``, and add ``spike_rate`` to their rates.

    Returns:
        How many excitatory and how many inhibitory rows, each filled up to a multiple of :data:`ROWS_AT_ONCE`.
    """
    n, width = context.num_neurons, context.width
    excitatory = carray(_as_int64(context.excitatory_rows + slot * width * 8), (width,))
    inhibitory = carray(_as_int64(context.inhibitory_rows + slot * width * 8), (width,))
    rate = _float32(context.rate + slot * n * 4, n)
    num_excitatory = 0
    num_inhibitory = 0
    for start in range(0, width, FLAGS_AT_ONCE):
        flags = _nonzero_flags(context.fired + slot * width + start)
        while flags != 0:
            j = start + _trailing_zeros(flags)
            flags &= flags - np.uint64(1)
            if j < context.num_excitatory:
                excitatory[num_excitatory] = kernel_h + j * row_size
                num_excitatory += 1
                rate[j] += spike_rate
            else:
                inhibitory[num_inhibitory] = kernel_h + j * row_size
                num_inhibitory += 1
                rate[j] -= spike_rate
    while num_excitatory % ROWS_AT_ONCE != 0:
        excitatory[num_excitatory] = context.no_row
        num_excitatory += 1
    while num_inhibitory % ROWS_AT_ONCE != 0:
        inhibitory[num_inhibitory] = context.no_row
        num_inhibitory += 1
    return num_excitatory, num_inhibitory


@njit(cache=True)
def _recall_spikes(context, slot):
    """Mark in ``fired`` the neurons that fired in the last substep of the step before."""
    n = context.num_neurons
    spikes = carray(_as_int8(context.spikes + slot * n), (n,))
    fired = carray(_as_uint8(context.fired + slot * context.width), (n,))
    for j in range(n):
        fired[j] = spikes[j] != 0


@njit(cache=True)
def _keep_spikes(context, slot):
    """Write the neurons marked in ``fired`` as the signed spikes of the last substep."""
    n = context.num_neurons
    spikes = carray(_as_int8(context.spikes + slot * n), (n,))
    fired = carray(_as_int8(context.fired + slot * context.width), (n,))
    for j in range(context.num_excitatory):
        spikes[j] = fired[j]
    for j in range(context.num_excitatory, n):
        spikes[j] = -fired[j]


@njit(cache=True)
def _sum_inputs(context, slot, observation, kernel_in):
    """The input current of boolean connections: x through the first rows, −x through the second."""
    n, d = context.num_neurons, context.obs_length
    sums = carray(_as_float64(context.sums + slot * n * 8), (n,))
    sums[:] = 0.0
    for i in range(0, d, 2):
        pair = i + 1 < d
        first_x = np.float64(observation[i])
        second_x = np.float64(observation[i + 1]) if pair else 0.0
        first = carray(_as_int8(kernel_in + i * n), (n,))
        first_minus = carray(_as_int8(kernel_in + (i + d) * n), (n,))
        second = carray(_as_int8(kernel_in + (i + 1) * n if pair else context.no_row), (n,))
        second_minus = carray(_as_int8(kernel_in + (i + 1 + d) * n if pair else context.no_row), (n,))
        for j in range(n):
            total = sums[j] + first_x * np.float64(np.int32(first[j]) - np.int32(first_minus[j]))
            sums[j] = total + second_x * np.float64(np.int32(second[j]) - np.int32(second_minus[j]))


@njit(cache=True)
def _count_rows(rows, num_rows, n, counts, subtract):
    """Add the boolean rows at these addresses to ``counts``, or subtract them; counts are exact in any order."""
    for k in range(0, num_rows, ROWS_AT_ONCE):
        a = carray(_as_int8(rows[k]), (n,))
        b = carray(_as_int8(rows[k + 1]), (n,))
        c = carray(_as_int8(rows[k + 2]), (n,))
        d = carray(_as_int8(rows[k + 3]), (n,))
        if subtract:
            for j in range(n):
                counts[j] -= np.int16(np.int8(np.int8(a[j] + b[j]) + np.int8(c[j] + d[j])))
        else:
            for j in range(n):
                counts[j] += np.int16(np.int8(np.int8(a[j] + b[j]) + np.int8(c[j] + d[j])))


@njit(cache=True)
def _sum_rows(rows, num_rows, n, sums):
    """Add the real rows at these addresses to ``sums``, in their order."""
    for k in range(0, num_rows, ROWS_AT_ONCE):
        a = _float32(rows[k], n)
        b = _float32(rows[k + 1], n)
        c = _float32(rows[k + 2], n)
        d = _float32(rows[k + 3], n)
        for j in range(n):
            total = (sums[j] + np.float64(a[j])) + np.float64(b[j])
            sums[j] = (total + np.float64(c[j])) + np.float64(d[j])


@njit(cache=True)
def _decay_rates(context, slot):
    """Let the rates decay over all substeps at once; each spike then adds what will be left of it at the end."""
    n = context.num_neurons
    rate = _float32(context.rate + slot * n * 4, n)
    for j in range(n):
        rate[j] *= context.decay_rate


@njit(cache=True)
def _read_out(context, slot, kernel_out, action):
    n, a = context.num_neurons, context.act_length
    rate = _float32(context.rate + slot * n * 4, n)
    output = _float32(context.output + slot * a * 4, a)
    totals = carray(_as_float64(context.totals + slot * a * 8), (a,))
    totals[:] = 0.0
    for j in range(n):
        for k in range(a):
            totals[k] += np.float64(rate[j]) * np.float64(kernel_out[j * a + k])
    for k in range(a):
        output[k] = context.r_out * np.float32(totals[k])
        action[k] = min(max(output[k], np.float32(-1.0)), np.float32(1.0))


@njit(cache=True)
def _boolean_slot(context, slot, observation, action):
    n, d, width = context.num_neurons, context.obs_length, context.width
    member = carray(_as_int64(context.members), (slot + 1,))[slot]
    kernel_in = context.solutions + member * context.solution_length
    kernel_h = kernel_in + 2 * d * n
    sums = carray(_as_float64(context.sums + slot * n * 8), (n,))
    i_in = _float32(context.i_in + slot * n * 4, n)
    counts = carray(_as_int16(context.counts + slot * n * 2), (n,))
    excitatory = carray(_as_int64(context.excitatory_rows + slot * width * 8), (width,))
    inhibitory = carray(_as_int64(context.inhibitory_rows + slot * width * 8), (width,))
    spike_rates = _float32(context.spike_rates, context.substeps)

    _sum_inputs(context, slot, observation, kernel_in)
    for j in range(n):
        i_in[j] = context.r_in * np.float32(sums[j])

    _recall_spikes(context, slot)
    _decay_rates(context, slot)
    num_excitatory, num_inhibitory = _collect(context, slot, kernel_h, n, np.float32(0.0))
    for t in range(context.substeps):
        any_input = num_excitatory + num_inhibitory > 0
        if any_input:
            counts[:] = 0
            _count_rows(excitatory, num_excitatory, n, counts, False)
            _count_rows(inhibitory, num_inhibitory, n, counts, True)
        _integrate(context, slot, counts, i_in, any_input)
        num_excitatory, num_inhibitory = _collect(context, slot, kernel_h, n, spike_rates[t])
    _keep_spikes(context, slot)
    a = context.act_length
    _read_out(context, slot, carray(_as_int8(kernel_h + n * n), (n * a,)), action)


@njit(cache=True)
def _real_slot(context, slot, observation, action):
    n, d, width = context.num_neurons, context.obs_length, context.width
    member = carray(_as_int64(context.members), (slot + 1,))[slot]
    kernel_in = context.solutions + member * context.solution_length * 4
    kernel_h = kernel_in + d * n * 4
    sums = carray(_as_float64(context.sums + slot * n * 8), (n,))
    i_in = _float32(context.i_in + slot * n * 4, n)
    rows = carray(_as_int64(context.excitatory_rows + slot * width * 8), (width,))
    spike_rates = _float32(context.spike_rates, context.substeps)

    sums[:] = 0.0
    for i in range(d):
        x = np.float64(observation[i])
        row = _float32(kernel_in + i * n * 4, n)
        for j in range(n):
            sums[j] += x * np.float64(row[j])
    for j in range(n):
        i_in[j] = context.r_in * np.float32(sums[j])

    _recall_spikes(context, slot)
    _decay_rates(context, slot)
    num_rows, _ = _collect(context, slot, kernel_h, n * 4, np.float32(0.0))
    for t in range(context.substeps):
        if num_rows > 0:
            sums[:] = 0.0
            _sum_rows(rows, num_rows, n, sums)
        _integrate(context, slot, sums, i_in, num_rows > 0)
        num_rows, _ = _collect(context, slot, kernel_h, n * 4, spike_rates[t])
    _keep_spikes(context, slot)
    a = context.act_length
    _read_out(context, slot, _float32(kernel_h + n * n * 4, n * a), action)


_SIGNATURE = types.void(types.int64, types.int64, types.int64, types.int64)


@cfunc(_SIGNATURE, cache=True)
def boolean_step(context_address, slot, observation_address, action_address):
    """Step one slot with boolean connections and Dale's law."""
    context = carray(_as_context(context_address), (1,))[0]
    observation = _float32(observation_address, context.obs_length)
    _boolean_slot(context, slot, observation, _float32(action_address, context.act_length))


@cfunc(_SIGNATURE, cache=True)
def real_step(context_address, slot, observation_address, action_address):
    """Step one slot with real connections."""
    context = carray(_as_context(context_address), (1,))[0]
    observation = _float32(observation_address, context.obs_length)
    _real_slot(context, slot, observation, _float32(action_address, context.act_length))


@njit(cache=True, nogil=True)
def step_slots(context_address, real, members, observations, actions):
    """Step every slot whose member is not negative; the others' actions become 0."""
    context = carray(_as_context(context_address), (1,))[0]
    for slot in range(members.size):
        if members[slot] < 0:
            actions[slot] = 0
        elif real:
            _real_slot(context, slot, observations[slot], actions[slot])
        else:
            _boolean_slot(context, slot, observations[slot], actions[slot])
