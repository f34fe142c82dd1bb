"""What a search has learned, apart from EvoTorch: a copy of it that is told the same evaluations learns the same."""

from collections.abc import Iterable
from hashlib import blake2b

import torch

from ec_evotorch.distributions.ranking import compute_utilities
from ec_evotorch.generation.optimizer import load_optimizer_state, optimizer_state
from ec_evotorch.generation.seeded_rows import SeededRows
from ec_evotorch.protocols import SeededDistribution
from ec_evotorch.threads import one_torch_thread


class Learner:
    """Makes the rows of each generation and learns from their evaluations, to the same last bit wherever it runs.

    Attributes:
        distribution: The current search distribution; learning puts another one in its place.
        popsize: N.
        key: 64-bit key of the search.
        objective_sense: "max" or "min".
        ranking_method: Name of EvoTorch's ranking method.
        optimizer: The optimizer, or None.
        learning_rate: Step size of plain ascent; None if there is an optimizer.
    """

    def __init__(
        self,
        distribution: SeededDistribution,
        *,
        popsize: int,
        key: int,
        objective_sense: str,
        ranking_method: str,
        optimizer,
        learning_rate: float,
    ):
        """Makes the learner.

        Args:
            distribution: First search distribution.
            popsize: N, rows of a population.
            key: 64-bit key from which all populations follow.
            objective_sense: "max" or "min".
            ranking_method: See `compute_utilities`.
            optimizer: An object with `ascent(gradient)`, or None for plain ascent.
            learning_rate: Step size of plain ascent; not used if there is an optimizer, which has its own.
        """
        self.distribution = distribution
        self.popsize, self.key = popsize, key
        self.objective_sense, self.ranking_method = objective_sense, ranking_method
        self.optimizer = optimizer
        self.learning_rate = None if optimizer is not None else learning_rate

    @property
    def learned(self) -> torch.Tensor:
        """The numbers that are learned, (L,) float32."""
        return self.distribution.vector

    def rows(self, generation: int) -> SeededRows:
        """Returns the population of a generation, as it follows from what has been learned so far."""
        return SeededRows(self.distribution, self.popsize, self.key, generation)

    def learn(self, evals: torch.Tensor, parts: Iterable[torch.Tensor]) -> None:
        """Learns from a generation.

        Args:
            evals: (N,), NaN or infinite where an evaluation failed; or scores with the same ranks, see `encode_scores`.
            parts: All rows in their order, in tensors (n, L); each is looked at before the next one is asked for, and
                may then be overwritten.
        """
        with one_torch_thread():
            self.distribution = self.distribution.updated(
                parts, self._utilities(evals), self.optimizer, self.learning_rate
            )

    def learn_by_seed(self, evals: torch.Tensor, generation: int, device: str) -> None:
        """Learns from a generation of which no row is kept, on the CPU to the same last bit.

        Args:
            evals: As for `learn`.
            generation: Number of the generation.
            device: Name of the device of NVIDIA Warp that makes its rows once more.
        """
        with one_torch_thread():
            self.distribution = self.distribution.updated_by_seed(
                self.key, generation, self._utilities(evals), self.optimizer, self.learning_rate, device
            )

    def _utilities(self, evals: torch.Tensor) -> torch.Tensor:
        return compute_utilities(evals, objective_sense=self.objective_sense, ranking_method=self.ranking_method)

    def digest(self) -> bytes:
        """Returns eight bytes that differ, except for one case in 2^64, if what was learned differs in any bit."""
        return blake2b(self.learned.cpu().numpy().tobytes(), digest_size=8).digest()

    def state_dict(self) -> dict:
        """Returns what learning changes, for `load_state_dict` of a learner made with the same arguments."""
        return {"key": self.key, "learned": self.learned, "optimizer": optimizer_state(self.optimizer)}

    def load_state_dict(self, state: dict) -> None:
        """Takes the state of a learner made with the same arguments.

        Raises:
            ValueError: If the state is of a search over vectors of another length.
        """
        learned = torch.as_tensor(state["learned"]).to(self.learned)
        if learned.shape != self.learned.shape:
            expected, got = tuple(self.learned.shape), tuple(learned.shape)
            raise ValueError(f"learned: expected shape {expected}, got {got}")
        self.key = state["key"]
        self.distribution = self.distribution.with_vector(learned.clone())
        load_optimizer_state(self.optimizer, state["optimizer"])
