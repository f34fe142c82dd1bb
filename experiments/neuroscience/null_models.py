"""Random networks that share something with a given one, to compare it with."""

from collections.abc import Mapping

import numpy as np

from experiments.neuroscience.wiring import KERNELS, RECURRENT, Wiring
from native.compiled import compiled

SWAPS_PER_CONNECTION = 10


def bernoulli(wiring: Wiring, generator: np.random.Generator) -> Wiring:
    """Draws every connection by itself with the density of its block, one of `wiring.BLOCKS`.

    Args:
        wiring: The network, of bits or of probabilities.
        generator: Source of the random numbers.

    Returns:
        A network of bits.
    """
    drawn = wiring.with_kernels(*(np.zeros(kernel.shape, dtype=bool) for kernel in wiring.kernels))
    for name, block in drawn.blocks.items():
        searched = wiring.searched(name)
        if searched.size:
            _put(drawn, name, block, generator.random(searched.shape) < searched.mean())
    return drawn


def first_generation(
    wiring: Wiring, prob_init: Mapping[str, float | np.ndarray], generator: np.random.Generator
) -> Wiring:
    """Draws a network of a run's generation 0.

    Args:
        wiring: A network of the run.
        prob_init: Probability of a connection in generation 0, for each of kernel_in, kernel_h and kernel_out: a
            number, or numbers in the shape of the kernel.
        generator: Source of the random numbers.
    """
    kernels = zip(KERNELS, wiring.kernels, strict=True)
    drawn = [generator.random(kernel.shape) < prob_init[name] for name, kernel in kernels]
    if wiring.possible is not None:
        drawn = [kernel & possible for kernel, possible in zip(drawn, wiring.possible.kernels, strict=True)]
    return wiring.with_kernels(*drawn)


def rewire(wiring: Wiring, generator: np.random.Generator) -> Wiring:
    """Rewires the connections between neurons, and keeps to how many of each kind every neuron sends and receives.

    Within each of the four blocks E→E to I→I, two connections a→b and c→d become a→d and c→b, ten times as many times
    as there are connections, wherever neither exists yet and both can. So the numbers of connections that a neuron
    sends to excitatory and to inhibitory neurons stay as they are, and likewise those that it receives. Inputs and
    outputs stay.

    Args:
        wiring: A network of bits.
        generator: Source of the random numbers.

    Source: Maslov and Sneppen (2002), "Specificity and stability in topology of protein networks",
    https://doi.org/10.1126/science.1065103.
    """
    rewired = wiring.copy()
    for name in RECURRENT:
        block = np.ascontiguousarray(rewired.blocks[name])
        possible = np.ones_like(block) if wiring.possible is None else wiring.possible.blocks[name]
        rows, columns = np.nonzero(block)
        if len(rows) > 1:
            pairs = generator.integers(len(rows), size=(SWAPS_PER_CONNECTION * len(rows), 2))
            _swap(block, np.ascontiguousarray(possible), rows, columns, pairs)
            rewired.blocks[name][:] = block
    return rewired


@compiled
def _swap(block, possible, rows, columns, pairs):
    for k in range(pairs.shape[0]):
        p, q = pairs[k]
        a, b, c, d = rows[p], columns[p], rows[q], columns[q]
        if possible[a, d] and possible[c, b] and not block[a, d] and not block[c, b]:
            block[a, b] = block[c, d] = False
            block[a, d] = block[c, b] = True
            columns[p], columns[q] = d, b


def shuffle(wiring: Wiring, generator: np.random.Generator) -> Wiring:
    """Permutes the entries of each block: what is connected changes, and the values of ρ in the block do not."""
    shuffled = wiring.copy()
    for name, block in shuffled.blocks.items():
        _put(shuffled, name, block, generator.permutation(wiring.searched(name)))
    return shuffled


def _put(wiring: Wiring, name: str, block: np.ndarray, values: np.ndarray) -> None:
    """Writes values, in order, to the entries of a block that can be connections."""
    if wiring.possible is None:
        block[:] = values.reshape(block.shape)
    else:
        block[wiring.possible.blocks[name]] = values
