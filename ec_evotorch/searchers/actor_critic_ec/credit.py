"""The gradient of connection probabilities from what sampled networks were worth."""

from collections.abc import Mapping

import torch

from ec_evotorch.distributions.expected_bits import sum_expected_bits

_CHUNK_ELEMENTS = 2**24  # of the deviations that are in memory at once


def network_gradient(networks: torch.Tensor, rho: torch.Tensor, utilities: torch.Tensor) -> torch.Tensor:
    """Computes mean_m u_m (θ_m − ρ), (L,) float32: each connection gets credit for the whole network.

    Args:
        networks: (M, L) bool, the θ.
        rho: (L,) float32.
        utilities: (M,) float32, the u.
    """
    return (utilities @ (networks.to(torch.float32) - rho)) / len(networks)


def current_gradient(agent, networks, rho, utilities, transmitted: Mapping, *, ridge: float) -> torch.Tensor:
    """Computes mean_m u_m E[θ_m − ρ | currents], (L,) float32, see `ec_evotorch.distributions.expected_bits`.

    Its expectation is that of `network_gradient`, as far as the bits given their sums are normally distributed; its
    noise is less, because connections get credit only for what reached a unit.

    Args:
        agent: A `protocols.SynapticAgent`.
        networks: (M, L) bool, the θ.
        rho: (L,) float32.
        utilities: (M,) float32, the u.
        transmitted: (M, K, rows) float32 by name, what was transmitted in the K steps of each network.
        ridge: Positive number, see there.
    """
    variances = {name: kernel[0] for name, kernel in agent.split((rho * (1.0 - rho))[None]).items()}
    gradients = {name: torch.zeros_like(kernel) for name, kernel in variances.items()}
    for rows in torch.arange(len(networks)).split(max(1, _CHUNK_ELEMENTS // len(rho))):
        deviations = agent.split(networks[rows].to(torch.float32) - rho)
        for sources in agent.current_sources():
            _add_group(gradients, sources, transmitted, rows, deviations, variances, utilities, ridge)
    joined = agent.join({name: kernel[None] for name, kernel in gradients.items()})[0]
    return joined / len(networks)


def _add_group(gradients, sources, transmitted, rows, deviations, variances, utilities, ridge) -> None:
    """Adds the part of some networks to the gradients of the kernels whose connections a group of units adds up.

    Connections that transmit the same to one unit, up to their sign, are one row: only their sum reaches it.
    """
    names = list(dict.fromkeys(name for _, _, name, _ in sources))
    row_deviations, row_variances = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for kernel, part, name, sign in sources:
        row_deviations[name] = row_deviations[name] + sign * deviations[kernel][:, part]
        row_variances[name] = row_variances[name] + variances[kernel][part]
    sums = sum_expected_bits(
        torch.cat([transmitted[name][rows] for name in names], dim=2),
        torch.cat([row_deviations[name] for name in names], dim=1),
        torch.cat([row_variances[name] for name in names]),
        utilities[rows],
        ridge=ridge,
    )
    for name, total in zip(names, sums.split([len(row_variances[name]) for name in names]), strict=True):
        for kernel, part, source, sign in sources:
            if source == name:
                gradients[kernel][part] += sign * variances[kernel][part] * total
