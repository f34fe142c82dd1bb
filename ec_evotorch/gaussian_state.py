"""The state of EvoTorch's Gaussian searchers, without their populations: those are sampled again."""

import torch
from evotorch import SolutionBatch
from evotorch.algorithms.distributed.gaussian import GaussianSearchAlgorithm

from ec_evotorch.optimizer_state import load_optimizer_state, optimizer_state


class GaussianState:
    """`state_dict` and `load_state_dict` for `PGPE`, `SNES`, `CEM` and `XNES`.

    These learn from a population at the start of the next step, so it belongs to the state. Kept are the evaluations
    and the state of the problem's generator before it was sampled, which give the population back.

    Args:
        searcher: Not one of EvoTorch's distributed mode, which keeps no population.

    Raises:
        ValueError: If it is distributed.
    """

    def __init__(self, searcher: GaussianSearchAlgorithm):
        if searcher._step == searcher._step_distributed:
            raise ValueError("searcher: the state of a searcher with distributed=True cannot be saved")
        self._searcher = searcher
        self._generator = searcher.problem.generator or torch.default_generator
        self._before_sampling = None
        searcher.before_step_hook.append(self._note_generator)

    def _note_generator(self) -> None:
        self._before_sampling = self._generator.get_state()

    def state_dict(self) -> dict:
        searcher = self._searcher
        parameters = searcher._distribution.parameters
        population = searcher._population
        return {
            "parameters": {name: value for name, value in parameters.items() if isinstance(value, torch.Tensor)},
            "optimizer": optimizer_state(searcher._optimizer),
            "evals": None if population is None else population.access_evals().as_subclass(torch.Tensor).clone(),
            "generator_before_sampling": self._before_sampling,
        }

    def load_state_dict(self, state: dict) -> None:
        searcher = self._searcher
        parameters = searcher._distribution.parameters
        loaded = {}
        for name, value in state["parameters"].items():
            loaded[name] = torch.as_tensor(value).to(parameters[name])
            if loaded[name].shape != parameters[name].shape:
                expected, got = tuple(parameters[name].shape), tuple(loaded[name].shape)
                raise ValueError(f"{name}: expected shape {expected}, got {got}")
        searcher._distribution = searcher._distribution.modified_copy(**loaded)
        load_optimizer_state(searcher._optimizer, state["optimizer"])
        if state["evals"] is not None:
            self._before_sampling = torch.as_tensor(state["generator_before_sampling"])
            self._generator.set_state(self._before_sampling)
            searcher._population = self._sample_again(torch.as_tensor(state["evals"]))
            searcher._first_iter = False

    def _sample_again(self, evals: torch.Tensor) -> SolutionBatch:
        searcher = self._searcher
        parts = []
        for _ in range(len(evals) // searcher._popsize):  # one, but for a popsize that adapts to interactions
            parts.append(SolutionBatch(searcher.problem, searcher._popsize, device=evals.device, empty=True))
            searcher._distribution.sample(out=parts[-1].access_values(), generator=searcher.problem)
        population = parts[0] if len(parts) == 1 else SolutionBatch.cat(parts)
        population.set_evals(evals)
        return population
