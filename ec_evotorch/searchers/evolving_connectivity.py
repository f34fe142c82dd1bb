"""The searcher of Evolving Connectivity for EvoTorch problems over booleans."""

from collections.abc import Mapping
from numbers import Real
from typing import ClassVar

import torch
from evotorch import Problem

from ec_evotorch.distributions.separable_bernoulli import SeparableBernoulli, check_prob_min
from ec_evotorch.searchers.initial_center import number_or_vector
from ec_evotorch.searchers.population_search import PopulationSearch
from native.arguments import check_in_range

PROB_MIN = 1e-3  # unless another is given
_LARGEST = float(torch.finfo(torch.float32).max)


class EvolvingConnectivity(PopulationSearch):
    """Evolving Connectivity: natural evolution strategy over independent bits.

    It works on any EvoTorch problem of dtype `torch.bool`, maximised or minimised. Each step samples `popsize`
    solutions θ_k ~ Bernoulli(ρ), evaluates them, and at once moves ρ along mean_k (w_k − w̄) (θ_k − ρ) (Eq. 14), with
    the utilities w of the fitnesses and their mean w̄ as a baseline, see `SeparableBernoulli.compute_gradients`. A
    population without differences changes neither ρ nor the optimizer.

    With an `entropy_penalty` β > 0 each step also moves ρ by center_learning_rate · β · ρ (1 − ρ) ln(ρ / (1 − ρ)), down
    the natural gradient of the bits' entropy. Bits that hardly matter wander, and as long as they are undecided they
    are noise for all others; so they are led back to where they lean.

    Status after step k, besides that of `PopulationSearch`:
        prob: (L,) float32, ρ after the update of step k.
        center: (L,) bool, θ* = [ρ > 0.5].
        density: Mean of ρ.
        entropy: Bits per connection, see `SeparableBernoulli.entropy`.
    The population of step k is sampled from ρ as it was before that step's update.

    Deviation: Eq. 14 is plain ascent without a baseline. As in the published code the default optimizer is Adam, and ρ
    is clipped to [prob_min, 1 − prob_min]; the mean of the default utilities, centred ranks, is zero.

    Source: Wang et al. (2023), https://arxiv.org/abs/2305.17650; code: https://github.com/imoneoi/EvolvingConnectivity
    """

    DTYPE: ClassVar[torch.dtype] = torch.bool
    HOW_TO_GET_DTYPE: ClassVar[str] = (
        "Make an EvoTorch problem with Problem(..., dtype=torch.bool), and with initial_bounds=(False, True) if"
        ' anything else is to generate its solutions; give a RolloutProblem an agent with connections="boolean".'
    )

    def __init__(
        self,
        problem: Problem,
        *,
        popsize: int,
        center_learning_rate: float = 0.05,
        optimizer="adam",
        optimizer_config: dict | None = None,
        prob_init=0.5,
        prob_min=PROB_MIN,
        entropy_penalty: float = 0.0,
        ranking_method: str | None = "centered",
        obj_index: int | None = None,
        chunk_size: int | None = None,
    ):
        """Makes the searcher.

        Args:
            problem: Any EvoTorch problem of dtype `torch.bool`; bounds are not needed.
            popsize: Solutions in a step, at least 2.
            center_learning_rate: Step size of the optimizer, or η of plain ascent; positive.
            optimizer: "adam", "sgd", "clipup" or another of EvoTorch's names; a class or function that takes its
                keywords (stepsize, solution_length, dtype, device); an object with `ascent(gradient)`, which has its
                own step size; or None for plain ascent.
            optimizer_config: Further keywords for the optimizer, such as {"beta1": 0.9, "beta2": 0.99}.
            prob_init: Initial ρ within [prob_min, 1 − prob_min]: a number, (L,) numbers, or a mapping with a number, or
                numbers in its shape, for each kernel of the agent, such as {"kernel_in": 0.5, "kernel_h": 0.001,
                "kernel_out": 0.5}. ρ of another search goes on from there: `other.status["prob"]`.
            prob_min: In [0, 0.5), likewise; ρ is kept in [prob_min, 1 − prob_min]. A bit at its bound is flipped in a
                solution with this probability.
            entropy_penalty: β, 0 or more, see the class.
            ranking_method: "centered", "linear", "nes", "normalized" or "raw"; None means "raw".
            obj_index: Objective that is followed; needed if there are several.
            chunk_size: Solutions that are in memory at once; None for all. The others are known by their row number and
                sampled anew when the gradient needs them: the memory of a step does not grow with `popsize`, and the
                result is the same to the last bit. The problem evaluates one chunk after the other.

        Raises:
            ValueError: If the problem is not boolean, or an argument is out of its range or unknown.
            TypeError: If `optimizer` is none of the above.
        """
        super().__init__(
            problem,
            popsize=popsize,
            center_learning_rate=center_learning_rate,
            optimizer=optimizer,
            optimizer_config=optimizer_config,
            ranking_method=ranking_method,
            obj_index=obj_index,
            chunk_size=chunk_size,
            prob=self._get_prob,
            center=self._get_center,
            density=self._get_density,
            entropy=self._get_entropy,
        )
        decay = float(center_learning_rate) * check_in_range("entropy_penalty", entropy_penalty, 0.0, _LARGEST)
        distribution = initial_distribution(problem, prob_init, prob_min)
        self._begin_with(distribution.modified_copy(entropy_decay=decay) if decay else distribution)

    def go_on_from(self, rho: torch.Tensor) -> None:
        """Begins with the ρ of another search instead of `prob_init`; to be called before the first step.

        Args:
            rho: (L,) float32; what is outside [prob_min, 1 − prob_min] is brought to its nearer end.
        """
        low = self.distribution.parameters["prob_min"]
        self._learner.distribution = self.distribution.with_vector(rho.clamp(low, 1.0 - low))

    def _get_prob(self) -> torch.Tensor:
        return self.distribution.rho

    def _get_center(self) -> torch.Tensor:
        return self.distribution.center

    def _get_density(self) -> float:
        return self.distribution.density

    def _get_entropy(self) -> float:
        return self.distribution.entropy

    @staticmethod
    def prob_in(state: Mapping) -> torch.Tensor:
        """Returns the connection probabilities ρ that are in the saved state of a search.

        Args:
            state: What `state_dict` returned, of a searcher of this class, of an `ActorCriticEC` or a `StagedEC`, or of
                the `Resumable` around one.

        Returns:
            (L,) float32, ρ after the last step before the state was taken.

        Raises:
            ValueError: If the state has no such vector, as that of another searcher.
        """
        try:
            search = state.get("search", state)
            search = search.get("episodes", search)  # of a StagedEC after its critic_steps
            rho = torch.as_tensor(search["learner"]["learned"] if "learner" in search else search["prob"])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError("state: expected that of an EvolvingConnectivity searcher; it has no ρ") from error
        if rho.ndim != 1 or not torch.all((rho >= 0.0) & (rho <= 1.0)):
            raise ValueError("state: expected that of an EvolvingConnectivity searcher; what it learned is no ρ")
        return rho


def initial_distribution(problem: Problem, prob_init, prob_min) -> SeparableBernoulli:
    """Makes the first distribution from what a user gives, see `EvolvingConnectivity`.

    Raises:
        ValueError: If a number is out of its range, or there is not one for each bit.
    """
    if isinstance(prob_min, Real):
        prob_min = low = check_in_range("prob_min", prob_min, 0.0, 0.5, include_high=False)
        within = f"[{low}, {1.0 - low}], as prob_min={low} says"
    else:
        prob_min = low = number_or_vector("prob_min", problem, prob_min, of="bit")
        check_prob_min(low)
        within = "[prob_min, 1 − prob_min] for each bit"
    rho = number_or_vector("prob_init", problem, prob_init, of="bit")
    if not torch.all((rho >= low) & (rho <= 1.0 - low)):
        raise ValueError(
            f"prob_init: expected values in {within}, got values from {rho.min().item()} to {rho.max().item()}"
        )
    return SeparableBernoulli({"rho": rho.expand(problem.solution_length).clone(), "prob_min": prob_min})
