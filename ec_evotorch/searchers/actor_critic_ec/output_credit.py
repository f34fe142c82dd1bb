"""The gradient of connection probabilities from what sampled connections did to the outputs of their network.

A network acts on the world through its outputs alone, and they are few. Hidden unit n received the current I_n = Σ_j
x_j θ_jn, which differs from what was expected by ξ_n = Σ_j x_j (θ_jn − ρ_jn). If it then transmits f_n' more for each
unit of current, and is connected to output i by θ_ni, the outputs differ in this step from what was expected by about

    D_i = Σ_n f_n' ξ_n ρ_ni + Σ_n r_n (θ_ni − ρ_ni),

with what it transmits, r_n. Credit is what is expected of the connections given these few numbers,

    E[θ_jn − ρ_jn | D] = V_jn x_j f_n' Σ_i ρ_ni y_i,     y = (Cov D + λ 1)⁻¹ D,     V = ρ (1 − ρ),

and V_ni r_n y_i for those to the outputs: by the Rao-Blackwell theorem the gradient loses all noise of currents that
did not reach an output, and keeps its mean as far as the returns depend on θ through D. λ = ridge · trace(Cov D) /
outputs. As ξ and θ − ρ have a mean of 0, so has D, nearly: f' and r also depend on the network, which acted before.

Source: Blackwell (1947), "Conditional expectation and unbiased sequential estimation", Annals of Mathematical
Statistics 18. That neurons learn in proportion to what they change at the outputs is how gradients are propagated back
(Rumelhart et al., 1986); here slopes are finite differences, and the weights to the outputs are probabilities.
"""

from collections.abc import Mapping

import torch

from ec_evotorch.distributions.expected_bits import solve_systems
from ec_evotorch.searchers.actor_critic_ec.unit_currents import Connections


def output_gradient(agent, networks, rho, utilities, record: Mapping, *, ridge: float) -> torch.Tensor:
    """Computes the mean over all steps of u_m E[θ_m − ρ | D], (L,) float32, see above.

    Each step gives credit by itself: that the same connections acted in K of them is not used.

    Args:
        agent: A `protocols.ResponsiveAgent`.
        networks: (M, L) bool, the θ.
        rho: (L,) float32.
        utilities: (M,) float32, the u.
        record: (M, K, …) float32 by name: what was transmitted in the K steps of each network, and `membranes`.
        ridge: Positive number, see there.
    """
    hidden, outputs = agent.current_sources()
    connections = Connections(agent, networks, rho)
    inner, outer = connections.currents(hidden, record), connections.currents(outputs, record)
    variances = _variances(inner)
    weights, slopes = _effects(agent, inner, outer, record["membranes"].flatten(0, 1), variances.sqrt())
    deviations = (slopes * inner.deviations.flatten(0, 1)) @ weights + outer.deviations.flatten(0, 1)
    solved = _solve(_covariances(variances * slopes**2, weights, _variances(outer)), deviations, ridge)
    solved *= utilities.repeat_interleave(record["membranes"].shape[1])[:, None]
    connections.add_credit(hidden, _totals(inner, slopes * (solved @ weights.T)))
    connections.add_credit(outputs, _totals(outer, solved))
    return connections.credit() / len(solved)


def _effects(agent, inner, outer, membranes, stdevs) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the weights of hidden units at the outputs, (n, outputs), and their slopes in each step, (R, n)."""
    means = sum(sent.flatten(0, 1) @ inner.means[name] for name, sent in inner.transmitted.items())
    name, slopes = agent.responses(membranes, means, stdevs)
    return outer.means[name], slopes


def _variances(received) -> torch.Tensor:
    """Returns the variances of currents in each step, (R, N)."""
    return sum((sent.flatten(0, 1) ** 2) @ received.variances[name] for name, sent in received.transmitted.items())


def _covariances(hidden, weights, of_outputs) -> torch.Tensor:
    """Returns the lower triangles of Cov D in each step, row by row, (R, outputs (outputs + 1) / 2).

    Args:
        hidden: (R, n), variances of what hidden units transmit.
        weights: (n, outputs).
        of_outputs: (R, outputs), variances by the connections to the outputs.
    """
    rows, columns = torch.tril_indices(weights.shape[1], weights.shape[1])
    covariances = hidden @ (weights[:, rows] * weights[:, columns])
    covariances[:, rows == columns] += of_outputs
    return covariances


def _solve(covariances, deviations, ridge: float) -> torch.Tensor:
    """Returns y in each step, (R, outputs)."""
    solved = deviations[:, :, None].contiguous()
    solve_systems(covariances[:, :, None].contiguous(), solved, ridge)
    return solved[:, :, 0]


def _totals(received, weights) -> dict[str, torch.Tensor]:
    """Returns Σ over all steps of what was transmitted times the weights (R, N), by name."""
    return {name: sent.flatten(0, 1).T @ weights for name, sent in received.transmitted.items()}
