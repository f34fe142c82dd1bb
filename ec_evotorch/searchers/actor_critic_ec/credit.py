"""The gradient of connection probabilities from what sampled networks were worth."""

from collections.abc import Mapping

import torch

from ec_evotorch.distributions.expected_bits import add_currents, sum_expected_bits

_LARGEST = 1e18  # the square of which float32 still holds, some hundred times over


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

    Its expectation is near that of `network_gradient`: bits given their sums are nearly normal, the ridge shrinks what
    small differences say, and an agent may know its currents approximately. Its noise is less, because connections get
    credit only for what reached a unit.

    Args:
        agent: A `protocols.SynapticAgent`.
        networks: (M, L) bool, the θ.
        rho: (L,) float32.
        utilities: (M,) float32, the u.
        transmitted: (M, K, rows) float32 by name, what was transmitted in the K steps of each network. What is beyond
            ±1e18 counts as that.
        ridge: Positive number, see there.
    """
    transmitted = {name: steps.clamp(-_LARGEST, _LARGEST) for name, steps in transmitted.items()}
    probabilities = {name: kernel[0].contiguous() for name, kernel in agent.split(rho[None]).items()}
    bits = {name: kernel.contiguous() for name, kernel in agent.split(networks).items()}
    gradients = {name: torch.zeros_like(kernel) for name, kernel in probabilities.items()}
    for sources in agent.current_sources():
        _add_group(gradients, sources, transmitted, bits, probabilities, utilities, ridge)
    joined = agent.join({name: kernel[None] for name, kernel in gradients.items()})[0]
    return joined / len(networks)


def _add_group(gradients, sources, transmitted, bits, probabilities, utilities, ridge) -> None:
    """Adds to the gradients of the kernels whose connections a group of units adds up.

    Connections that transmit the same to one unit, up to their sign, are one row: only their sum reaches it.
    """
    names = list(dict.fromkeys(name for _, _, name, _ in sources))
    variances: dict[str, torch.Tensor] = {}
    num_units = probabilities[sources[0][0]].shape[1]
    steps = transmitted[names[0]]
    currents = torch.zeros(*steps.shape[:2], num_units, dtype=torch.float32, device=steps.device)
    for kernel, part, name, sign in sources:
        rho = probabilities[kernel][part]
        variances[name] = variances.get(name, 0.0) + rho * (1.0 - rho)
        networks = bits[kernel][:, part].contiguous()
        add_currents(networks, rho, transmitted[name], sign, currents)
    sums = sum_expected_bits(
        torch.cat([transmitted[name] for name in names], dim=2),
        currents,
        torch.cat([variances[name] for name in names]),
        utilities,
        ridge=ridge,
    )
    for name, total in zip(names, sums.split([len(variances[name]) for name in names]), strict=True):
        for kernel, part, source, sign in sources:
            if source == name:
                rho = probabilities[kernel][part]
                gradients[kernel][part] += sign * rho * (1.0 - rho) * total
