"""Learning the values of observations by regression."""

from collections.abc import Sequence

import torch

from ec_evotorch.generation.optimizer import load_optimizer_state, optimizer_state
from ec_evotorch.searchers.actor_critic.critic import make_critic


class ValueLearner:
    """A critic, and Adam on its mean square error.

    Args:
        obs_length: Numbers in an observation.
        hidden_sizes: Units of each hidden layer of the critic.
        learning_rate: Step size.
        num_epochs: Times that each observation is learned from.
        minibatch_size: Observations of a gradient step.
        generator: Generator from which the critic's weights are drawn.
        device: Device of PyTorch where the critic is, and where it expects observations; None for the host's memory.
    """

    def __init__(
        self,
        obs_length: int,
        hidden_sizes: Sequence[int],
        *,
        learning_rate: float,
        num_epochs: int,
        minibatch_size: int,
        generator: torch.Generator,
        device: str | None = None,
    ):
        self._critic = make_critic(obs_length, hidden_sizes, generator).to(device)
        self._optimizer = torch.optim.Adam(self._critic.parameters(), lr=learning_rate)
        self._num_epochs, self._minibatch_size = num_epochs, minibatch_size

    def values(self, observations: torch.Tensor) -> torch.Tensor:
        """Estimates the values (…,) of observations (…, obs_length), in the host's memory."""
        with torch.no_grad():
            return self._critic(observations)[..., 0].cpu()

    def learn(self, observations: torch.Tensor, targets: torch.Tensor, generator: torch.Generator) -> float:
        """Takes steps towards targets.

        Args:
            observations: (n, obs_length) float32.
            targets: (n,) float32 values that they should have, in the host's memory.
            generator: Generator by which they are shuffled.

        Returns:
            Mean of half the square error over the steps.

        Raises:
            FloatingPointError: If the loss is NaN or infinite.
        """
        losses, targets = [], targets.to(observations.device)
        for _ in range(self._num_epochs):
            shuffled = torch.randperm(len(targets), generator=generator).to(observations.device)
            for rows in shuffled.split(self._minibatch_size):
                loss = 0.5 * (self._critic(observations[rows])[:, 0] - targets[rows]).square().mean()
                self._optimizer.zero_grad()
                loss.backward()
                if not torch.isfinite(loss):
                    raise FloatingPointError(f"the critic's loss is {loss.item()}")
                self._optimizer.step()
                losses.append(loss.item())
        return sum(losses) / len(losses)

    def state_dict(self) -> dict:
        """Returns weights and the state of Adam, for `load_state_dict`."""
        return {
            "critic": {name: value.detach().clone() for name, value in self._critic.state_dict().items()},
            "optimizer": optimizer_state(self._optimizer),
        }

    def load_state_dict(self, state: dict) -> None:
        """Takes the state of a learner made with the same arguments."""
        self._critic.load_state_dict({name: torch.as_tensor(value) for name, value in state["critic"].items()})
        load_optimizer_state(self._optimizer, state["optimizer"])
