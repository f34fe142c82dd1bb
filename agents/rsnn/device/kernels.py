"""The spiking network's step as Warp kernels: currents of the input, substeps, and readout, for all slots at once.

A block of threads has one slot in the substeps, and each of its lanes the neurons lane, lane + width, …. All that lanes
tell one another is who fired. Every sum is added in the order of `agents.rsnn.step_kernel`, and every operation is
rounded by itself, so that the two agree to the last bit.

Boolean connections are packed: bit b of word w says whether presynaptic unit 32 w + b is connected. What a neuron
receives is then a count of bits. Real connections are added for the neurons that fired, in their order.
"""

from functools import cache
from typing import NamedTuple

from agents.device.row_kernels import WORD, num_words
from native.warp_device import EXACT, load_warp

wp = load_warp()
wp.set_module_options(EXACT)

# ---------------------------------------------------------------------------------------------------------------------
# Connections
# ---------------------------------------------------------------------------------------------------------------------


@wp.kernel
def pack_rows(rows: wp.array2d[bool], packed: wp.array2d[wp.uint32]):
    """Packs a row of L bits into words: bit j % 32 of word j // 32 is bit j. Bits beyond L are 0."""
    row, w = wp.tid()
    word = wp.uint32(0)
    for b in range(32):
        j = 32 * w + b
        if j < rows.shape[1]:  # noqa: SIM102 - Warp looks at both sides of an "and"
            if rows[row, j]:
                word = word | (wp.uint32(1) << wp.uint32(b))
    packed[row, w] = word


@wp.kernel
def pack_positive(rows: wp.array2d[float], renewed: wp.array[bool], packed: wp.array2d[wp.uint32]):
    """Packs the rows that are renewed like `pack_rows`; a bit is 1 where a number is positive."""
    row, w = wp.tid()
    if not renewed[row]:
        return
    word = wp.uint32(0)
    for b in range(32):
        j = 32 * w + b
        if j < rows.shape[1]:  # noqa: SIM102 - Warp looks at both sides of an "and"
            if rows[row, j] > 0.0:
                word = word | (wp.uint32(1) << wp.uint32(b))
    packed[row, w] = word


@wp.kernel
def turn_kernel(
    packed: wp.array2d[wp.uint32],  # (N, words) canonical rows
    renewed: wp.array[bool],  # (N,) rows to look at
    first: int,  # bit of the row where the kernel begins
    pre: int,
    post: int,
    turned: wp.array3d[wp.uint32],  # (N, post, words)
):
    """Takes a (pre, post) kernel out of a row as words over the presynaptic index."""
    row, j, w = wp.tid()
    if not renewed[row]:
        return
    word = wp.uint32(0)
    for b in range(32):
        i = 32 * w + b
        if i < pre:
            bit = first + i * post + j
            set = (packed[row, bit >> 5] >> wp.uint32(bit & 31)) & wp.uint32(1)
            word = word | (set << wp.uint32(b))
    turned[row, j, w] = word


# ---------------------------------------------------------------------------------------------------------------------
# Input
# ---------------------------------------------------------------------------------------------------------------------


@wp.kernel
def boolean_input(
    members: wp.array[int],  # (B,) row of each slot; a slot with a negative one rests
    kernel_in: wp.array3d[wp.uint32],  # (N, n, words)
    observations: wp.array2d[float],  # (B, d)
    r_in: float,
    i_in: wp.array2d[float],  # (B, n)
):
    """Computes the input currents of boolean connections: x through the first rows, −x through the others."""
    slot, j = wp.tid()
    row = members[slot]
    if row < 0:
        return
    d = observations.shape[1]
    total = wp.float64(0.0)
    for i in range(d):
        plus = int((kernel_in[row, j, i >> 5] >> wp.uint32(i & 31)) & wp.uint32(1))
        k = i + d
        minus = int((kernel_in[row, j, k >> 5] >> wp.uint32(k & 31)) & wp.uint32(1))
        total += wp.float64(observations[slot, i]) * wp.float64(plus - minus)
    i_in[slot, j] = r_in * float(total)


