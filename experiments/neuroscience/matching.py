"""Which neuron of one network has the place of which in another: neurons matched by their connections.

Permuting the neurons of a kind, with all their connections, gives a network that does the same. So neurons of two runs
can only be compared after a permutation has been found, and whether it means anything only after it was found between
networks that have nothing in common as well.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.optimize import quadratic_assignment

from experiments.neuroscience.comparison import compare
from experiments.neuroscience.null_models import shuffle
from experiments.neuroscience.wiring import BLOCKS, Wiring

MOST_STEPS = 100  # of the search for a permutation


def can_match(one: Wiring, other: Wiring) -> bool:
    """Returns whether two networks have as many inputs, outputs and neurons of each kind."""
    shapes = [[kernel.shape for kernel in wiring.kernels] for wiring in (one, other)]
    return shapes[0] == shapes[1] and one.num_excitatory == other.num_excitatory


def match_neurons(one: Wiring, other: Wiring) -> np.ndarray:
    """Finds the order of the neurons of another network in which its connections agree best with those of one.

    Let A and B be the connections of the two, from every input and neuron to every neuron and output, without the mean
    of their block. The order p maximizes Σ_ij A_ij B_p(i)p(j), the covariance, where inputs and outputs stay in their
    places and neurons keep their kind. To find the best of all p is hard; this is the fast approximate algorithm, which
    begins in the middle of all permutations and goes uphill. It may miss the best, above all where no p is good.

    Args:
        one: A network of bits or of probabilities.
        other: Another, for which `can_match` holds.

    Returns:
        (n,) int64: p(i) is the neuron of the other network that has the place of neuron i.

    Source: Vogelstein et al. (2015), "Fast approximate quadratic programming for graph matching",
    https://doi.org/10.1371/journal.pone.0121002; seeds: Fishkind et al. (2019), "Seeded graph matching",
    https://doi.org/10.1016/j.patcog.2018.09.014.
    """
    n, inputs = one.num_neurons, len(one.kernel_in)
    graphs, neurons = [_graph(wiring) for wiring in (one, other)], np.arange(inputs, inputs + n)
    fixed = np.setdiff1d(np.arange(len(graphs[0])), neurons)
    same_kind = (one.signs[:, None] == one.signs[None]).astype(np.float64)
    options = {
        "partial_match": np.stack([fixed, fixed], axis=1),
        "P0": same_kind / same_kind.sum(axis=1, keepdims=True),
        "maximize": True,
        "maxiter": MOST_STEPS,
    }
    return quadratic_assignment(*graphs, method="faq", options=options).col_ind[neurons] - inputs


def reorder(wiring: Wiring, order: np.ndarray) -> Wiring:
    """Returns a network whose neuron i is the neuron order[i] of another; its kind must be the same."""
    kernels = [wiring.kernel_in[:, order], wiring.kernel_h[np.ix_(order, order)], wiring.kernel_out[order]]
    possible = None if wiring.possible is None else reorder(wiring.possible, order)
    return Wiring(*kernels, wiring.num_excitatory, possible)


def agreement(one: Wiring, other: Wiring) -> dict[str, float]:
    """Returns how well the connections of two networks agree, neuron by neuron.

    Args:
        one: A network of bits or of probabilities.
        other: Another, with its neurons in the order of the first.

    Returns:
        "all", and each of `wiring.BLOCKS` -> correlation of the connections, without the mean of their block: 1 of
        equal networks, 0 on average of networks in which neurons have nothing in common. What cannot exist counts as
        the mean. NaN where nothing varies.
    """
    pairs = {name: (_centred(one, name), _centred(other, name)) for name in BLOCKS}
    sums = {name: ((a * b).sum(), (a**2).sum(), (b**2).sum()) for name, (a, b) in pairs.items()}
    sums = {"all": tuple(np.sum(list(sums.values()), axis=0)), **sums}
    return {name: float(ab / np.sqrt(aa * bb)) if aa * bb > 0 else np.nan for name, (ab, aa, bb) in sums.items()}


def matching_table(
    one: Wiring, other: Wiring, draws: int, make_generator: Callable[[int], np.random.Generator]
) -> tuple[np.ndarray, pd.DataFrame]:
    """Matches the neurons of two networks, and compares how well they agree with what chance gives.

    Chance is what the same search finds where there is nothing to find: between the first network and the other one
    with the connections of every block shuffled, anew for each draw.

    Args:
        one: A network of bits or of probabilities.
        other: Another, for which `can_match` holds.
        draws: Number of shuffled networks.
        make_generator: Makes the source of random numbers of a draw, from its number.

    Returns:
        The order of `match_neurons`, and the table of `compare` with the measures of `agreement`.
    """
    order = match_neurons(one, other)
    drawn = []
    for draw in range(draws):
        shuffled = shuffle(other, make_generator(draw))
        drawn.append(agreement(one, reorder(shuffled, match_neurons(one, shuffled))))
    return order, compare(agreement(one, reorder(other, order)), drawn)


def _centred(wiring: Wiring, block: str) -> np.ndarray:
    """Returns a block without its mean, in float64, and 0 for what cannot exist."""
    values, searched = wiring.blocks[block].astype(np.float64), wiring.searched(block)
    if not searched.size:
        return np.zeros_like(values)
    centred = values - searched.mean(dtype=np.float64)
    return centred if wiring.possible is None else np.where(wiring.possible.blocks[block], centred, 0.0)


def _graph(wiring: Wiring) -> np.ndarray:
    """Returns the centred connections among inputs, neurons, outputs, and one node more for each kind of neuron.

    A connection from such a node to the neurons of its kind outweighs all others, so that no kind is ever exchanged.
    """
    centred = wiring.with_kernels(*(np.zeros(kernel.shape) for kernel in wiring.kernels))
    for name, block in centred.blocks.items():
        block[:] = _centred(wiring, name)
    inputs, n, outputs = len(wiring.kernel_in), wiring.num_neurons, wiring.kernel_out.shape[1]
    neurons, kinds = slice(inputs, inputs + n), slice(inputs + n + outputs, None)
    graph = np.zeros((inputs + n + outputs + 2,) * 2)
    graph[:inputs, neurons] = centred.kernel_in
    graph[neurons, neurons] = centred.kernel_h
    graph[neurons, inputs + n : inputs + n + outputs] = centred.kernel_out
    heavy = 1.0 + np.sqrt(sum((kernel**2).sum() for kernel in centred.kernels))
    graph[kinds, neurons] = heavy * np.stack([wiring.signs > 0, wiring.signs < 0])
    return graph
