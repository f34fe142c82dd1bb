"""Backpropagation through time for the spiking network, in compiled code on the CPU.

With u the membrane before the reset, s = [u > ϑ], W the recurrent kernel times the signs of its presynaptic neurons,
α = e^(−dt/τ_syn), λ = e^(−dt/τ_mem) and h(x) the surrogate derivative of s, a substep t is

    i[t] = α i[t−1] + R Wᵀ s[t−1],    u[t] = λ v[t−1] + (1 − λ) (i[t] + i_in),    v[t] = (1 − s[t]) u[t]

and the rate at the end of a step is what is left of the one before plus Σ c[t] s[t]. With δx the gradient with
respect to x, the way back is

    δs[t] = c[t] δrate + R W δi[t+1] − u[t] δv[t]           (without the last term if the reset is detached)
    δu[t] = (1 − s[t]) δv[t] + h(u[t] − ϑ) δs[t]
    δi[t] = (1 − λ) δu[t] + α δi[t+1]
    δv[t−1] = λ δu[t],    δi_in = (1 − λ) Σ δu[t],    δW = R Σ s[t−1] δi[t]ᵀ

W δi is a dense product; to δW only the rows of neurons that fired are added.

Sequences are dealt out to chunks whose number does not depend on that of threads. A thread goes back through one chunk
after another, and each chunk has sums of its own.
"""

import numpy as np
from numba import prange

from agents.rsnn.matrix_product import multiply
from native.compiled import compiled
from native.pointers import call_void, copy_row

SEQUENCES_AT_ONCE = 16
SURROGATES = ("superspike", "piecewise_linear", "sigmoid_derivative")
CONSTANTS = np.dtype(
    [
        (name, np.float32)
        for name in (
            "decay_syn",
            "decay_mem",
            "gain_mem",
            "decay_rate",
            "r_hidden",
            "threshold",
            "beta",
            "gamma",
        )
    ],
    align=True,
)
"""The record of α, λ, 1 − λ, what is left of a rate after a step, R, ϑ, and the β and γ of the surrogate."""

_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled(nogil=True, parallel=True)
def play(function, context, lengths, observations, current, record):
    """Steps every sequence with an agent's C function, and records the state.

    Args:
        function: Address of the C function.
        context: Address of its context.
        lengths: (S,) int64 numbers of steps.
        observations: (T, S, obs_length) float32 observations.
        current: Arrays of S slots that the C function works on: v_mem, i_syn, spikes, i_in, rate, output.
        record: (T, S, …) arrays to be written: the first three as before each step, the others as after it.
    """
    v_mem, i_syn, spikes, i_in, rate, output = current
    all_v_mem, all_i_syn, all_spikes, all_i_in, all_rate, all_output = record
    count = lengths.size
    chunks = (count + SEQUENCES_AT_ONCE - 1) // SEQUENCES_AT_ONCE
    for chunk in prange(chunks):
        action = np.empty(output.shape[1], dtype=np.float32)
        for s in range(chunk, count, chunks):
            for t in range(lengths[s]):
                copy_row(v_mem[s], all_v_mem[t, s])
                copy_row(i_syn[s], all_i_syn[t, s])
                copy_row(spikes[s], all_spikes[t, s])
                call_void(function, (context, s, observations[t, s].ctypes.data, action.ctypes.data))
                copy_row(i_in[s], all_i_in[t, s])
                copy_row(rate[s], all_rate[t, s])
                copy_row(output[s], all_output[t, s])


@compiled(nogil=True)
def _list_fired(spikes, fired):
    """Writes the indices of the numbers that are not zero, and returns how many there are."""
    count = 0
    for j in range(spikes.size):
        fired[count] = j
        count += spikes[j] != 0
    return count


