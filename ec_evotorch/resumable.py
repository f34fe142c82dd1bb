"""The state of a search, saved and restored: for every searcher of this package and of EvoTorch."""

import torch
from evotorch import SolutionBatch
from evotorch.algorithms.distributed.gaussian import GaussianSearchAlgorithm
from evotorch.algorithms.searchalgorithm import SearchAlgorithm

from ec_evotorch.generation.optimizer import load_optimizer_state, optimizer_state
from ec_evotorch.generation.solution_state import load_solution, solution_state
from ec_evotorch.protocols import CountingProblem, Stateful
from ec_evotorch.searchers.incumbent import Incumbent


class Resumable:
    """A search whose state can be saved and restored, by `state_dict` and `load_state_dict` as in PyTorch.

    A state is a dictionary of tensors, NumPy arrays, numbers, strings, None and further such dictionaries, all keys
    strings. Later steps of the search leave it as it is. It holds what steps change, not what the search was made
    with: it is loaded into a search that was made with the same arguments. That search then goes on as the first one
    would have, to the last bit.

        resumable = Resumable(searcher)   # before the first step
        searcher.run(10)
        state = resumable.state_dict()

    The searcher is one of EvoTorch's Gaussian searchers (`PGPE`, `SNES`, `CEM`, `XNES`), or any with the two methods of
    `protocols.Stateful`, as those of this package. The problem can be any; if it has the two methods, as
    `RolloutProblem` has, its own state belongs to that of the search. After loading, `searcher.status` has `iter` and
    the problem's `best` and `worst`; the other entries follow in the next step.

    A step that was interrupted, for example by Ctrl-C, is repeated from its beginning by the next one.
    """

    def __init__(self, searcher: SearchAlgorithm, incumbent: Incumbent | None = None):
        """Takes a searcher before its first step.

        Args:
            searcher: The searcher.
            incumbent: The `Incumbent` of that searcher, if it has one.

        Raises:
            ValueError: If the searcher or its optimizer cannot be saved.
        """
        self._searcher, self._problem, self._incumbent = searcher, searcher.problem, incumbent
        if isinstance(searcher, GaussianSearchAlgorithm):
            self._search = GaussianState(searcher)
        elif isinstance(searcher, Stateful):
            self._search = searcher
        else:
            raise ValueError(
                f"searcher: the state of a {type(searcher).__name__} cannot be saved; expected one of PGPE, SNES, CEM,"
                " XNES or a searcher with state_dict and load_state_dict"
            )
        self._search.state_dict()  # an optimizer that cannot be saved is found now
        self._unfinished: dict | None = None  # the state before a step that has not come to its end
        if isinstance(self._search, GaussianState):  # the others keep it themselves
            searcher.before_step_hook.append(self._begin_step)
            searcher.after_step_hook.append(self._end_step)

    def _begin_step(self) -> None:
        if self._unfinished is not None:
            self.load_state_dict(self._unfinished)
        self._unfinished = self.state_dict()
        self._search.note_generator()

    def _end_step(self) -> None:
        self._unfinished = None

    def state_dict(self) -> dict:
        """Returns the state after the last whole step."""
        if self._unfinished is not None:
            return self._unfinished
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
                "own": problem.state_dict() if isinstance(problem, Stateful) else None,
            },
            "incumbent": None if self._incumbent is None else self._incumbent.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Puts the search where it was when the state was taken.

        Raises:
            KeyError, ValueError, RuntimeError: If the state is not one of such a search.
        """
        problem, searcher = self._problem, self._searcher
        searcher.clear_status()
        self._search.load_state_dict(state["search"])
        _generator(problem).set_state(torch.as_tensor(state["problem"]["generator"]))
        if isinstance(problem, Stateful):
            problem.load_state_dict(state["problem"]["own"])
        if isinstance(self._search, GaussianState) and isinstance(problem, CountingProblem):
            # EvoTorch takes from here how many interactions there were, for its `num_interactions`.
            problem._after_eval_status = dict(problem.episode_statistics.status)
        if self._incumbent is not None:
            self._incumbent.load_state_dict(state["incumbent"])
        searcher._steps_count = state["steps"]
        searcher.update_status({"iter": state["steps"]})
        problem._best = problem._worst = problem._best_evals = problem._worst_evals = None
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
        self._unfinished = None


def _generator(problem) -> torch.Generator:
    return torch.default_generator if problem.generator is None else problem.generator


class GaussianState:
    """The state of a `PGPE`, `SNES`, `CEM` or `XNES`.

    These learn from a population at the start of the next step, so the population belongs to the state. What is kept of
    it are the evaluations and the state of the problem's generator before it was sampled: it can be sampled again.
    """

    def __init__(self, searcher: GaussianSearchAlgorithm):
        """Takes a searcher before its first step.

        Raises:
            ValueError: If the searcher is in EvoTorch's distributed mode, in which it keeps no population.
        """
        if searcher._step == searcher._step_distributed:
            raise ValueError("searcher: the state of a searcher with distributed=True cannot be saved")
        self._searcher = searcher
        self._before_sampling = None

    def note_generator(self) -> None:
        """Notes where the problem's generator is, at the beginning of a step, which samples a population."""
        self._before_sampling = _generator(self._searcher.problem).get_state()

    def state_dict(self) -> dict:
        """Returns parameters, optimizer, and what the last population follows from."""
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
        """Takes the state of a searcher made with the same arguments.

        Raises:
            ValueError: If the state is of a search over vectors of another length.
        """
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
            _generator(searcher.problem).set_state(self._before_sampling)
            searcher._population = self._sample_again(torch.as_tensor(state["evals"]))
            searcher._first_iter = False
        else:
            self._before_sampling = searcher._population = None
            searcher._first_iter = True

    def _sample_again(self, evals: torch.Tensor) -> SolutionBatch:
        searcher = self._searcher
        parts = []
        for _ in range(len(evals) // searcher._popsize):  # one, but for a popsize that adapts to interactions
            parts.append(SolutionBatch(searcher.problem, searcher._popsize, device=evals.device, empty=True))
            searcher._distribution.sample(out=parts[-1].access_values(), generator=searcher.problem)
        population = parts[0] if len(parts) == 1 else SolutionBatch.cat(parts)
        population.set_evals(evals)
        return population
