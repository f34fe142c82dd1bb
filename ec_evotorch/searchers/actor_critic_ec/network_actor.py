"""Acting with networks that are drawn anew every few steps, and the credit that they get."""

import numpy as np
import torch

from ec_evotorch.searchers.actor_critic_ec.credit import credit_gradient
from ec_evotorch.searchers.actor_critic_ec.credit_record import CreditRecord
from native.step_slots import step_slots


class NetworkActor:
    """Acts in B sub-environments, in each with a network for K steps and then with the next one.

    The agent's state goes on when the network changes, as that of an animal does when its synapses change.

    Attributes:
        record: What was kept of each step.

    Args:
        agent: The agent.
        networks: (T / K · B, L) solutions: those of the first K steps, one for each sub-environment, and so on.
        num_envs: B.
        hold_steps: K.
        credit: Which credit the networks are to get, for which the agent says enough.
    """

    def __init__(self, agent, networks: torch.Tensor, num_envs: int, hold_steps: int, *, credit: str):
        self._agent, self._hold_steps = agent, hold_steps
        self._networks = networks.unflatten(0, (-1, num_envs))
        self._members = np.arange(num_envs, dtype=np.int64)
        self._credit, self.record = credit, CreditRecord(agent, credit)
        self._step = None

    def act(self, t: int, observations: np.ndarray, begun: np.ndarray, state) -> np.ndarray:
        """Acts, see `ec_evotorch.searchers.actor_critic.collector.Actor`."""
        if t % self._hold_steps == 0:
            self._step = self._make_step(self._networks[t // self._hold_steps], state)
        self.record.before_step(state)
        actions = self._step(observations)
        self.record.after_step(observations, state)
        return actions

    def gradient(self, rho: torch.Tensor, utilities: torch.Tensor, *, ridge: float) -> torch.Tensor:
        """Computes what `credit_gradient` does with the networks that acted.

        Args:
            rho: (L,) float32, from which the networks were drawn.
            utilities: (T / K · B,) float32 of the networks.
            ridge: As for `credit_gradient`.
        """
        networks, record = self._networks.flatten(0, 1), self.record.by_network(self._hold_steps)
        return credit_gradient(self._credit, self._agent, networks, rho, utilities, record, ridge=ridge)

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
