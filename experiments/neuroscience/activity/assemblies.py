"""Cell assemblies: neurons that fire together."""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

MOST_ASSEMBLIES = 10


def find_assemblies(correlation: np.ndarray, most: int = MOST_ASSEMBLIES) -> tuple[np.ndarray, float]:
    """Divides neurons into assemblies by hierarchical clustering of their correlations.

    Distances are 1 − correlation, linkage is the average, and the number of assemblies from 2 to `most` is that with
    the largest mean silhouette.

    Args:
        correlation: (n, n) correlations; neurons whose correlations are NaN belong to none.
        most: Largest number of assemblies.

    Returns:
        (n,) int64 numbers of assemblies from 0, −1 for none; and the mean silhouette, NaN where fewer than three
        neurons can be divided.
    """
    labels = np.full(len(correlation), -1)
    active = np.flatnonzero(np.isfinite(np.diag(correlation)))
    if len(active) < 3:
        return labels, np.nan
    distances = np.clip(1.0 - correlation[np.ix_(active, active)], 0.0, 2.0)
    np.fill_diagonal(distances, 0.0)
    distances = (distances + distances.T) / 2
    tree = linkage(squareform(distances, checks=False), "average")
    best = -np.inf
    for count in range(2, min(most, len(active) - 1) + 1):
        division = fcluster(tree, count, "maxclust") - 1
        score = silhouette(distances, division)
        if score > best:
            best, labels[active] = score, division
    return labels, float(best) if np.isfinite(best) else np.nan


def silhouette(distances: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean over points of (b − a) / max(a, b); NaN of a single cluster.

    Here a is the mean distance to the others of the same cluster, and b that to the nearest other cluster; a point
    alone in its cluster counts as 0.

    Args:
        distances: (n, n) distances.
        labels: (n,) number of each point's cluster.

    Source: Rousseeuw (1987), https://doi.org/10.1016/0377-0427(87)90125-7.
    """
    names, labels = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        return np.nan
    members = np.eye(len(names))[labels]
    sizes = members.sum(axis=0)
    totals = distances @ members
    own = np.arange(len(labels)), labels
    a = totals[own] / np.maximum(sizes[labels] - 1, 1)
    to_others = totals / sizes
    to_others[own] = np.inf
    b = to_others.min(axis=1)
    scale = np.maximum(a, b)
    scores = np.divide(b - a, scale, out=np.zeros(len(a)), where=scale > 0)
    return float(np.where(sizes[labels] > 1, scores, 0.0).mean())
