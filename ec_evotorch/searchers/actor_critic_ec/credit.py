"""The gradient of connection probabilities from what sampled networks were worth."""

from collections.abc import Mapping

import torch

from ec_evotorch.distributions.expected_bits import sum_expected_bits
from ec_evotorch.searchers.actor_critic_ec.output_credit import output_gradient
from ec_evotorch.searchers.actor_critic_ec.unit_currents import Connections


def credit_gradient(credit: str, agent, networks, rho, utilities, record: Mapping, *, ridge: float) -> torch.Tensor:
    """Computes the gradient of ρ, (L,) float32, by one kind of credit.

    Args:
        credit: One of `CREDITS` of `ec_evotorch.searchers.actor_critic_ec.credit_record`.
        agent: The agent.
        networks: (M, L) bool, the θ.
        rho: (L,) float32, from which the networks were drawn.
        utilities: (M,) float32 of the networks.
        record: What was kept of their steps, sorted by network.
        ridge: Positive number, see `current_gradient` and `output_gradient`.
    """
    if credit == "networks":
        return network_gradient(networks, rho, utilities)
    gradient = output_gradient if credit == "outputs" else current_gradient
    return gradient(agent, networks, rho, utilities, record, ridge=ridge)


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
    connections = Connections(agent, networks, rho)
    for sources in agent.current_sources():
        received = connections.currents(sources, transmitted)
        names, variances = list(received.variances), list(received.variances.values())
        sums = sum_expected_bits(
            torch.cat([received.transmitted[name] for name in names], dim=2),
            received.deviations,
            torch.cat(variances),
            utilities,
            ridge=ridge,
        )
        rows = [len(part) for part in variances]
        connections.add_credit(sources, dict(zip(names, sums.split(rows), strict=True)))
    return connections.credit() / len(networks)
