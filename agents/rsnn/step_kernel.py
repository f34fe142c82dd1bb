"""The recurrent spiking network for one slot on the CPU, event-driven: only rows of spiking neurons are added.

Rows are added four at a time: the sums then stay in registers, and four rows are fetched from memory at once. Where
their number is not a multiple of four, rows of zeros fill up.
"""

import numpy as np
from llvmlite import ir
from numba import carray, from_dtype, types
from numba.extending import intrinsic

from agents.dense_kernel import clip_into
from native.compiled import callback, compiled
from native.pointers import float32_row, float64_row, int8_row, int16_row, int64_row, pointer_cast, uint8_row

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
CONSTANTS = (
    "decay_syn",
    "decay_mem",
    "gain_mem",
    "decay_rate",
    "r_in",
    "r_hidden",
    "r_out",
    "threshold",
)
"""Names of the constants of `LIFConstants` that the C functions read."""
CONTEXT = np.dtype(
    [(name, np.int64) for name in (*_ADDRESSES, *_SIZES)] + [(name, np.float32) for name in CONSTANTS], align=True
)
"""The record that the C functions read: addresses of arrays with a row for each slot, sizes, and constants."""

_as_context = pointer_cast(from_dtype(CONTEXT))


@intrinsic
def _nonzero_flags(typingctx, address):
    """Reads the 64 bytes at an address as a uint64 mask: bit j is set where byte j is not zero."""
    signature = types.uint64(address)

    def codegen(context, builder, signature, args):
        flags = ir.VectorType(ir.IntType(8), FLAGS_AT_ONCE)
        loaded = builder.load(builder.inttoptr(args[0], flags.as_pointer()))
        loaded.align = 1
        return builder.bitcast(builder.icmp_unsigned("!=", loaded, flags(None)), ir.IntType(FLAGS_AT_ONCE))

    return signature, codegen


@intrinsic
def _trailing_zeros(typingctx, mask):
    """Returns the index of the lowest bit that is set in a mask other than 0."""
    signature = types.int64(mask)

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.IntType(1)(1))

    return signature, codegen


@compiled
def _integrate(context, slot, recurrent, i_in, any_input):
    """Advances currents and membranes by one substep, and marks in `fired` which neurons spiked."""
    n = context.num_neurons
    v_mem = float32_row(context.v_mem, slot, n)
    i_syn = float32_row(context.i_syn, slot, n)
    fired = uint8_row(context.fired, slot, context.width)[:n]
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


@compiled
def _collect(context, slot, kernel_h, row_size, spike_rate):
    """Lists the addresses of the recurrent rows of the neurons marked in `fired`, and adds `spike_rate` to their rates.

    Returns:
        The numbers of excitatory and of inhibitory rows, each filled up to a multiple of `ROWS_AT_ONCE`.
    """
    n, width = context.num_neurons, context.width
    excitatory = int64_row(context.excitatory_rows, slot, width)
    inhibitory = int64_row(context.inhibitory_rows, slot, width)
    rate = float32_row(context.rate, slot, n)
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


@compiled
def _recall_spikes(context, slot):
    """Marks in `fired` the neurons that fired in the last substep of the previous step."""
    n = context.num_neurons
    spikes = int8_row(context.spikes, slot, n)
    fired = uint8_row(context.fired, slot, context.width)[:n]
    for j in range(n):
        fired[j] = spikes[j] != 0


@compiled
def _keep_spikes(context, slot):
    """Writes the neurons marked in `fired` as the signed spikes of the last substep."""
    n = context.num_neurons
    spikes = int8_row(context.spikes, slot, n)
    fired = int8_row(context.fired, slot, context.width)[:n]
    for j in range(context.num_excitatory):
        spikes[j] = fired[j]
    for j in range(context.num_excitatory, n):
        spikes[j] = -fired[j]


@compiled
def _sum_inputs(context, slot, observation, kernel_in):
    """Sums the input of boolean connections: x through the first rows, −x through the others."""
    n, d = context.num_neurons, context.obs_length
    sums = float64_row(context.sums, slot, n)
    sums[:] = 0.0
    for i in range(0, d, 2):
        pair = i + 1 < d
        first_x = np.float64(observation[i])
        second_x = np.float64(observation[i + 1]) if pair else 0.0
        first = int8_row(kernel_in, i, n)
        first_minus = int8_row(kernel_in, i + d, n)
        second = int8_row(kernel_in + (i + 1) * n if pair else context.no_row, 0, n)
        second_minus = int8_row(kernel_in + (i + 1 + d) * n if pair else context.no_row, 0, n)
        for j in range(n):
            total = sums[j] + first_x * np.float64(np.int32(first[j]) - np.int32(first_minus[j]))
            sums[j] = total + second_x * np.float64(np.int32(second[j]) - np.int32(second_minus[j]))


