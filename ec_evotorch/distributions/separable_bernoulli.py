"""The search distribution of Evolving Connectivity: independent Bernoulli bits."""

import math
from numbers import Real
from typing import ClassVar

import torch
from evotorch.distributions import Distribution

from ec_evotorch.distributions.bernoulli import check_probabilities, log_prob, rho_gradient, sample_theta
from ec_evotorch.distributions.utilities import compute_utilities
from ec_evotorch.randomness import draw_key
from ec_evotorch.threads import one_torch_thread


class SeparableBernoulli(Distribution):
    """Networks θ of L independent bits, θ_j ~ Bernoulli(ρ_j), as an EvoTorch search distribution.

    Parameters (the dictionary `parameters`):
        rho: (L,), connection probabilities in [0, 1]; kept as float32.
        prob_min: optional float in [0, 0.5), default 0: updates keep ρ in [prob_min, 1 − prob_min], so that no bit
            freezes.

    Samples are boolean; `dtype`, which is that of ρ and of gradients, is float32.

    Source: Wang et al. (2023), https://arxiv.org/abs/2305.17650, Eq. 9 and 12 to 14.
    """

    MANDATORY_PARAMETERS: ClassVar[set[str]] = {"rho"}
    OPTIONAL_PARAMETERS: ClassVar[set[str]] = {"prob_min"}
    PARAMETER_NDIMS: ClassVar[dict[str, int]] = {"rho": 1}

    def __init__(self, parameters: dict, *, solution_length: int | None = None, dtype=None, device=None):
        """Makes the distribution.

        Args:
            parameters: see the class.
            solution_length: L; None takes it from `rho`.
            dtype: None, `torch.float32`, or `torch.bool`. EvoTorch casts a distribution to its problem's dtype, hence
                bool is understood as that of the samples; ρ stays float32.
            device: where ρ lives and samples are made; None leaves ρ where it is.

        Raises:
            ValueError: if a parameter is missing, unknown or out of range, or its length is not `solution_length`.
            TypeError: if `dtype` is another one.
        """
        if "rho" not in parameters:
            raise ValueError(f'parameters: expected an entry "rho", got {sorted(parameters)}')
        if dtype not in (None, torch.float32, torch.bool):
            raise TypeError(f"dtype: expected None, torch.float32 or torch.bool, got {dtype}")
        rho = torch.as_tensor(parameters["rho"], dtype=torch.float32)
        check_probabilities(rho)
        if solution_length not in (None, len(rho)):
            raise ValueError(f"solution_length: expected the length {len(rho)} of rho, got {solution_length}")
        prob_min = parameters.get("prob_min", 0.0)
        if not isinstance(prob_min, Real) or not 0.0 <= prob_min < 0.5:
            raise ValueError(f"prob_min: expected a number in [0, 0.5), got {prob_min!r}")
        super().__init__(
            solution_length=len(rho), parameters={**parameters, "rho": rho}, dtype=torch.float32, device=device
        )

    @property
    def rho(self) -> torch.Tensor:
        """(L,) float32, connection probabilities."""
        return self.parameters["rho"]

    @property
    def center(self) -> torch.Tensor:
        """(L,) bool, the most probable network θ* = [ρ > 0.5]."""
        return self.rho > 0.5

    @property
    def density(self) -> float:
        """The expected fraction of connections that exist: the mean of ρ."""
        with one_torch_thread():
            return self.rho.mean(dtype=torch.float64).item()

    @property
    def entropy(self) -> float:
        """Entropy in bits per connection, in [0, 1]: what is undecided. Times L it is the entropy of θ."""
        with one_torch_thread():
            rho = self.rho.to(torch.float64)
            nats = torch.special.entr(rho) + torch.special.entr(1.0 - rho)
            return nats.mean().item() / math.log(2.0)

    def log_prob(self, theta: torch.Tensor) -> torch.Tensor:
        """Returns the natural logarithm of the probability of each network, (N, L) bool -> (N,) float32."""
        return log_prob(theta, self.rho)

    def sample(self, num_solutions: int | None = None, *, out: torch.Tensor | None = None, generator=None):
        """Samples networks; see `Distribution.sample`, from which this differs in that samples are boolean.

        Args:
            num_solutions: N, to get a new tensor, or None.
            out: (N, L) bool to fill, or None.
            generator: a `torch.Generator`, an object with a `generator` attribute such as a `Problem`, or None for
                PyTorch's default. The same generator state gives the same bits, on any device.

        Returns:
            (N, L) bool.

        Raises:
            ValueError: if not exactly one of `num_solutions` and `out` is given, or `out` has a wrong shape.
            TypeError: if `out` is not boolean.
        """
        if num_solutions is not None and out is None:
            shape = (int(num_solutions), self.solution_length)
            num_solutions, out = None, torch.empty(shape, dtype=torch.bool, device=self.device)
        return super().sample(num_solutions, out=out, generator=generator)

    def _fill(self, out: torch.Tensor, *, generator=None) -> None:
        sample_theta(self.rho, out, draw_key(generator))

    def compute_gradients(
        self, samples: torch.Tensor, fitnesses, *, objective_sense: str, ranking_method: str | None = None
    ) -> dict:
        """Estimates the natural gradient: see `compute_utilities` for the utilities, `rho_gradient` for the estimate.

        Args:
            samples: (N, L) bool.
            fitnesses: (N,); NaN and infinite ones rank worst.
            objective_sense: "max" or "min".
            ranking_method: EvoTorch's name of one; None means "raw". "raw" and "linear" utilities are used as they
                are, with no baseline subtracted.

        Returns:
            {"rho": (L,) float32}, in the direction of better fitnesses.

        Raises:
            ValueError: if a name is unknown or lengths do not match.
            TypeError: if `samples` is not boolean.
        """
        utilities = compute_utilities(
            torch.as_tensor(fitnesses), objective_sense=objective_sense, ranking_method=ranking_method or "raw"
        )
        return super().compute_gradients(samples, utilities, objective_sense="max", ranking_method="raw")

    def _compute_gradients(self, samples: torch.Tensor, weights: torch.Tensor, ranking_used: str | None) -> dict:
        return {"rho": rho_gradient(samples, weights, self.rho)}

    def update_parameters(
        self, gradients: dict, *, learning_rates: dict | None = None, optimizers: dict | None = None
    ) -> "SeparableBernoulli":
        """Moves ρ up the gradient and clips it to [prob_min, 1 − prob_min].

        A gradient of zeros, which is what a population without differences gives, changes neither ρ nor the
        optimizer: there is nothing to follow (ClipUp would divide zero by zero).

        Args:
            gradients: {"rho": (L,)}.
            learning_rates: {"rho": η} for ρ ← ρ + η·gradient (Eq. 14), or None.
            optimizers: {"rho": an EvoTorch optimizer}, or None.

        Returns:
            The updated copy; this distribution stays as it is.
        """
        gradient = gradients["rho"]
        if not torch.any(gradient):
            return self.modified_copy()
        ascent = self._follow_gradient("rho", gradient, learning_rates=learning_rates, optimizers=optimizers)
        prob_min = self.parameters.get("prob_min", 0.0)
        return self.modified_copy(rho=torch.clamp(self.rho + ascent, prob_min, 1.0 - prob_min))