@compiled(nogil=True)
def _play_again(v_mem, i_syn, i_in, kernel_h, constants, u, fired, counts, sums, flags):
    """Plays a step of one sequence with the rounding of the agent's kernel, and keeps what happened in it.

    Args:
        v_mem: (n,) membrane potentials before the step; overwritten.
        i_syn: (n,) synaptic currents before the step; overwritten.
        i_in: (n,) input currents.
        kernel_h: (n, n) kernel W.
        constants: A record of `CONSTANTS`.
        u: (substeps, n) membrane potentials before the reset; written.
        fired: (substeps + 1, n) indices of the neurons that fired before each substep; all but the first row written.
        counts: (substeps + 1,) numbers of these neurons; all but the first written.
        sums: (n,) float64 scratch.
        flags: (n,) int8 scratch.
    """
    n = v_mem.size
    decay_syn, decay_mem, gain_mem = constants.decay_syn, constants.decay_mem, constants.gain_mem
    r_hidden, threshold = constants.r_hidden, constants.threshold
    for t in range(u.shape[0]):
        membranes = u[t]
        sums[:] = 0.0
        for k in range(counts[t]):
            row = kernel_h[fired[t, k]]
            for j in range(n):
                sums[j] += np.float64(row[j])
        # Three loops: in one, LLVM would give up proving that the arrays are not the same, and not use vectors.
        for j in range(n):
            i_syn[j] = i_syn[j] * decay_syn + r_hidden * np.float32(sums[j])
        for j in range(n):
            membranes[j] = (i_syn[j] + i_in[j]) * gain_mem + v_mem[j] * decay_mem
        for j in range(n):
            flags[j] = membranes[j] > threshold
            v_mem[j] = _ZERO if membranes[j] > threshold else membranes[j]
        counts[t + 1] = _list_fired(flags, fired[t + 1])


@compiled(nogil=True)
def _differentiate(surrogate, constants, u, slopes):
    """Writes the (n,) surrogate derivatives h(u − ϑ), which `agents.rsnn.surrogate` defines."""
    threshold, beta, gamma = constants.threshold, constants.beta, constants.gamma
    n = u.size
    if surrogate == 0:
        for j in range(n):
            x = beta * abs(u[j] - threshold) + _ONE
            slopes[j] = gamma / (x * x)
    elif surrogate == 1:
        for j in range(n):
            slopes[j] = gamma * max(_ZERO, _ONE - beta * abs(u[j] - threshold))
    else:
        for j in range(n):
            small = np.exp(-beta * abs(u[j] - threshold))
            slopes[j] = gamma * beta * small / ((_ONE + small) * (_ONE + small))


@compiled(nogil=True)
def _go_back(u, slopes, by_rate, by_spikes, detached, constants, spike_rate, by_v, by_i, by_i_in):
    """Goes back through one substep of one sequence.

    Args:
        u: (n,) membrane potentials before the reset.
        slopes: (n,) surrogate derivatives; overwritten.
        by_rate: (n,) δrate.
        by_spikes: (n,) W δi of the next substep.
        detached: Whether no gradient passes through the reset.
        constants: A record of `CONSTANTS`.
        spike_rate: c of this substep.
        by_v: (n,) δv after this substep, replaced by δv before it.
        by_i: (n,) δi of the next substep, replaced by δi of this one.
        by_i_in: (n,) δi_in, to which this substep is added.
    """
    n = u.size
    decay_syn, decay_mem, gain_mem = constants.decay_syn, constants.decay_mem, constants.gain_mem
    r_hidden, threshold = constants.r_hidden, constants.threshold
    through_reset = _ZERO if detached else _ONE
    for j in range(n):
        slopes[j] *= spike_rate * by_rate[j] + r_hidden * by_spikes[j] - through_reset * u[j] * by_v[j]
    for j in range(n):
        by_v[j] = (_ZERO if u[j] > threshold else by_v[j]) + slopes[j]
    for j in range(n):
        by_u = by_v[j]
        by_i[j] = gain_mem * by_u + decay_syn * by_i[j]
        by_i_in[j] += gain_mem * by_u
        by_v[j] = decay_mem * by_u


@compiled(nogil=True)
def _add_outer(values, row, sums):
    """Adds values[i] × row to each row i of `sums`."""
    for i in range(values.size):
        value, total = values[i], sums[i]
        for j in range(row.size):
            total[j] += value * row[j]


