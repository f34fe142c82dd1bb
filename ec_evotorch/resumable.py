"""The state of a search, saved and restored: for every searcher of this package and of EvoTorch."""

import torch
from evotorch import SolutionBatch
from evotorch.algorithms.distributed.gaussian import GaussianSearchAlgorithm
from evotorch.algorithms.searchalgorithm import SearchAlgorithm

from ec_evotorch.generation.optimizer import load_optimizer_state, optimizer_state
from ec_evotorch.generation.solution_state import load_solution, solution_state
from ec_evotorch.rollout.problem import RolloutProblem


class Resumable:
    """A search whose state can be saved: with PyTorch's `state_dict` and `load_state_dict`.

    A state is a dictionary of tensors, NumPy arrays, numbers, strings, None and further such dictionaries, all keys
    strings. Later steps of the search leave it as it is. It holds what steps change, not what the search was made
    with: it is loaded into a search that was made with the same arguments. The search then goes on as the first would
    have, to the last bit.

        resumable = Resumable(searcher)   # before the first step
        searcher.run(10)
        state = resumable.state_dict()

    Any searcher with these two methods (those of this package) can be saved, and EvoTorch's Gaussian searchers (`PGPE`,
    `SNES`, `CEM`, `XNES`), all with any problem; one with the two methods, as `RolloutProblem` has, adds its own state.
    After loading, `searcher.status` has `iter` and the problem's `best` and `worst`; the rest follows in the next step.

    Args:
        searcher: Before its first step.

    Raises:
        ValueError: If the searcher, or its optimizer, is of none of these kinds.
    """

    def __init__(self, searcher: SearchAlgorithm):
        self._searcher, self._problem = searcher, searcher.problem
        if isinstance(searcher, GaussianSearchAlgorithm):
            self._search = GaussianState(searcher)
        elif hasattr(searcher, "state_dict"):
            self._search = searcher
        else:
            raise ValueError(
                f"searcher: the state of a {type(searcher).__name__} cannot be saved; expected one of PGPE, SNES, CEM,"
                " XNES or a searcher with state_dict and load_state_dict"
            )
        self._search.state_dict()  # an optimizer that cannot be saved is found now

    def state_dict(self) -> dict:
        """The state after the last whole step."""
        problem = self._problem
        extremes = {}
        if problem._best is not None:
            extremes = {
                name: {str(i): solution_state(solution) for i, solution in enumerate(solutions)}
                for name, solutions in (("best", problem._best), ("worst", problem._worst))
            }
        return {
            "steps": self._searcher.step_count,
            "search": self._search.state_dict(),
            "problem": {
                "generator": _generator(problem).get_state(),
                "extremes": extremes,
                "own": problem.state_dict() if hasattr(problem, "state_dict") else None,
            },
        }

    def load_state_dict(self, state: dict) -> None:
        """Puts the search where the state was taken.

        Raises:
            KeyError, ValueError, RuntimeError: If the state is not one of a search like this.
        """
        problem, searcher = self._problem, self._searcher
        self._search.load_state_dict(state["search"])
        _generator(problem).set_state(torch.as_tensor(state["problem"]["generator"]))
        if hasattr(problem, "state_dict"):
            problem.load_state_dict(state["problem"]["own"])
        if isinstance(self._search, GaussianState) and isinstance(problem, RolloutProblem):
            problem._after_eval_status = dict(problem.episode_statistics.status)  # by it `num_interactions` are counted
        searcher._steps_count = state["steps"]
        searcher.update_status({"iter": state["steps"]})
        if extremes := state["problem"]["extremes"]:
            best, worst = (
                [load_solution(problem, solutions[str(i)]) for i in range(len(problem.senses))]
                for solutions in (extremes["best"], extremes["worst"])
            )
            problem._best, problem._worst = best, worst
            problem._best_evals, problem._worst_evals = (
                torch.stack([solution.evals[i] for i, solution in enumerate(solutions)]).clone()
                for solutions in (best, worst)
            )
            if len(best) == 1:
                searcher.update_status({"best": best[0], "worst": worst[0], "best_eval": float(best[0].evals[0])})


def _generator(problem) -> torch.Generator:
    return torch.default_generator if problem.generator is None else problem.generator


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
