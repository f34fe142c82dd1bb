"""What units received beyond expectation through sampled connections, and how credit returns to these."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ec_evotorch.distributions.expected_bits import add_currents

_LARGEST = 1e18  # the square of which float32 still holds, some hundred times over


@dataclass
class UnitCurrents:
    """The currents of a group of N units in K steps of each of M networks.

    Connections that transmit the same to one unit, up to their sign, are one row: only their sum reaches it.

    Attributes:
        transmitted: (M, K, rows) float32 by name.
        variances: (rows, N) float32 by name, of the connections of each row, Σ ρ (1 − ρ).
        means: (rows, N) float32 by name, their sum of ± ρ.
        deviations: (M, K, N) float32, what the units received less what was expected, Σ ± x (θ − ρ).
    """

    transmitted: dict[str, torch.Tensor]
    variances: dict[str, torch.Tensor]
    means: dict[str, torch.Tensor]
    deviations: torch.Tensor


class Connections:
    """The bits of M networks and the probabilities that they were drawn from, kernel by kernel.

    Args:
        agent: A `protocols.SynapticAgent`.
        networks: (M, L) bool.
        rho: (L,) float32.
    """

    def __init__(self, agent, networks: torch.Tensor, rho: torch.Tensor):
        self._agent = agent
        self._bits = {name: kernel.contiguous() for name, kernel in agent.split(networks).items()}
        self._probabilities = {name: kernel[0].contiguous() for name, kernel in agent.split(rho[None]).items()}
        self._credit = {name: torch.zeros_like(kernel) for name, kernel in self._probabilities.items()}

    def currents(self, sources, transmitted: Mapping[str, torch.Tensor]) -> UnitCurrents:
        """Adds up what a group of units received.

        Args:
            sources: Those of the group, see `protocols.SynapticAgent.current_sources`.
            transmitted: (M, K, rows) float32 by name. What is beyond ±1e18 counts as that.
        """
        sent = {name: transmitted[name].clamp(-_LARGEST, _LARGEST) for _, _, name, _ in sources}
        variances: dict[str, torch.Tensor] = {}
        means: dict[str, torch.Tensor] = {}
        num_units = self._probabilities[sources[0][0]].shape[1]
        steps = next(iter(sent.values()))
        deviations = steps.new_zeros(*steps.shape[:2], num_units)
        for kernel, part, name, sign in sources:
            rho = self._probabilities[kernel][part]
            variances[name] = variances.get(name, 0.0) + rho * (1.0 - rho)
            means[name] = means.get(name, 0.0) + sign * rho
            add_currents(self._bits[kernel][:, part].contiguous(), rho, sent[name], sign, deviations)
        return UnitCurrents(sent, variances, means, deviations)

    def add_credit(self, sources, totals: Mapping[str, torch.Tensor]) -> None:
        """Gives credit to the connections of a group: ± ρ (1 − ρ) times the total of their row and unit.

        Args:
            sources: Those of the group.
            totals: (rows, N) float32 by name.
        """
        for kernel, part, name, sign in sources:
            rho = self._probabilities[kernel][part]
            self._credit[kernel][part] += sign * rho * (1.0 - rho) * totals[name]

    def credit(self) -> torch.Tensor:
        """Returns the credit that was given, (L,) float32."""
        return self._agent.join({name: kernel[None] for name, kernel in self._credit.items()})[0]
