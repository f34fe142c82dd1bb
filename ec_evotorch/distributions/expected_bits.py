"""What currents say about the connections that made them: the expectation of sampled bits, given their sums.

A unit n adds up what its connections transmit: at step k it has the current I_kn = Σ_j x_kj θ_jn, where θ_jn ~
Bernoulli(ρ_jn) are bits and the x_kj are known. Whatever follows from a network follows from its currents. So the
gradient of ρ does not need to know which bits were drawn, only what is expected of them given the currents: that is the
Rao-Blackwell theorem, and it takes away all the noise that never reached a unit. For many connections the bits given
their sums are nearly those of a normal distribution of the same mean and variance, whose conditional expectation is

    E[θ_n − ρ_n | I_n] = V_n Xᵀ (X V_n Xᵀ + λ_n 1)⁻¹ X (θ_n − ρ_n),   V_n = diag ρ_n (1 − ρ_n),

with X (K, J) and λ_n = ridge · trace(X V_n Xᵀ) / K, which makes it stable: differences between currents that are small
beside the currents' own noise count less. For K = 1 it is the rule of node perturbation, in which a connection learns
from what it transmitted times what its target received beyond expectation.

Source: Blackwell (1947), "Conditional expectation and unbiased sequential estimation", Annals of Mathematical
Statistics 18; node perturbation after Williams (1992), "Simple statistical gradient-following algorithms",
https://doi.org/10.1007/BF00992696; bits that are drawn anew in the course of an episode after Seung (2003), "Learning
in spiking neural networks by reinforcement of stochastic synaptic transmission", Neuron 40.
"""

import math

import numpy as np
import torch

from native.compiled import compiled

_LEAST_TRACE = 1e-30  # what is smaller has lost its digits in float32; firing rates of a silent network decay to that
_CHUNK_ELEMENTS = 2**21  # of one temporary array, which then fits into a cache
_LAUNCHED_TOGETHER = 2**6  # times as many on a GPU, where launches take longer than what is launched


