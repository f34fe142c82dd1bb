"""What a ranked search has learned, apart from EvoTorch: a copy of it, told the same evaluations, learns the same."""

from collections.abc import Iterable
from hashlib import blake2b

import torch

from ec_evotorch.distributions.bernoulli import rho_gradient_of_parts
from ec_evotorch.distributions.gaussian import center_gradient_of_parts
from ec_evotorch.distributions.separable_bernoulli import SeparableBernoulli
from ec_evotorch.distributions.utilities import compute_utilities
from ec_evotorch.generation.optimizer import load_optimizer_state, optimizer_state
from ec_evotorch.generation.seeded_rows import BernoulliRows, GaussianRows
from ec_evotorch.threads import one_torch_thread


class Learner:
    """Makes the rows of a generation, and learns from their evaluations; equal to the last bit wherever it runs.

    A subclass writes `rows` and `_update`, and names the vector that it learns (`learned`, `_set_learned`).

    Args:
        popsize: N.
        key: of the search.
        objective_sense: "max" or "min".
        ranking_method: see `compute_utilities`.
        optimizer: an object with `ascent(gradient)`, or None for plain ascent.
        learning_rate: of plain ascent.
    """

    def __init__(
        self, *, popsize: int, key: int, objective_sense: str, ranking_method: str, optimizer, learning_rate: float
    ):
        self.popsize, self.key = popsize, key
        self.objective_sense, self.ranking_method = objective_sense, ranking_method
        self.optimizer = optimizer
        self.learning_rate = None if optimizer is not None else learning_rate

    @property
    def learned(self) -> torch.Tensor:
        """(L,) float32, what the optimizer moves."""
        raise NotImplementedError

    def rows(self, generation: int):
        """The population of a generation, as it follows from what is learned so far: `BernoulliRows` and the like."""
        raise NotImplementedError

    def learn(self, evals: torch.Tensor, parts: Iterable[torch.Tensor]) -> None:
        """Learns from a generation.

        Args:
            evals: (N,), NaN or infinite where an evaluation failed; or scores that rank alike, see `encode_scores`.
            parts: (n, L) each, all rows in their order; one is looked at after the other, and may then be reused.
        """
        utilities = compute_utilities(evals, objective_sense=self.objective_sense, ranking_method=self.ranking_method)
        with one_torch_thread():
            self._update(utilities, parts)

    def digest(self) -> bytes:
        """Eight bytes that differ, but for one case in 2^64, where what is learned differs in any bit."""
        return blake2b(self.learned.cpu().numpy().tobytes(), digest_size=8).digest()

    def state_dict(self) -> dict:
        """What learning changes, for `load_state_dict` of a learner made with the same arguments."""
        return {"key": self.key, "learned": self.learned, "optimizer": optimizer_state(self.optimizer)}

    def load_state_dict(self, state: dict) -> None:
        learned = torch.as_tensor(state["learned"]).to(self.learned)
        if learned.shape != self.learned.shape:
            expected, got = tuple(self.learned.shape), tuple(learned.shape)
            raise ValueError(f"learned: expected shape {expected}, got {got}")
        self.key = state["key"]
        self._set_learned(learned.clone())
        load_optimizer_state(self.optimizer, state["optimizer"])

    def _set_learned(self, learned: torch.Tensor) -> None:
        """Puts another tensor (L,) in the place of `learned`."""
        raise NotImplementedError

    def _update(self, utilities: torch.Tensor, parts: Iterable[torch.Tensor]) -> None:
        """Learns from `utilities` (N,) float64, finite, higher is better."""
        raise NotImplementedError


class BernoulliLearner(Learner):
    """Moves connection probabilities ρ along mean_k w_k (θ_k − ρ), the w having their mean subtracted.

    Args:
        distribution: with the first ρ; each update makes a new one.
        **settings: see `Learner`.
    """

    def __init__(self, distribution: SeparableBernoulli, **settings):
        super().__init__(**settings)
        self.distribution = distribution

    @property
    def learned(self) -> torch.Tensor:
        return self.distribution.rho

    def _set_learned(self, learned: torch.Tensor) -> None:
        self.distribution = self.distribution.modified_copy(rho=learned)

    def rows(self, generation: int) -> BernoulliRows:
        return BernoulliRows(self.distribution.rho, self.key, generation)

    def _update(self, utilities: torch.Tensor, parts: Iterable[torch.Tensor]) -> None:
        if torch.all(utilities == utilities[0]):
            return  # no solution stands out: nothing to follow, and an optimizer would scale up the rounding errors
        utilities = utilities - utilities.mean()
        gradient = rho_gradient_of_parts(parts, utilities, self.distribution.rho)
        self.distribution = self.distribution.update_parameters(
            {"rho": gradient}, learning_rates={"rho": self.learning_rate}, optimizers={"rho": self.optimizer}
        )


class GaussianLearner(Learner):
    """Moves the centre of antithetic pairs of fixed σ: center ← center · kept_by_decay + ascent(gradient).

    Args:
        center: (L,) float32, the first one; each update makes a new one.
        stdev: σ.
        kept_by_decay: share of the centre that a step's decay keeps.
        **settings: see `Learner`.
    """

    def __init__(self, center: torch.Tensor, stdev: float, kept_by_decay: float, **settings):
        super().__init__(**settings)
        self.center, self.stdev, self.kept_by_decay = center, stdev, kept_by_decay

    @property
    def learned(self) -> torch.Tensor:
        return self.center

    def _set_learned(self, learned: torch.Tensor) -> None:
        self.center = learned

    def rows(self, generation: int) -> GaussianRows:
        return GaussianRows(self.center, self.stdev, self.popsize, self.key, generation)

    def _update(self, utilities: torch.Tensor, parts: Iterable[torch.Tensor]) -> None:
        gradient = center_gradient_of_parts(parts, utilities, self.stdev)
        center = self.kept_by_decay * self.center  # a new tensor: centres already logged stay as they are
        if torch.any(gradient):
            center += self.learning_rate * gradient if self.optimizer is None else self.optimizer.ascent(gradient)
        self.center = center
