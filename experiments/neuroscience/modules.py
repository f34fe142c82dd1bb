"""Modules: groups of neurons with more connections among themselves than chance would give."""

import numpy as np

from native.compiled import compiled


def modularity_matrix(kernel_h: np.ndarray) -> np.ndarray:
    """Returns what each pair has more than chance, (A_ij − k_i^out k_j^in / m) / m, made symmetric; (n, n) float64.

    The sum over all pairs within the same module is the modularity Q of a division into modules.

    Args:
        kernel_h: (n, n) connections: bool, or probabilities. m is their sum; without any, all is 0.

    Source: Leicht and Newman (2008), "Community structure in directed networks",
    https://doi.org/10.1103/PhysRevLett.100.118703, Eq. 1 and 4.
    """
    a = np.array(kernel_h, dtype=np.float64)
    total = a.sum()
    if total == 0:
        return np.zeros_like(a)
    excess = (a - np.outer(a.sum(axis=1), a.sum(axis=0)) / total) / total
    return (excess + excess.T) / 2


def find_modules(kernel_h: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Divides neurons into modules by the Louvain method.

    Neurons move, in random order, to the module where they add most to the modularity until none can add more; modules
    then become the neurons of a smaller network, and so on. `networkx.community.louvain_communities` does the same;
    this one works on a dense matrix, where it is fast enough to be repeated for hundreds of random networks.

    Args:
        kernel_h: (n, n) connections: bool, or probabilities.
        generator: Source of the orders.

    Returns:
        (n,) int64 numbers of modules, from 0 in the order of their first neurons, and the modularity Q.

    Source: Blondel et al. (2008), "Fast unfolding of communities in large networks",
    https://doi.org/10.1088/1742-5468/2008/10/P10008.
    """
    excess = modularity_matrix(kernel_h)
    modules, level = np.arange(len(excess)), excess
    while True:
        labels = np.arange(len(level))
        moved = _move(level, generator.permutation(len(level)), labels)
        _, labels = np.unique(labels, return_inverse=True)
        modules = labels[modules]
        if not moved:
            break
        members = np.eye(labels.max() + 1)[labels]
        level = members.T @ level @ members
    _, first, labels = np.unique(modules, return_index=True, return_inverse=True)
    modules = np.argsort(np.argsort(first))[labels]
    return modules, float(excess[modules[:, None] == modules[None]].sum())


@compiled
def _move(excess, order, labels):
    """Moves nodes between modules, in place, until none gains; returns whether any has moved."""
    n = len(labels)
    has_moved, goes_on = False, True
    while goes_on:
        goes_on = False
        for i in order:
            gains = np.zeros(n)
            for j in range(n):
                if j != i:
                    gains[labels[j]] += excess[i, j]
            best = labels[i]
            for module in range(n):
                if gains[module] > gains[best] + 1e-12:
                    best = module
            if best != labels[i]:
                labels[i] = best
                has_moved = goes_on = True
    return has_moved