@compiled(nogil=True, parallel=True)
def backpropagate(
    observations,
    lengths,
    by_output,
    record,
    kernel_h,
    panels,
    kernel_out,
    spike_rates,
    constants,
    surrogate,
    detached,
    sums,
):
    """Adds up the gradients of the kernels.

    Args:
        observations: (T, S, obs_length) float32 observations.
        lengths: (S,) int64 numbers of steps, from the longest sequence to the shortest.
        by_output: (T, S, act_length) float32 gradients of the outputs.
        record: v_mem, i_syn and spikes before each step, i_in and rate after it, as `play` records them.
        kernel_h: (n, n) kernel W.
        panels: The transpose of W, packed.
        kernel_out: (act_length, n) transpose of the kernel from rates without signs to the output.
        spike_rates: (substeps,) coefficients c.
        constants: (1,) record of `CONSTANTS`.
        surrogate: Index into `SURROGATES`.
        detached: Whether no gradient passes through the reset.
        sums: (chunks, …) gradients of the kernel from observations to i_in, of `kernel_h`, and of the kernel from
            signed rates to the output. They are zeros to which each chunk adds its own.
    """
    v_mem, i_syn, spikes, i_in, rate = record
    by_kernel_in, by_kernel_h, by_kernel_out = sums
    count, n, substeps = lengths.size, kernel_h.shape[0], spike_rates.size
    chunks, width = by_kernel_h.shape[0], panels.shape[0] * panels.shape[2]
    for chunk in prange(chunks):
        c = constants[0]
        u = np.empty((SEQUENCES_AT_ONCE, substeps, n), dtype=np.float32)
        fired = np.empty((SEQUENCES_AT_ONCE, substeps + 1, n), dtype=np.int32)
        counts = np.empty((SEQUENCES_AT_ONCE, substeps + 1), dtype=np.int64)
        by_v = np.zeros((SEQUENCES_AT_ONCE, n), dtype=np.float32)
        by_i = np.zeros((SEQUENCES_AT_ONCE, n), dtype=np.float32)
        by_rate = np.zeros((SEQUENCES_AT_ONCE, n), dtype=np.float32)
        by_i_in = np.empty((SEQUENCES_AT_ONCE, n), dtype=np.float32)
        by_spikes = np.empty((SEQUENCES_AT_ONCE, width), dtype=np.float32)
        slopes, v, i = np.empty(n, dtype=np.float32), np.empty(n, dtype=np.float32), np.empty(n, dtype=np.float32)
        totals, flags = np.empty(n, dtype=np.float64), np.empty(n, dtype=np.int8)
        for t in range(lengths[chunk] - 1, -1, -1):
            active = 0
            for s in range(chunk, count, chunks):
                if lengths[s] <= t:
                    break
                k = active
                active += 1
                copy_row(v_mem[t, s], v)
                copy_row(i_syn[t, s], i)
                counts[k, 0] = _list_fired(spikes[t, s], fired[k, 0])
                _play_again(v, i, i_in[t, s], kernel_h, c, u[k], fired[k], counts[k], totals, flags)
                for j in range(n):
                    by_rate[k, j] *= c.decay_rate
                for a in range(kernel_out.shape[0]):
                    for j in range(n):
                        by_rate[k, j] += by_output[t, s, a] * kernel_out[a, j]
                by_i_in[k] = _ZERO
            for substep in range(substeps - 1, -1, -1):
                multiply(by_i, panels, active, by_spikes)
                for k in range(active):
                    membranes, by_i_now = u[k, substep], by_i[k]
                    _differentiate(surrogate, c, membranes, slopes)
                    _go_back(
                        membranes,
                        slopes,
                        by_rate[k],
                        by_spikes[k],
                        detached,
                        c,
                        spike_rates[substep],
                        by_v[k],
                        by_i_now,
                        by_i_in[k],
                    )
                    for f in range(counts[k, substep]):
                        total = by_kernel_h[chunk, fired[k, substep, f]]
                        for j in range(n):
                            total[j] += by_i_now[j]
            for k in range(active):
                s = chunk + k * chunks
                _add_outer(observations[t, s], by_i_in[k], by_kernel_in[chunk])
                _add_outer(rate[t, s], by_output[t, s], by_kernel_out[chunk])
        for j in range(n):
            for p in range(n):
                by_kernel_h[chunk, j, p] *= c.r_hidden
