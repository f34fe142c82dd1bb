"""The gradient of connection probabilities from what sampled networks were worth."""

from collections.abc import Mapping

import torch

from ec_evotorch.distributions.expected_bits import sum_expected_bits
from ec_evotorch.searchers.actor_critic_ec.output_credit import output_gradient
from ec_evotorch.searchers.actor_critic_ec.unit_currents import Connections

_SHARE_OF_OUTPUTS = 0.5  # norm of their part in a mixed gradient, relative to that of the currents' part


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
    return mix(agent, parts_of_gradient(credit, agent, networks, rho, utilities, record, ridge=ridge))


def parts_of_gradient(credit: str, agent, networks, rho, utilities, record: Mapping, *, ridge: float):
    """Computes what `mix` makes the gradient of, a list of one or two (L,) float32.

    Each is a mean over networks, so that those of many networks can be computed one after the other; see
    `credit_gradient` for the arguments.
    """
    if credit == "networks":
        return [network_gradient(networks, rho, utilities)]
    given = (agent, networks, rho, utilities, record)
    functions = {
        "currents": [current_gradient],
        "outputs": [output_gradient],
        "mixed": [current_gradient, output_gradient],
    }
    return [function(*given, ridge=ridge) for function in functions[credit]]


def mix(agent, parts) -> torch.Tensor:
    """Returns the first of one or two gradients, plus in each kernel the second, scaled to half the norm of the first.

    What currents say is right on average, and most of it is noise; what outputs say has little noise. Their sum points
    where outputs say within few batches, and where currents say after many.

    Args:
        agent: The agent.
        parts: What `parts_of_gradient` returns.
    """
    if len(parts) == 1:
        return parts[0]
    by_currents, by_outputs = (agent.split(part[None]) for part in parts)
    return agent.join({name: _add_scaled(kernel, by_outputs[name]) for name, kernel in by_currents.items()})[0]


def _add_scaled(kernel: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    norm = other.norm()
    return kernel + _SHARE_OF_OUTPUTS * kernel.norm() / norm * other if norm > 0.0 else kernel


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