@compiled
def _count_rows(rows, num_rows, n, counts, subtract):
    """Adds the boolean rows at these addresses to `counts` or subtracts them; counts are exact in any order."""
    for k in range(0, num_rows, ROWS_AT_ONCE):
        a = int8_row(rows[k], 0, n)
        b = int8_row(rows[k + 1], 0, n)
        c = int8_row(rows[k + 2], 0, n)
        d = int8_row(rows[k + 3], 0, n)
        if subtract:
            for j in range(n):
                counts[j] -= np.int16(np.int8(np.int8(a[j] + b[j]) + np.int8(c[j] + d[j])))
        else:
            for j in range(n):
                counts[j] += np.int16(np.int8(np.int8(a[j] + b[j]) + np.int8(c[j] + d[j])))


@compiled
def _sum_rows(rows, num_rows, n, sums):
    """Adds the real rows at these addresses to `sums`, in their order."""
    for k in range(0, num_rows, ROWS_AT_ONCE):
        a = float32_row(rows[k], 0, n)
        b = float32_row(rows[k + 1], 0, n)
        c = float32_row(rows[k + 2], 0, n)
        d = float32_row(rows[k + 3], 0, n)
        for j in range(n):
            total = (sums[j] + np.float64(a[j])) + np.float64(b[j])
            sums[j] = (total + np.float64(c[j])) + np.float64(d[j])


@compiled
def _decay_rates(context, slot):
    """Lets the rates decay over all substeps at once; each spike then adds what will be left of it at the end."""
    n = context.num_neurons
    rate = float32_row(context.rate, slot, n)
    for j in range(n):
        rate[j] *= context.decay_rate


@compiled
def _read_out(context, slot, kernel_out, action):
    n, a = context.num_neurons, context.act_length
    rate = float32_row(context.rate, slot, n)
    output = float32_row(context.output, slot, a)
    totals = float64_row(context.totals, slot, a)
    totals[:] = 0.0
    for j in range(n):
        for k in range(a):
            totals[k] += np.float64(rate[j]) * np.float64(kernel_out[j * a + k])
    for k in range(a):
        output[k] = context.r_out * np.float32(totals[k])
    clip_into(output, action)


@compiled
def _boolean_slot(context, slot, observation, action):
    n, d, width = context.num_neurons, context.obs_length, context.width
    member = int64_row(context.members, slot, 1)[0]
    kernel_in = context.solutions + member * context.solution_length
    kernel_h = kernel_in + 2 * d * n
    sums = float64_row(context.sums, slot, n)
    i_in = float32_row(context.i_in, slot, n)
    counts = int16_row(context.counts, slot, n)
    excitatory = int64_row(context.excitatory_rows, slot, width)
    inhibitory = int64_row(context.inhibitory_rows, slot, width)
    spike_rates = float32_row(context.spike_rates, 0, context.substeps)

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
    _read_out(context, slot, int8_row(kernel_h + n * n, 0, n * a), action)


@compiled
def _real_slot(context, slot, observation, action):
    n, d, width = context.num_neurons, context.obs_length, context.width
    member = int64_row(context.members, slot, 1)[0]
    kernel_in = context.solutions + member * context.solution_length * 4
    kernel_h = kernel_in + d * n * 4
    sums = float64_row(context.sums, slot, n)
    i_in = float32_row(context.i_in, slot, n)
    rows = int64_row(context.excitatory_rows, slot, width)
    spike_rates = float32_row(context.spike_rates, 0, context.substeps)

    sums[:] = 0.0
    for i in range(d):
        x = np.float64(observation[i])
        row = float32_row(kernel_in, i, n)
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
    _read_out(context, slot, float32_row(kernel_h + n * n * 4, 0, n * a), action)


_SIGNATURE = types.void(types.int64, types.int64, types.int64, types.int64)


@callback(_SIGNATURE)
def boolean_step(context_address, slot, observation_address, action_address):
    """Steps one slot with boolean connections and Dale's law."""
    context = carray(_as_context(context_address), (1,))[0]
    observation = float32_row(observation_address, 0, context.obs_length)
    _boolean_slot(context, slot, observation, float32_row(action_address, 0, context.act_length))


@callback(_SIGNATURE)
def real_step(context_address, slot, observation_address, action_address):
    """Steps one slot with real connections."""
    context = carray(_as_context(context_address), (1,))[0]
    observation = float32_row(observation_address, 0, context.obs_length)
    _real_slot(context, slot, observation, float32_row(action_address, 0, context.act_length))
