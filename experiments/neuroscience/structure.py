"""Numbers that describe the wiring of a network, of bits or of probabilities."""

import numpy as np

from experiments.neuroscience.modules import find_modules
from experiments.neuroscience.triads import triad_census
from experiments.neuroscience.wiring import BLOCKS, Wiring

RICH_SHARE = 0.1  # of the neurons with most connections


def measure(wiring: Wiring, generator: np.random.Generator) -> dict[str, float]:
    """Measures a network.

    Args:
        wiring: The network. Of probabilities ρ, counts become expectations, and matrices are those of ρ.
        generator: Source of the orders in which modules are looked for.

    Returns:
        Measure -> value; NaN where it does not exist, as reciprocity without connections.

        - density BLOCK: Share of the possible connections of a block that exist.
        - reciprocity, clustering, rich club: See the functions of this file.
        - triad NAME: See `triad_census`.
        - in-degree std, out-degree std: Standard deviations over neurons of the connections received and sent.
        - degree correlation: Pearson's, over neurons, of connections received and sent.
        - spectral radius: Largest |eigenvalue| of the signed matrix, whose rows of inhibitory neurons are negative.
        - largest singular value: Of the signed matrix.
        - participation ratio: See `participation_ratio`, of the squared singular values.
        - modularity: Q of `find_modules`.
        - input correlation: Pearson's, over pairs of neurons, of the similarity of their inputs and whether they
          are connected: above 0 where neurons with the same inputs connect.
    """
    kernel_h = np.asarray(wiring.kernel_h, dtype=np.float64)
    signed = wiring.signs[:, None] * kernel_h
    singular = np.linalg.svd(signed, compute_uv=False)
    in_degree, out_degree = kernel_h.sum(axis=0), kernel_h.sum(axis=1)
    return {
        **{f"density {name}": float(b.mean()) if (b := wiring.searched(name)).size else np.nan for name in BLOCKS},
        "reciprocity": reciprocity(kernel_h),
        "clustering": clustering(kernel_h),
        "rich club": rich_club(kernel_h),
        **{f"triad {name}": count for name, count in triad_census(kernel_h).items()},
        "in-degree std": float(in_degree.std()),
        "out-degree std": float(out_degree.std()),
        "degree correlation": _correlation(in_degree, out_degree),
        "spectral radius": float(np.abs(np.linalg.eigvals(signed)).max()),
        "largest singular value": float(singular[0]),
        "participation ratio": participation_ratio(singular**2),
        "modularity": find_modules(kernel_h, generator)[1],
        "input correlation": input_correlation(wiring),
    }


def reciprocity(kernel_h: np.ndarray) -> float:
    """Returns Σ a_ij a_ji / Σ a_ij over i ≠ j: the share of connections that are answered; NaN without any."""
    a = _without_self(kernel_h)
    total = a.sum()
    return float((a * a.T).sum() / total) if total else np.nan


def clustering(kernel_h: np.ndarray) -> float:
    """Returns the share of directed triangles that exist of those that could around each neuron, as a mean over them.

    C_i = [(A + Aᵀ)³]_ii / 2 [d_i (d_i − 1) − 2 (A²)_ii], with d_i the connections received and sent. Neurons for which
    the denominator is 0 count as 0.

    Source: Fagiolo (2007), "Clustering in complex directed networks",
    https://doi.org/10.1103/PhysRevE.76.026107, Eq. 8.
    """
    a = _without_self(kernel_h)
    both = a + a.T
    triangles = np.einsum("ij,ji->i", both @ both, both)
    degree = both.sum(axis=1)
    possible = 2 * (degree * (degree - 1) - 2 * np.einsum("ij,ji->i", a, a))
    return float(np.divide(triangles, possible, out=np.zeros(len(a)), where=possible > 0).mean())


def rich_club(kernel_h: np.ndarray, share: float = RICH_SHARE) -> float:
    """Returns the density of connections among the neurons with most connections, without those to themselves.

    Compare it with that of networks with the same degrees (`null_models.rewire`).

    Args:
        kernel_h: (n, n) connections.
        share: Share of the neurons that are rich, at least two of them; those of equal degree in order of number.

    Source: Colizza et al. (2006), "Detecting rich-club ordering in complex networks",
    https://doi.org/10.1038/nphys209.
    """
    a = _without_self(kernel_h)
    count = max(2, round(share * len(a)))
    rich = np.argsort(-(a.sum(axis=0) + a.sum(axis=1)), kind="stable")[:count]
    return float(a[np.ix_(rich, rich)].sum() / (count * (count - 1)))


def participation_ratio(variances: np.ndarray) -> float:
    """Returns (Σ v)² / Σ v²: over how many directions variances spread; NaN where all are 0.

    Args:
        variances: (n,) numbers of at least 0, such as eigenvalues of a covariance.

    Source: Gao et al. (2017), "A theory of multineuronal dimensionality, dynamics and measurement",
    https://doi.org/10.1101/214262.
    """
    squares = float((variances**2).sum())
    return float(variances.sum()) ** 2 / squares if squares else np.nan


def input_correlation(wiring: Wiring) -> float:
    """Returns whether neurons with similar inputs connect: Pearson's correlation over ordered pairs of neurons.

    The similarity is the correlation of two columns of kernel_in. NaN where there is no variance.
    """
    columns = np.asarray(wiring.kernel_in, dtype=np.float64)
    centred = columns - columns.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    scale = np.outer(lengths, lengths)
    similarity = np.divide(centred.T @ centred, scale, out=np.zeros_like(scale), where=scale > 0)
    pairs = ~np.eye(wiring.num_neurons, dtype=bool)
    return _correlation(similarity[pairs], np.asarray(wiring.kernel_h, dtype=np.float64)[pairs])


def _without_self(kernel_h: np.ndarray) -> np.ndarray:
    a = np.array(kernel_h, dtype=np.float64)
    np.fill_diagonal(a, 0.0)
    return a


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / scale) if scale > 0 else np.nan
