"""The paper's evolution strategy on real weights as a searcher for EvoTorch problems."""

from typing import ClassVar

import torch
from evotorch import Problem

from ec_evotorch.distributions.antithetic_gaussian import AntitheticGaussian
from ec_evotorch.distributions.philox_gaussian import PhiloxGaussian
from ec_evotorch.searchers.initial_center import make_initial_center
from ec_evotorch.searchers.population_search import PopulationSearch
from native.arguments import check_in_range, check_positive


class EvolutionStrategy(PopulationSearch):
    """Evolution strategy with antithetic Gaussian samples of fixed σ, centred ranks, and Adam with decoupled decay.

    The real-weight baseline of Evolving Connectivity, for any EvoTorch problem of dtype `torch.float32` without strict
    bounds, maximised or minimised. Each step samples `popsize` solutions center ± σ ε, evaluates them, and at once does

        center ← center · (1 − center_learning_rate · weight_decay) + ascent(gradient),

    with the gradient of `center_gradient`. After a gradient of zero (from a population without differences) the centre
    only decays, and the optimizer stays as it is.

    It differs from EvoTorch's `PGPE`: σ is fixed, the centre decays, an update belongs to the step of its evaluations
    (`PGPE` makes it at the start of the next one), failed evaluations rank worst, and ties share a rank.

    On a problem that plays on a device (`RolloutProblem(device=…)`) the population is known by its seed. Its noise has
    the same law there but is another one, which device and host make alike, see `PhiloxGaussian`; so a search on a
    device is not the search on the CPU with the same seed.

    Status after step k, besides that of `PopulationSearch`:
        center: (L,) float32, the centre after the update of step k.
    The population of step k is sampled around the centre as it was before that step's update.

    Source: Wang et al. (2023), https://arxiv.org/abs/2305.17650, and its published code, es_dense.py in
    https://github.com/imoneoi/EvolvingConnectivity; decay of Loshchilov and Hutter (2019), "Decoupled Weight Decay
    Regularization", https://arxiv.org/abs/1711.05101, as in optax.adamw.
    """

    DTYPE: ClassVar[torch.dtype] = torch.float32
    HOW_TO_GET_DTYPE: ClassVar[str] = (
        "Make an EvoTorch problem with Problem(..., dtype=torch.float32); give a RolloutProblem an agent with real"
        ' weights, such as connections="real". For booleans there is EvolvingConnectivity.'
    )

    def __init__(
        self,
        problem: Problem,
        *,
        popsize: int,
        stdev: float,
        center_learning_rate: float,
        weight_decay: float = 0.1,
        optimizer="adam",
        optimizer_config: dict | None = None,
        ranking_method: str | None = "centered",
        center_init=None,
        obj_index: int | None = None,
        chunk_size: int | None = None,
    ):
        """Makes the searcher.

        The published settings are stdev 0.3 and center_learning_rate 0.15 for spiking networks, 0.02 and 0.01 for GRU
        and LSTM.

        Args:
            problem: Any EvoTorch problem of dtype `torch.float32` without strict bounds.
            popsize: Solutions in a step; even, at least 2.
            stdev: Standard deviation σ of the samples; positive.
            center_learning_rate: Step size of the optimizer, or of plain ascent, and of the decay; positive.
            weight_decay: Number in [0, 1 / center_learning_rate].
            optimizer: "adam", "sgd", "clipup" or another of EvoTorch's names; a class or function that takes its
                keywords (stepsize, solution_length, dtype, device); an object with `ascent(gradient)`, which has its
                own step size; or None for plain ascent.
            optimizer_config: Further keywords for the optimizer, such as {"beta1": 0.9, "beta2": 0.99}.
            ranking_method: "centered", "linear", "nes", "normalized" or "raw"; None means "raw".
            center_init: The first centre: a finite number, (L,) numbers, or a mapping with numbers for each kernel of
                the agent; None asks `problem.generate_values(1)`.
            obj_index: Objective that is followed; needed if there are several.
            chunk_size: Solutions that are in memory at once; None for all. The others are known by their row number and
                sampled anew, see `EvolvingConnectivity`.

        Raises:
            ValueError: If the problem is not one of real numbers or has strict bounds, or an argument is out of its
                range or unknown.
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
            center=self._get_center,
        )
        problem.ensure_unbounded()
        if popsize % 2:
            raise ValueError(f"popsize: expected an even integer, for antithetic pairs, got {popsize}")
        stdev = check_positive("stdev", stdev)
        center_learning_rate = float(center_learning_rate)
        weight_decay = check_in_range("weight_decay", weight_decay, 0.0, 1.0 / center_learning_rate)
        kind = AntitheticGaussian if self._device_of_rows is None else PhiloxGaussian
        self._begin_with(kind(make_initial_center(problem, center_init), stdev, center_learning_rate * weight_decay))

    def _get_center(self) -> torch.Tensor:
        return self.distribution.center
