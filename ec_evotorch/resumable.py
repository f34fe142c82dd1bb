"""Taking the state of a search between two steps, and going on from it in another process to the same end."""

import torch
from evotorch.algorithms.distributed.gaussian import GaussianSearchAlgorithm
from evotorch.algorithms.searchalgorithm import SearchAlgorithm

from ec_evotorch.gaussian_state import GaussianState
from ec_evotorch.problem import RolloutProblem
from ec_evotorch.solution_state import load_solution, solution_state


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
