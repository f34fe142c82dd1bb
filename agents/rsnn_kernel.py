"""The recurrent spiking network for one slot on the CPU, event-driven: only rows of spiking neurons are added."""

import numpy as np
from numba import carray, cfunc, from_dtype, njit, types
from numba.extending import intrinsic

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
    "spiking",
)
_SIZES = ("obs_length", "act_length", "num_neurons", "num_excitatory", "substeps", "solution_length", "width")
_CONSTANTS = (
    "decay_syn",
    "decay_mem",
    "gain_mem",
    "decay_out",
    "spike_rate",
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


@njit(cache=True)
def _float32(address, size):
    return carray(_as_float32(address), (size,))


@njit(cache=True)
def _integrate(context, slot, recurrent, i_in, any_input):
    """Advance currents, membranes and rates by one substep; mark in ``fired`` who spiked."""
    n = context.num_neurons
    v_mem = _float32(context.v_mem + slot * n * 4, n)
    i_syn = _float32(context.i_syn + slot * n * 4, n)
    rate = _float32(context.rate + slot * n * 4, n)
    fired = carray(_as_uint8(context.fired + slot * context.width), (n,))
    decay_syn, decay_mem, gain_mem = context.decay_syn, context.decay_mem, context.gain_mem
    decay_out, r_hidden, threshold = context.decay_out, context.r_hidden, context.threshold
    zero = np.float32(0.0)
    if any_input:
        for j in range(n):
            i_syn[j] = i_syn[j] * decay_syn + r_hidden * np.float32(recurrent[j])
    else:
        for j in range(n):
            i_syn[j] = i_syn[j] * decay_syn
    for j in range(n):
        v = (i_syn[j] + i_in[j]) * gain_mem + v_mem[j] * decay_mem
        spiked = v > threshold
        fired[j] = spiked
        v_mem[j] = zero if spiked else v
        rate[j] = rate[j] * decay_out


@njit(cache=True)
def _collect(context, slot):
    """List the neurons marked in ``fired`` in ascending order and add their share of the rate; return how many."""
    n, width = context.num_neurons, context.width
    words = carray(_as_int64(context.fired + slot * width), (width // 8,))
    fired = carray(_as_uint8(context.fired + slot * width), (width,))
    spiking = carray(_as_int64(context.spiking + slot * width * 8), (width,))
    rate = _float32(context.rate + slot * n * 4, n)
    count = 0
    for word in range(words.size):
        if words[word] != 0:
            for j in range(8 * word, 8 * word + 8):  # without a branch: a neuron that did not fire is overwritten
                spiking[count] = j
                count += np.int64(fired[j])
    for k in range(count):
        j = spiking[k]
        rate[j] += context.spike_rate if j < context.num_excitatory else -context.spike_rate
    return count


@njit(cache=True)
def _recall_spikes(context, slot):
    """List the neurons that fired in the last substep of the step before; return how many."""
    n = context.num_neurons
    spikes = carray(_as_int8(context.spikes + slot * n), (n,))
    spiking = carray(_as_int64(context.spiking + slot * context.width * 8), (n,))
    count = 0
    for j in range(n):
        if spikes[j] != 0:
            spiking[count] = j
            count += 1
    return count


@njit(cache=True)
def _keep_spikes(context, slot, count):
    """Write the listed neurons as the signed spikes of the last substep."""
    n = context.num_neurons
    spikes = carray(_as_int8(context.spikes + slot * n), (n,))
    spiking = carray(_as_int64(context.spiking + slot * context.width * 8), (n,))
    spikes[:] = 0
    for k in range(count):
        spikes[spiking[k]] = 1 if spiking[k] < context.num_excitatory else -1


@njit(cache=True)
def _read_out(context, slot, kernel_out, action):
    n, a = context.num_neurons, context.act_length
    rate = _float32(context.rate + slot * n * 4, n)
    output = _float32(context.output + slot * a * 4, a)
    for k in range(a):
        total = 0.0
        for j in range(n):
            total += np.float64(rate[j]) * np.float64(kernel_out[j * a + k])
        output[k] = context.r_out * np.float32(total)
        action[k] = min(max(output[k], np.float32(-1.0)), np.float32(1.0))


@njit(cache=True)
def _boolean_slot(context, slot, observation, action):
    n, d = context.num_neurons, context.obs_length
    member = carray(_as_int64(context.members), (slot + 1,))[slot]
    solution = context.solutions + member * context.solution_length
    sums = carray(_as_float64(context.sums + slot * n * 8), (n,))
    i_in = _float32(context.i_in + slot * n * 4, n)
    counts = carray(_as_int16(context.counts + slot * n * 2), (n,))
    spiking = carray(_as_int64(context.spiking + slot * context.width * 8), (n,))

    sums[:] = 0.0
    for i in range(d):
        x = np.float64(observation[i])
        plus = carray(_as_int8(solution + i * n), (n,))
        minus = carray(_as_int8(solution + (i + d) * n), (n,))
        for j in range(n):
            sums[j] += x * np.float64(np.int32(plus[j]) - np.int32(minus[j]))
    for j in range(n):
        i_in[j] = context.r_in * np.float32(sums[j])

    kernel_h = solution + 2 * d * n
    count = _recall_spikes(context, slot)
    for _ in range(context.substeps):
        if count > 0:
            counts[:] = 0
            for k in range(count):
                row = carray(_as_int8(kernel_h + spiking[k] * n), (n,))
                if spiking[k] < context.num_excitatory:
                    for j in range(n):
                        counts[j] += row[j]
                else:
                    for j in range(n):
                        counts[j] -= row[j]
        _integrate(context, slot, counts, i_in, count > 0)
        count = _collect(context, slot)
    _keep_spikes(context, slot, count)
    a = context.act_length
    _read_out(context, slot, carray(_as_int8(kernel_h + n * n), (n * a,)), action)


@njit(cache=True)
def _real_slot(context, slot, observation, action):
    n, d = context.num_neurons, context.obs_length
    member = carray(_as_int64(context.members), (slot + 1,))[slot]
    solution = context.solutions + member * context.solution_length * 4
    sums = carray(_as_float64(context.sums + slot * n * 8), (n,))
    i_in = _float32(context.i_in + slot * n * 4, n)
    spiking = carray(_as_int64(context.spiking + slot * context.width * 8), (n,))

    sums[:] = 0.0
    for i in range(d):
        x = np.float64(observation[i])
        row = _float32(solution + i * n * 4, n)
        for j in range(n):
            sums[j] += x * np.float64(row[j])
    for j in range(n):
        i_in[j] = context.r_in * np.float32(sums[j])

    kernel_h = solution + d * n * 4
    count = _recall_spikes(context, slot)
    for _ in range(context.substeps):
        if count > 0:
            sums[:] = 0.0
            for k in range(count):
                row = _float32(kernel_h + spiking[k] * n * 4, n)
                for j in range(n):
                    sums[j] += np.float64(row[j])
        _integrate(context, slot, sums, i_in, count > 0)
        count = _collect(context, slot)
    _keep_spikes(context, slot, count)
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
