"""Surrogate derivatives: what backpropagation uses for the derivative of a spike, which is 0 almost everywhere."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from snntorch.surrogate import custom_surrogate

from native.arguments import check_choice, check_flag, check_positive


def _superspike(x: torch.Tensor, beta: float) -> torch.Tensor:
    """Returns 1 / (β|x| + 1)², the derivative of a fast sigmoid."""
    return 1 / (beta * x.abs() + 1).square()


def _piecewise_linear(x: torch.Tensor, beta: float) -> torch.Tensor:
    """Returns max(0, 1 − β|x|), a triangle."""
    return (1 - beta * x.abs()).clamp(min=0)


def _sigmoid_derivative(x: torch.Tensor, beta: float) -> torch.Tensor:
    """Returns β s(βx) (1 − s(βx)) of the logistic function s; it is even in x, so the exponential need not overflow."""
    small = torch.exp(-beta * x.abs())
    return beta * small / (1 + small).square()


DERIVATIVES = {
    "superspike": _superspike,
    "piecewise_linear": _piecewise_linear,
    "sigmoid_derivative": _sigmoid_derivative,
}
"""Functions of x and β by name; a surrogate is γ times one of them."""


@dataclass(frozen=True)
class Surrogate:
    """The derivative of a spike with respect to x, the membrane potential minus the threshold, in backpropagation.

    ============================  ===========================  ==========================================
    name                          derivative                   source
    ============================  ===========================  ==========================================
    "superspike"                  γ / (β|x| + 1)²              Zenke & Ganguli 2018, arXiv:1705.11146
    "piecewise_linear"            γ max(0, 1 − β|x|)           Esser et al. 2016, arXiv:1603.08270;
                                                               Bellec et al. 2018, arXiv:1803.09574
    "sigmoid_derivative"          γ β s(βx) (1 − s(βx))        Zenke & Vogels 2021,
                                                               https://doi.org/10.1162/neco_a_01367
    ============================  ===========================  ==========================================

    With γ = 1 the first and the last are snnTorch's `fast_sigmoid(slope=β)` and `sigmoid(slope=β)`; for large negative
    βx the latter is NaN there and 0 here. Deviation: Zenke & Vogels leave out the factor β of the last one, so its
    largest value is γ/4 there and γβ/4 here.

    Args:
        name: Shape: "superspike", "piecewise_linear" or "sigmoid_derivative".
        beta: Steepness β.
        gamma: Damping γ.
        detach_reset: Whether no gradient passes through the reset of the membrane after a spike, as Zenke & Vogels 2021
            advise.

    Raises:
        ValueError: If the name is unknown or an argument is out of range.
    """

    name: str
    beta: float
    gamma: float = 1.0
    detach_reset: bool = False

    def __post_init__(self):
        check_choice("surrogate name", self.name, DERIVATIVES)
        check_positive("surrogate beta", self.beta)
        check_positive("surrogate gamma", self.gamma)
        check_flag("surrogate detach_reset", self.detach_reset)

    @classmethod
    def of(cls, settings: Mapping | None) -> "Surrogate":
        """Makes the surrogate with some settings.

        Args:
            settings: Arguments of the constructor by name; None for SuperSpike with β = 10 (paper, Table 5).

        Raises:
            ValueError: If it is not a mapping, or a setting is missing, unknown or out of range.
        """
        if settings is None:
            return cls("superspike", 10.0)
        if not isinstance(settings, Mapping):
            raise ValueError(f"surrogate: expected a mapping such as {{name: superspike, beta: 10}}, got {settings!r}")
        missing, unknown = {"name", "beta"} - set(settings), set(settings) - set(cls.__dataclass_fields__)
        if missing or unknown:
            names = sorted(map(str, settings))
            raise ValueError(f"surrogate: expected name and beta, and perhaps gamma and detach_reset, got {names}")
        return cls(**settings)

    def derivative(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the derivative at x, of any shape."""
        return self.gamma * DERIVATIVES[self.name](x, self.beta)

    def spike(self, x: torch.Tensor) -> torch.Tensor:
        """Returns 1.0 where x > 0 and 0.0 elsewhere, with this derivative; snnTorch takes it as `spike_grad`."""
        return custom_surrogate(self._pass_back)(x)

    def _pass_back(self, x, gradient, spikes):
        return gradient * self.derivative(x)
