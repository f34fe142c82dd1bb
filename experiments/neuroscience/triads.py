"""The thirteen ways in which three neurons can be connected, counted by products of matrices."""

from functools import cache
from itertools import permutations

import numpy as np

# By Holland and Leinhardt's names, which count mutual, one-way and null pairs: connections among the neurons 0, 1, 2.
TRIADS = {
    "021D": ((0, 1), (0, 2)),
    "021U": ((1, 0), (2, 0)),
    "021C": ((1, 0), (0, 2)),
    "111D": ((0, 1), (1, 0), (2, 0)),
    "111U": ((0, 1), (1, 0), (0, 2)),
    "030T": ((0, 1), (0, 2), (1, 2)),
    "030C": ((0, 1), (1, 2), (2, 0)),
    "201": ((0, 1), (1, 0), (0, 2), (2, 0)),
    "120D": ((0, 1), (0, 2), (1, 2), (2, 1)),
    "120U": ((1, 0), (2, 0), (1, 2), (2, 1)),
    "120C": ((1, 0), (0, 2), (1, 2), (2, 1)),
    "210": ((0, 1), (1, 0), (0, 2), (1, 2), (2, 1)),
    "300": ((0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)),
}


def triad_census(kernel_h: np.ndarray) -> dict[str, float]:
    """Counts the thirteen connected triads among neurons; connections of a neuron to itself do not matter.

    Let D_s be the matrix of ordered pairs in state s: mutual a∘aᵀ, one-way a∘(1−aᵀ), its transpose, or null
    (1−a)∘(1−aᵀ). A triad with the states s, t and u of the pairs (0, 1), (1, 2) and (0, 2) occurs

        Σ_ik [(D_s D_t) ∘ D_u]_ik / (number of its automorphisms)

    times. Pairs are independent of one another where connections are, so of probabilities ρ this is the expected
    census of the networks that are drawn from them.

    Args:
        kernel_h: (n, n) connections, presynaptic index first: bool, or probabilities.

    Returns:
        Name of `TRIADS` -> number of sets of three neurons, or its expectation.

    Source: Holland and Leinhardt (1970), "A method for detecting structure in sociometric data",
    https://doi.org/10.1086/224954; named as in `networkx.triadic_census`, which equals it on bits.
    """
    a = np.array(kernel_h, dtype=np.float64)
    off_diagonal = 1.0 - np.eye(len(a))
    one_way = a * (1.0 - a.T) * off_diagonal
    states = {
        (True, True): a * a.T * off_diagonal,
        (True, False): one_way,
        (False, True): one_way.T,
        (False, False): (1.0 - a) * (1.0 - a.T) * off_diagonal,
    }
    products: dict = {}
    census = {}
    for name, connections in TRIADS.items():
        s, t, u = (((i, j) in connections, (j, i) in connections) for i, j in ((0, 1), (1, 2), (0, 2)))
        if (s, t) not in products:
            products[s, t] = states[s] @ states[t]
        census[name] = float((products[s, t] * states[u]).sum()) / _automorphisms(name)
    return census


@cache
def _automorphisms(name: str) -> int:
    connections = set(TRIADS[name])
    return sum({(p[i], p[j]) for i, j in connections} == connections for p in permutations(range(3)))
