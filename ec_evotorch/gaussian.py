"""The science of evolution strategies as functions of arrays: sample antithetic pairs, estimate the centre's gradient.

Throughout, `center` (L,) float32 is the mean and `stdev` the standard deviation σ of an isotropic normal distribution,
and a population (N, L) float32 holds N/2 antithetic pairs, N even: row k is center + σ ε_k and row N/2 + k is
center − σ ε_k. Nothing here makes a second (N, L) array.

Source: Salimans et al. (2017), "Evolution Strategies as a Scalable Alternative to Reinforcement Learning",
https://arxiv.org/abs/1703.03864; as the baseline of Wang et al. (2023), https://arxiv.org/abs/2305.17650, in
https://github.com/imoneoi/EvolvingConnectivity, es_dense.py
"""

import torch

from ec_evotorch.generators import make_generator
from ec_evotorch.weighted_rows import sum_weighted_rows


def sample_antithetic(
    center: torch.Tensor, stdev: float, out: torch.Tensor, key: int, *, generation: int = 0
) -> torch.Tensor:
    """Fills `out` with antithetic pairs: center + σ ε in its first half, center − σ ε in its second, ε ~ N(0, I).

    The noise ε is a function of (key, generation), of the shape and of the type of device, at any number of threads.
    Args:
        center: (L,) float32.
        stdev: σ, positive.
        out: (N, L) float32, contiguous, on the device of `center`, N even; overwritten.
        key: integer in [0, 2**64).
        generation: integer in [0, 2**32).

    Returns:
        `out`.

    Raises:
        ValueError: if `out` is not as described.
    """
    plus, minus = _halves(out, "out")
    if out.shape[1:] != center.shape or out.dtype != torch.float32 or not out.is_contiguous():
        raise ValueError(
            f"out: expected a contiguous tensor of shape (N, {len(center)}) and dtype torch.float32, got"
            f" {tuple(out.shape)}, {out.dtype}{'' if out.is_contiguous() else ', not contiguous'}"
        )
    plus.normal_(generator=make_generator(key, generation, out.device))
    torch.add(center, plus, alpha=stdev, out=plus)
    torch.sub(2.0 * center, plus, out=minus)
    return out


def center_gradient(population: torch.Tensor, utilities: torch.Tensor, stdev: float) -> torch.Tensor:
    """Estimates the gradient of expected utility with respect to the centre: mean over pairs of (w⁺ − w⁻) ε / (2σ).

    It is unbiased for utilities that are a function of the solution. With s = ±(w⁺ − w⁻) / 2 on the two halves, the
    estimate is Σ_k s_k x_k / (N σ²): the s sum to zero, which cancels the centre, and so the noise is never rebuilt.

    Deviation: the published code leaves out the factor 1 / (2σ²), which Adam, blind to scale, does not see.

    Args:
        population: (N, L) float32, N even, in the order of `sample_antithetic`.
        utilities: (N,), the utilities w: higher is better.
        stdev: σ, positive.

    Returns:
        (L,) float32; exactly zero if no pair has a difference.

    Raises:
        ValueError: if `population` has no even number of rows, or there is not one utility for each.
    """
    _halves(population, "population")
    if utilities.shape != population.shape[:1]:
        raise ValueError(f"utilities: expected shape ({len(population)},), got {tuple(utilities.shape)}")
    better, worse = utilities.to(device=population.device, dtype=torch.float64).chunk(2)
    shares = (better - worse) / 2.0
    weighted = sum_weighted_rows(population, torch.cat([shares, -shares]))
    return (weighted / (len(population) * stdev**2)).to(torch.float32)


def _halves(population: torch.Tensor, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    if population.ndim != 2 or len(population) == 0 or len(population) % 2:
        raise ValueError(
            f"{name}: expected shape (N, L) with N even and at least 2, got shape {tuple(population.shape)}"
        )
    plus, minus = population.chunk(2)
    return plus, minus
