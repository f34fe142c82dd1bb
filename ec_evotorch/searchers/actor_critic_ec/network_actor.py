"""Acting with networks that are drawn anew every few steps, and the credit that they get."""

import numpy as np
import torch

from ec_evotorch.searchers.actor_critic_ec.credit import current_gradient, network_gradient
from native.step_slots import step_slots


class NetworkActor:
    """Acts in B sub-environments, in each with a network for K steps and then with the next one.

    The agent's state goes on when the network changes, as that of an animal does when its synapses change.

    Attributes:
        transmitted: What was transmitted in each step, by name, (T, B, rows) float32; empty if it is not kept.

    Args:
        agent: The agent.
        networks: (T / K · B, L) solutions: those of the first K steps, one for each sub-environment, and so on.
        num_envs: B.
        hold_steps: K.
        keeps_transmitted: Whether to keep what is transmitted; the agent then is a `protocols.SynapticAgent`.
    """

    def __init__(self, agent, networks: torch.Tensor, num_envs: int, hold_steps: int, *, keeps_transmitted: bool):
        self._agent, self._hold_steps = agent, hold_steps
        self._networks = networks.unflatten(0, (-1, num_envs))
        self._members = np.arange(num_envs, dtype=np.int64)
        self._keeps_transmitted = keeps_transmitted
        self._transmitted: dict[str, list[torch.Tensor]] = {}
        self._step = None

    @property
    def transmitted(self) -> dict[str, torch.Tensor]:
        """See the class."""
        return {name: torch.stack(steps) for name, steps in self._transmitted.items()}

    def act(self, t: int, observations: np.ndarray, begun: np.ndarray, state) -> np.ndarray:
        """Acts, see `ec_evotorch.searchers.actor_critic.collector.Actor`."""
        if t % self._hold_steps == 0:
            self._step = self._make_step(self._networks[t // self._hold_steps], state)
        actions = self._step(observations)
        if self._keeps_transmitted:
            for name, values in self._agent.transmitted(observations, state).items():
                self._transmitted.setdefault(name, []).append(values)
        return actions

    def gradient(self, rho: torch.Tensor, utilities: torch.Tensor, *, ridge: float) -> torch.Tensor:
        """Computes `current_gradient` if what is transmitted was kept, and otherwise `network_gradient`.

        Args:
            rho: (L,) float32, from which the networks were drawn.
            utilities: (T / K · B,) float32 of the networks.
            ridge: As for `current_gradient`.
        """
        networks = self._networks.flatten(0, 1)
        if not self._keeps_transmitted:
            return network_gradient(networks, rho, utilities)
        by_network = {name: sort_by_network(steps, self._hold_steps) for name, steps in self.transmitted.items()}
        return current_gradient(self._agent, networks, rho, utilities, by_network, ridge=ridge)

    def _make_step(self, networks: torch.Tensor, state):
        """Returns a function that acts with one network in each sub-environment, without Python where that is there."""
        agent, members = self._agent, self._members
        native = agent.native(networks, members, state) if hasattr(agent, "native") else None
        if native is None:
            return lambda observations: agent.step(networks, members, observations, state).cpu().numpy()

        def step(observations):
            actions = np.empty((len(members), agent.act_length), dtype=np.float32)
            step_slots(native.function, native.context, members, observations, actions)
            return actions

        return step


def sort_by_network(steps: torch.Tensor, hold_steps: int) -> torch.Tensor:
    """Sorts (T, B, …) steps by the networks that acted for K of them each, (T / K · B, K, …)."""
    return steps.unflatten(0, (-1, hold_steps)).transpose(1, 2).flatten(0, 1).contiguous()