@wp.kernel
def real_input(
    members: wp.array[int],
    kernel_in: wp.array3d[float],  # (N, d, n)
    observations: wp.array2d[float],
    r_in: float,
    i_in: wp.array2d[float],
):
    """Computes the input currents of real connections."""
    slot, j = wp.tid()
    row = members[slot]
    if row < 0:
        return
    total = wp.float64(0.0)
    for i in range(observations.shape[1]):
        total += wp.float64(observations[slot, i]) * wp.float64(kernel_in[row, i, j])
    i_in[slot, j] = r_in * float(total)


# ---------------------------------------------------------------------------------------------------------------------
# Substeps
# ---------------------------------------------------------------------------------------------------------------------


class Substeps(NamedTuple):
    """What depends on the number of neurons.

    Attributes:
        kernel: The kernel of all substeps of a step, launched with a block for each slot.
        words: Type of a vector of the bits of all neurons.
    """

    kernel: object
    words: type


@cache
def make_substeps(num_neurons: int, num_excitatory: int, real: bool) -> Substeps:
    """Makes the kernel that advances the neurons by all substeps of a step.

    The number of neurons is a constant of the kernel: the bits of who fired stay in registers.

    Args:
        num_neurons: Number of neurons n.
        num_excitatory: How many of them, the first ones, are excitatory; the others subtract.
        real: Whether recurrent connections are real, (N, n, n) with the presynaptic index first, or boolean, (N, n) of
            words over the presynaptic index.
    """
    n, num = num_neurons, num_words(num_neurons)
    Words = wp.types.vector(length=num, dtype=wp.uint32)
    Kernels = wp.array3d[float] if real else wp.array2d[Words]
    full, rest = divmod(num_excitatory, WORD)  # words of excitatory neurons, and such bits of the next one
    boundary = wp.constant(wp.uint32(2**rest - 1))

    @wp.func
    def union(x: Words, y: Words):
        both = Words()
        for w in range(wp.static(num)):
            both[w] = x[w] | y[w]
        return both

    @wp.func
    def is_silent(fired: Words):
        any_bit = wp.uint32(0)
        for w in range(wp.static(num)):
            any_bit = any_bit | fired[w]
        return any_bit == wp.uint32(0)

    @wp.func
    def count_bits(kernel_h: wp.array2d[Words], row: int, j: int, fired: Words):
        connected = kernel_h[row, j]
        count = int(0)  # noqa: RUF046, UP018 - to Warp a bare 0 is a constant
        for w in range(wp.static(num)):
            hit = connected[w] & fired[w]
            if w < wp.static(full):
                count += wp.bit_count(hit)
            elif w > wp.static(full) or wp.static(rest == 0):
                count -= wp.bit_count(hit)
            else:
                count += 2 * wp.bit_count(hit & boundary) - wp.bit_count(hit)
        return float(count)

    @wp.func
    def add_rows(kernel_h: wp.array3d[float], row: int, j: int, fired: Words):
        total = wp.float64(0.0)
        for w in range(wp.static(num)):
            left = fired[w]
            while left != wp.uint32(0):
                below = wp.bit_count((left & (~left + wp.uint32(1))) - wp.uint32(1))  # zeros below the lowest bit
                left = left & (left - wp.uint32(1))
                total += wp.float64(kernel_h[row, 32 * w + below, j])
        return float(total)

    receive = add_rows if real else count_bits

    @wp.kernel(module="unique", module_options=EXACT)
    def substeps(
        members: wp.array[int],  # (B,) row of each slot; a slot with a negative one rests
        kernel_h: Kernels,
        i_in: wp.array2d[float],  # (B, n)
        spike_rates: wp.array[float],  # (substeps,)
        decay_syn: float,
        decay_mem: float,
        gain_mem: float,
        decay_rate: float,
        r_hidden: float,
        threshold: float,
        v_mem: wp.array2d[float],  # (B, n), as the others
        i_syn: wp.array2d[float],
        rate: wp.array2d[float],
        spikes: wp.array2d[wp.int8],
    ):
        slot, lane = wp.tid()
        row = members[slot]
        if row < 0:
            return
        width = wp.block_dim()
        recalled = Words()
        for j in range(lane, wp.static(n), width):
            rate[slot, j] = rate[slot, j] * decay_rate
            if spikes[slot, j] != wp.int8(0):
                recalled[j >> 5] = recalled[j >> 5] | (wp.uint32(1) << wp.uint32(j & 31))
        everyone = wp.tile_reduce(union, wp.tile(recalled, preserve_type=True))
        fired = everyone[0]
        for t in range(spike_rates.shape[0]):
            mine = Words()
            silent = is_silent(fired)
            for j in range(lane, wp.static(n), width):
                current = i_syn[slot, j] * decay_syn
                if not silent:
                    current = current + r_hidden * receive(kernel_h, row, j, fired)
                v = (current + i_in[slot, j]) * gain_mem + v_mem[slot, j] * decay_mem
                i_syn[slot, j] = current
                if v > threshold:
                    v = 0.0
                    mine[j >> 5] = mine[j >> 5] | (wp.uint32(1) << wp.uint32(j & 31))
                    if j < wp.static(num_excitatory):
                        rate[slot, j] = rate[slot, j] + spike_rates[t]
                    else:
                        rate[slot, j] = rate[slot, j] - spike_rates[t]
                v_mem[slot, j] = v
            everyone = wp.tile_reduce(union, wp.tile(mine, preserve_type=True))
            fired = everyone[0]
        for j in range(lane, wp.static(n), width):
            spike = int((fired[j >> 5] >> wp.uint32(j & 31)) & wp.uint32(1))
            if j >= wp.static(num_excitatory):
                spike = -spike
            spikes[slot, j] = wp.int8(spike)

    return Substeps(substeps, Words)


