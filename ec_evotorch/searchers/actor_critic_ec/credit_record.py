"""What an actor keeps of its steps, so that connections can be given credit for them."""

from typing import Any

import torch

from ec_evotorch.protocols import ResponsiveAgent, SynapticAgent

CREDITS = ("currents", "outputs", "mixed", "networks")
_BY_OUTPUTS = ("outputs", "mixed")


def possible_credit(credit: str, agent) -> str:
    """Returns the credit that is asked for, or "currents" or "networks" where the agent does not say enough for it.

    Args:
        credit: One of `CREDITS`.
        agent: The agent.
    """
    if credit in _BY_OUTPUTS and not isinstance(agent, ResponsiveAgent):
        credit = "currents"
    if credit == "currents" and not isinstance(agent, SynapticAgent):
        credit = "networks"
    return credit


class CreditRecord:
    """Steps of B slots: what was transmitted in each, and for credit by outputs the membranes before it.

    Args:
        agent: The agent, which says enough for the credit.
        credit: One of `CREDITS`.
    """

    def __init__(self, agent, credit: str):
        self._agent, self._credit = agent, credit
        self._steps: dict[str, list[torch.Tensor]] = {}

    def before_step(self, state: Any) -> None:
        """Keeps what is to be known of the slots before a step."""
        if self._credit in _BY_OUTPUTS:
            self._keep({"membranes": self._agent.membranes(state)})

    def after_step(self, observations, state: Any) -> None:
        """Keeps what a step transmitted.

        Args:
            observations: (B, obs_length) float32 of the step.
            state: State of the slots after it.
        """
        if self._credit != "networks":
            self._keep(self._agent.transmitted(observations, state))

    def _keep(self, values: dict[str, torch.Tensor]) -> None:
        for name, tensor in values.items():
            self._steps.setdefault(name, []).append(tensor)

    def steps(self) -> dict[str, torch.Tensor]:
        """Returns all steps by name, (T, B, …) float32."""
        return {name: torch.stack(steps) for name, steps in self._steps.items()}

    def by_network(self, hold_steps: int) -> dict[str, torch.Tensor]:
        """Returns all steps by name, sorted by the networks that acted for K of them, (T / K · B, K, …) float32."""
        sorted_steps = {}
        for name, steps in self.steps().items():
            stretches = steps.unflatten(0, (-1, hold_steps)).transpose(1, 2)
            sorted_steps[name] = stretches.flatten(0, 1).contiguous()
        return sorted_steps