def sum_expected_bits(transmitted, currents, variances, weights, *, ridge: float) -> torch.Tensor:
    """Computes Σ_m w_m Xᵀ_m (X_m V_n Xᵀ_m + λ 1)⁻¹ (I_mn − X_m ρ_n) over M samples, for each of N units.

    Times the variances this is Σ_m w_m E[θ_mn − ρ_n | I_mn]. A row of X may also stand for several connections that
    transmit the same up to their sign: its variance is then the sum of theirs.

    Args:
        transmitted: (M, K, J) float32, X of each sample.
        currents: (M, K, N) float32, the I less what was expected, see `add_currents`; overwritten.
        variances: (J, N) float32, ρ (1 − ρ).
        weights: (M,) float32, the w.
        ridge: Positive number, see above.

    Returns:
        (J, N) float32; 0 for units that nothing was transmitted to, or less than about 1e-15.
    """
    num_samples, num_steps, num_rows = transmitted.shape
    first, second = np.tril_indices(num_steps)
    elements = _CHUNK_ELEMENTS * (1 if transmitted.device.type == "cpu" else _LAUNCHED_TOGETHER)
    chunk = max(1, elements // (len(first) * num_rows))
    for start in range(0, num_samples, chunk):
        rows = slice(start, start + chunk)
        products = transmitted[rows, first] * transmitted[rows, second]  # (m, K (K + 1) / 2, J)
        solve_systems(products @ variances, currents[rows], ridge)
    currents *= weights[:, None, None]
    return transmitted.flatten(0, 1).T @ currents.flatten(0, 1)


def add_currents(networks, rho, transmitted, sign: float, currents) -> None:
    """Adds what connections contributed to the currents of their units, less what was expected: ± X (θ − ρ).

    Args:
        networks: (M, J, N) bool, the θ, on the device of the others.
        rho: (J, N) float32.
        transmitted: (M, K, J) float32, the X.
        sign: 1 or −1.
        currents: (M, K, N) float32, added to.
    """
    if currents.device.type == "cpu":
        arrays = (networks.numpy(), rho.numpy(), transmitted.numpy())
        _add_currents(*arrays, np.float32(sign), currents.numpy())
    else:
        add_all_currents(networks, rho, transmitted, sign, currents)


def add_all_currents(networks, rho, transmitted, sign: float, currents) -> None:
    """Does what `add_currents` does, as a matrix product for each network, on any device."""
    currents += sign * (transmitted @ (networks.to(rho.dtype) - rho))


@compiled(nogil=True)
def _add_currents(networks, rho, transmitted, sign, currents):
    num_samples, num_rows, num_units = networks.shape
    deviation = np.empty(num_units, dtype=np.float32)
    for m in range(num_samples):
        for j in range(num_rows):
            for n in range(num_units):
                deviation[n] = sign * (np.float32(networks[m, j, n]) - rho[j, n])
            for k in range(transmitted.shape[1]):
                x = transmitted[m, k, j]
                if x != 0.0:
                    for n in range(num_units):
                        currents[m, k, n] += x * deviation[n]


def solve_systems(matrices, vectors, ridge: float) -> None:
    """Solves (A + λ 1) y = b for many small positive semidefinite A, by Cholesky decomposition in float64.

    Where the trace of A is below 1e-30, or not finite, y is 0.

    Args:
        matrices: (M, K (K + 1) / 2, N) float32, the lower triangles of the A, row by row, on the device of the others.
        vectors: (M, K, N) float32, the b; overwritten by the y.
        ridge: λ as a share of the mean of A's diagonal.
    """
    if vectors.device.type == "cpu":
        _solve_systems(matrices.numpy(), vectors.numpy(), np.float32(ridge))
    else:
        vectors.copy_(solve_all(matrices, vectors, ridge))


def solve_all(matrices, vectors, ridge: float):
    """Returns the y of `solve_systems`, (M, K, N) float64, by operations on all systems at once, on any device."""
    size = vectors.shape[1]
    entries = iter(matrices.double().unbind(dim=1))
    factor = [[next(entries) for _ in range(row + 1)] for row in range(size)]
    trace = sum(factor[a][a] for a in range(size))
    is_solved = (trace >= _LEAST_TRACE) & trace.isfinite()
    least = 1e-9 * trace
    for a in range(size):
        factor[a][a] = factor[a][a] + float(np.float32(ridge)) * trace / size
        for b in range(a):
            for c in range(b):
                factor[a][b] = factor[a][b] - factor[a][c] * factor[b][c]
            factor[a][b] = factor[a][b] / factor[b][b]
            factor[a][a] = factor[a][a] - factor[a][b] * factor[a][b]
        factor[a][a] = torch.maximum(factor[a][a], least).sqrt()
    solution = list(vectors.double().unbind(dim=1))
    for a in range(size):
        for c in range(a):
            solution[a] = solution[a] - factor[a][c] * solution[c]
        solution[a] = solution[a] / factor[a][a]
    for a in range(size - 1, -1, -1):
        for c in range(a + 1, size):
            solution[a] = solution[a] - factor[c][a] * solution[c]
        solution[a] = solution[a] / factor[a][a]
    return torch.stack(solution, dim=1).where(is_solved[:, None], 0.0)


@compiled(nogil=True)
def _solve_systems(matrices, vectors, ridge):
    num_samples, size, num_units = vectors.shape
    factor = np.empty((size, size))
    solution = np.empty(size)
    for m in range(num_samples):
        for n in range(num_units):
            trace, entry = 0.0, 0
            for a in range(size):
                for b in range(a + 1):
                    factor[a, b] = matrices[m, entry, n]
                    entry += 1
                trace += factor[a, a]
            if not _LEAST_TRACE <= trace < math.inf:
                for a in range(size):
                    vectors[m, a, n] = 0.0
                continue
            for a in range(size):
                factor[a, a] += ridge * trace / size
                for b in range(a):
                    for c in range(b):
                        factor[a, b] -= factor[a, c] * factor[b, c]
                    factor[a, b] /= factor[b, b]
                    factor[a, a] -= factor[a, b] * factor[a, b]
                factor[a, a] = math.sqrt(max(factor[a, a], 1e-9 * trace))  # rounding errors of float32 products
            for a in range(size):
                solution[a] = vectors[m, a, n]
                for c in range(a):
                    solution[a] -= factor[a, c] * solution[c]
                solution[a] /= factor[a, a]
            for a in range(size - 1, -1, -1):
                for c in range(a + 1, size):
                    solution[a] -= factor[c, a] * solution[c]
                solution[a] /= factor[a, a]
                vectors[m, a, n] = solution[a]