# ---------------------------------------------------------------------------------------------------------------------
# Readout
# ---------------------------------------------------------------------------------------------------------------------


@wp.func
def write_action(slot: int, k: int, value: float, output: wp.array2d[float], actions: wp.array2d[float]):
    """Writes an output, and the output clipped to [−1, 1] as the action; NaN stays NaN."""
    output[slot, k] = value
    if value > 1.0:
        actions[slot, k] = 1.0
    elif value < -1.0:
        actions[slot, k] = -1.0
    else:
        actions[slot, k] = value


@wp.kernel
def boolean_readout(
    members: wp.array[int],
    kernel_out: wp.array3d[wp.uint32],  # (N, a, words)
    rate: wp.array2d[float],  # (B, n)
    r_out: float,
    output: wp.array2d[float],  # (B, a)
    actions: wp.array2d[float],  # (B, a)
):
    """Reads out firing rates through boolean connections; the action of a resting slot is 0."""
    slot, k = wp.tid()
    row = members[slot]
    if row < 0:
        actions[slot, k] = 0.0
        return
    total = wp.float64(0.0)
    for j in range(rate.shape[1]):
        connected = int((kernel_out[row, k, j >> 5] >> wp.uint32(j & 31)) & wp.uint32(1))
        total += wp.float64(rate[slot, j]) * wp.float64(connected)
    write_action(slot, k, r_out * float(total), output, actions)


@wp.kernel
def real_readout(
    members: wp.array[int],
    kernel_out: wp.array3d[float],  # (N, n, a)
    rate: wp.array2d[float],
    r_out: float,
    output: wp.array2d[float],
    actions: wp.array2d[float],
):
    """Reads out firing rates through real connections; the action of a resting slot is 0."""
    slot, k = wp.tid()
    row = members[slot]
    if row < 0:
        actions[slot, k] = 0.0
        return
    total = wp.float64(0.0)
    for j in range(rate.shape[1]):
        total += wp.float64(rate[slot, j]) * wp.float64(kernel_out[row, j, k])
    write_action(slot, k, r_out * float(total), output, actions)


# ---------------------------------------------------------------------------------------------------------------------
# Start
# ---------------------------------------------------------------------------------------------------------------------


@wp.kernel
def begin(
    starting: wp.array[bool],  # (B,) slots in which an episode begins
    rows: wp.array[int],  # (B,) rows of these in `starts`
    starts: wp.array2d[float],  # (E, n)
    v_mem: wp.array2d[float],
    i_syn: wp.array2d[float],
    rate: wp.array2d[float],
    spikes: wp.array2d[wp.int8],
    output: wp.array2d[float],
):
    """Makes the neurons of some slots silent, with given membrane potentials."""
    slot, j = wp.tid()
    if not starting[slot]:
        return
    v_mem[slot, j] = starts[rows[slot], j]
    i_syn[slot, j] = 0.0
    rate[slot, j] = 0.0
    spikes[slot, j] = wp.int8(0)
    for k in range(j, output.shape[1], v_mem.shape[1]):
        output[slot, k] = 0.0
