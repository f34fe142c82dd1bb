"""The search distribution of Evolving Connectivity: independent Bernoulli bits."""

import math
from collections.abc import Iterable
from numbers import Real
from typing import ClassVar

import torch
from evotorch.distributions import Distribution

from ec_evotorch.distributions.bernoulli import (
    check_probabilities,
    entropy_descent,
    log_prob,
    rho_gradient_of_parts,
    sample_theta,
)
from ec_evotorch.distributions.ranking import compute_utilities
from ec_evotorch.randomness import draw_key
from ec_evotorch.threads import one_torch_thread
from native.arguments import check_in_range
from native.warp_device import find_device


class SeparableBernoulli(Distribution):
    """Networks θ of L independent bits, θ_j ~ Bernoulli(ρ_j), as an EvoTorch search distribution.

    It is also a seeded distribution (`protocols.SeededDistribution`), through which the searcher uses it. Both ways are
    one: a step of `EvolvingConnectivity` is `sample`, `compute_gradients` and `update_parameters`, to the last bit.

    Parameters (the dictionary `parameters`):
        rho: (L,), connection probabilities in [0, 1]; kept as float32.
        prob_min: Optional number or (L,) numbers in [0, 0.5), 0 by default. Updates keep ρ in [prob_min, 1 − prob_min],
            so that no bit freezes.
        entropy_decay: Optional number, 0 or more, 0 by default. Updates then also move ρ by so many times its
            `entropy_descent`: what leans to one side goes on to lean.

    Samples are boolean; `dtype`, which is that of ρ and of gradients, is float32.

    Source: Wang et al. (2023), https://arxiv.org/abs/2305.17650, Eq. 9 and 12 to 14.
    """

    MANDATORY_PARAMETERS: ClassVar[set[str]] = {"rho"}
    OPTIONAL_PARAMETERS: ClassVar[set[str]] = {"prob_min", "entropy_decay"}
    PARAMETER_NDIMS: ClassVar[dict[str, int]] = {"rho": 1}

    def __init__(self, parameters: dict, *, solution_length: int | None = None, dtype=None, device=None):
        """Makes the distribution.

        Args:
            parameters: See the class.
            solution_length: L; None takes it from `rho`.
            dtype: None, `torch.float32` or `torch.bool`. EvoTorch casts a distribution to its problem's dtype, hence
                bool is understood as that of the samples; ρ stays float32.
            device: Device where ρ lives and samples are made; None leaves ρ where it is.

        Raises:
            ValueError: If a parameter is missing, unknown or out of range, or its length is not `solution_length`.
            TypeError: If `dtype` is another one.
        """
        if "rho" not in parameters:
            raise ValueError(f'parameters: expected an entry "rho", got {sorted(parameters)}')
        if dtype not in (None, torch.float32, torch.bool):
            raise TypeError(f"dtype: expected None, torch.float32 or torch.bool, got {dtype}")
        rho = torch.as_tensor(parameters["rho"], dtype=torch.float32)
        check_probabilities(rho)
        if solution_length not in (None, len(rho)):
            raise ValueError(f"solution_length: expected the length {len(rho)} of rho, got {solution_length}")
        parameters = {**parameters, "rho": rho}
        if "prob_min" in parameters:
            parameters["prob_min"] = _as_prob_min(parameters["prob_min"], len(rho))
        if "entropy_decay" in parameters:
            check_in_range("entropy_decay", parameters["entropy_decay"], 0.0, math.inf, include_high=False)
        super().__init__(solution_length=len(rho), parameters=parameters, dtype=torch.float32, device=device)

    @property
    def rho(self) -> torch.Tensor:
        """Connection probabilities, (L,) float32."""
        return self.parameters["rho"]

    @property
    def center(self) -> torch.Tensor:
        """The most probable network θ* = [ρ > 0.5], (L,) bool."""
        return self.rho > 0.5

    @property
    def density(self) -> float:
        """The expected fraction of connections that exist: the mean of ρ."""
        with one_torch_thread():
            return self.rho.mean(dtype=torch.float64).item()

    @property
    def entropy(self) -> float:
        """Entropy of a connection in bits, in [0, 1]: how much is undecided. Times L it is the entropy of θ."""
        with one_torch_thread():
            rho = self.rho.to(torch.float64)
            nats = torch.special.entr(rho) + torch.special.entr(1.0 - rho)
            return nats.mean().item() / math.log(2.0)

    def log_prob(self, theta: torch.Tensor) -> torch.Tensor:
        """Returns the natural logarithm of the probability of each network, (N, L) bool -> (N,) float32."""
        return log_prob(theta, self.rho)

    # --- EvoTorch's protocol ---

    def sample(self, num_solutions: int | None = None, *, out: torch.Tensor | None = None, generator=None):
        """Samples networks like EvoTorch's `Distribution.sample`, except that the samples are boolean.

        Args:
            num_solutions: N, to get a new tensor, or None.
            out: (N, L) bool tensor to fill, or None.
            generator: A `torch.Generator`, an object with a `generator` attribute such as a `Problem`, or None for
                PyTorch's default generator. One key is drawn from it, and the networks are those of generation 0 of
                that key: the same generator state gives the same bits, on any device.

        Returns:
            (N, L) bool.

        Raises:
            ValueError: If not exactly one of `num_solutions` and `out` is given, or `out` has a wrong shape.
            TypeError: If `out` is not boolean.
        """
        if num_solutions is not None and out is None:
            shape = (int(num_solutions), self.solution_length)
            num_solutions, out = None, torch.empty(shape, dtype=torch.bool, device=self.device)
        return super().sample(num_solutions, out=out, generator=generator)

    def _fill(self, out: torch.Tensor, *, generator=None) -> None:
        self.fill_rows(out, draw_key(generator), 0, 0, len(out))

    def compute_gradients(
        self, samples: torch.Tensor, fitnesses, *, objective_sense: str, ranking_method: str | None = None
    ) -> dict:
        """Estimates the natural gradient mean_k (w_k − w̄) (θ_k − ρ) from utilities w, see `compute_utilities`.

        The mean utility w̄ is subtracted as a baseline, as EvoTorch's Gaussian distributions do. It is zero already for
        "centered", "nes" and "normalized". For "linear" and "raw" it matters: without a baseline, a constant that is
        added to all fitnesses would pull ρ towards the networks that happened to be sampled. The price is a factor of
        (N − 1) / N in the expectation, for utilities that are a function of the network. Utilities that are all equal
        give a gradient of exactly zero.

        Deviation: Eq. 14 has no baseline, and needs none, because the paper's utilities are centred ranks.
        `rho_gradient` is Eq. 14 to the letter.

        Args:
            samples: (N, L) bool.
            fitnesses: (N,); NaN and infinite ones rank worst.
            objective_sense: "max" or "min".
            ranking_method: Name of one of EvoTorch's ranking methods; None means "raw".

        Returns:
            {"rho": (L,) float32}, in the direction of better fitnesses.

        Raises:
            ValueError: If a name is unknown, or shapes do not match.
            TypeError: If `samples` is not boolean.
        """
        with one_torch_thread():
            utilities = compute_utilities(
                torch.as_tensor(fitnesses, device=self.device),
                objective_sense=objective_sense,
                ranking_method="raw" if ranking_method is None else ranking_method,
            )
            return {"rho": self._gradient([samples], utilities)}

    def update_parameters(
        self, gradients: dict, *, learning_rates: dict | None = None, optimizers: dict | None = None
    ) -> "SeparableBernoulli":
        """Moves ρ up the gradient, and then down that of the entropy, and clips it to [prob_min, 1 − prob_min].

        A gradient of zeros, which is that of a population without differences, changes neither ρ nor the optimizer:
        there is nothing to follow (ClipUp would divide zero by zero).

        Args:
            gradients: {"rho": (L,)}.
            learning_rates: {"rho": η} for ρ ← ρ + η · gradient (Eq. 14), or None.
            optimizers: {"rho": an EvoTorch optimizer}, or None.

        Returns:
            The updated copy; this distribution stays as it is.
        """
        gradient = gradients["rho"]
        if not torch.any(gradient):
            return self.modified_copy()
        ascent = self._follow_gradient("rho", gradient, learning_rates=learning_rates, optimizers=optimizers)
        prob_min, decay = self.parameters.get("prob_min", 0.0), self.parameters.get("entropy_decay", 0.0)
        rho = torch.clamp(self.rho + ascent, prob_min, 1.0 - prob_min)
        if decay:
            rho = torch.clamp(rho + decay * entropy_descent(rho), prob_min, 1.0 - prob_min)
        return self.modified_copy(rho=rho)

    # --- the protocol of seeded distributions ---

    @property
    def vector(self) -> torch.Tensor:
        """ρ, which is what is learned, (L,) float32."""
        return self.rho

    def with_vector(self, vector: torch.Tensor) -> "SeparableBernoulli":
        """Returns a copy with other connection probabilities (L,)."""
        return self.modified_copy(rho=vector)

    def fill_rows(self, out: torch.Tensor, key: int, generation: int, first_row: int, popsize: int) -> None:
        """Samples consecutive rows of a population, see `sample_theta`.

        Args:
            out: (n, L) bool; overwritten.
            key: 64-bit key of the search.
            generation: Number of the generation.
            first_row: Number of the first row of `out` in the population.
            popsize: N, on which the bits do not depend.
        """
        sample_theta(self.rho, out, key, generation=generation, first_row=first_row)

    def updated(
        self, parts: Iterable[torch.Tensor], utilities: torch.Tensor, optimizer, learning_rate: float | None
    ) -> "SeparableBernoulli":
        """Returns the distribution after `update_parameters` by the gradient of `compute_gradients`.

        Args:
            parts: All rows of the population in their order, in tensors (n, L) bool.
            utilities: (N,) float64, finite; higher is better.
            optimizer: An object with `ascent(gradient)`, or None for plain ascent.
            learning_rate: Step size of plain ascent; not used if there is an optimizer.
        """
        return self._following(self._gradient(parts, utilities), optimizer, learning_rate)

    # --- on a device of NVIDIA Warp, where no array of a population is made ---

    def on_device(self, device):
        """Makes what samples rows of a population as packed bits where they are needed.

        Args:
            device: Name of a device of Warp.

        Returns:
            `ec_evotorch.distributions.warp_bernoulli.DeviceBernoulli`, of rows of this length.
        """
        from ec_evotorch.distributions.warp_bernoulli import DeviceBernoulli  # Warp is an extra

        return DeviceBernoulli(self.solution_length, find_device(device))

    def set_rows(self, sampler, key: int, generation: int, popsize: int) -> None:
        """Says which rows a sampler makes.

        Args:
            sampler: What `on_device` has made of a distribution over vectors of this length.
            key: 64-bit key of the search.
            generation: Number of the generation.
            popsize: N, on which the bits do not depend.
        """
        sampler.set(self.rho, key, generation)

    def updated_by_seed(
        self,
        key: int,
        generation: int,
        utilities: torch.Tensor,
        optimizer,
        learning_rate: float | None,
        device,
    ) -> "SeparableBernoulli":
        """Returns what `updated` does, from the rows of a population that a device makes once more.

        Args:
            key: 64-bit key of the search.
            generation: Number of the generation.
            utilities: As for `updated`.
            optimizer: As for `updated`.
            learning_rate: As for `updated`.
            device: Name of a device of Warp.
        """
        from ec_evotorch.distributions.warp_bernoulli import seeded_rho_gradient  # Warp is an extra

        utilities = _less_their_mean(utilities)
        gradient = seeded_rho_gradient(utilities, self.rho, key, generation=generation, device=device)
        return self._following(gradient, optimizer, learning_rate)

    def _following(self, gradient: torch.Tensor, optimizer, learning_rate: float | None) -> "SeparableBernoulli":
        if optimizer is None:
            return self.update_parameters({"rho": gradient}, learning_rates={"rho": learning_rate})
        return self.update_parameters({"rho": gradient}, optimizers={"rho": optimizer})

    def _gradient(self, parts: Iterable[torch.Tensor], utilities: torch.Tensor) -> torch.Tensor:
        return rho_gradient_of_parts(parts, _less_their_mean(utilities), self.rho)


def _less_their_mean(utilities: torch.Tensor) -> torch.Tensor:
    if len(utilities) and torch.all(utilities == utilities[0]):
        # No network stands out. What is left of utilities less their mean, and of an optimizer's step that scales it
        # up, would be rounding errors.
        return torch.zeros_like(utilities)
    return utilities - utilities.mean()


def check_prob_min(prob_min: torch.Tensor) -> None:
    """Checks the lower bounds of ρ for each bit.

    Raises:
        ValueError: If one is not in [0, 0.5).
    """
    if not torch.all((prob_min >= 0.0) & (prob_min < 0.5)):
        low, high = prob_min.min().item(), prob_min.max().item()
        raise ValueError(f"prob_min: expected numbers in [0, 0.5), got numbers from {low} to {high}")


def _as_prob_min(prob_min, length: int) -> float | torch.Tensor:
    if isinstance(prob_min, Real):
        return check_in_range("prob_min", prob_min, 0.0, 0.5, include_high=False)
    prob_min = torch.as_tensor(prob_min, dtype=torch.float32)
    if prob_min.shape != (length,):
        raise ValueError(f"prob_min: expected a number or shape ({length},), got shape {tuple(prob_min.shape)}")
    check_prob_min(prob_min)
    return prob_min
