"""A searcher of one's own: hill climbing by flipping bits, for any EvoTorch problem over booleans."""

import torch
from evotorch import Problem
from evotorch.algorithms.searchalgorithm import SearchAlgorithm

from ec_evotorch.randomness import draw_key, make_generator


class BitClimber(SearchAlgorithm):
    """Evaluates a parent and its mutants in each step; the best of them is the next parent.

    Status after a step, besides that of the problem:
        center: (L,) bool, the parent of the next step.
        center_eval: The fitness by which it was chosen.

    Args:
        problem: An EvoTorch problem of dtype `torch.bool` with one objective.
        popsize: Number of solutions in each step, the parent among them.
        flip_probability: Probability that a bit of a mutant differs from the parent's.
    """

    def __init__(self, problem: Problem, *, popsize: int, flip_probability: float = 0.01):
        if problem.dtype != torch.bool:
            raise ValueError(f"problem: expected dtype torch.bool, got {problem.dtype}")
        if not 0.0 < flip_probability < 1.0:
            raise ValueError(f"flip_probability: expected a number in (0, 1), got {flip_probability!r}")
        super().__init__(problem, center=lambda: self._center, center_eval=lambda: self._center_eval)
        self._population = problem.generate_batch(popsize, empty=True)
        self._flip_probability = flip_probability
        self._key = draw_key(problem)  # the only draw from the problem's generator
        self._center = torch.rand(problem.solution_length, generator=make_generator(self._key, 0)) < 0.5
        self._center_eval = float("nan")

    def _step(self) -> None:
        generator = make_generator(self._key, self.step_count + 1)  # a stream of its own for each step
        flips = torch.rand(len(self._population), len(self._center), generator=generator) < self._flip_probability
        flips[0] = False  # the parent itself
        self._population.set_values(self._center ^ flips)
        self.problem.evaluate(self._population)
        best = self._population[int(self._population.argbest(0))]
        self._center, self._center_eval = best.values.as_subclass(torch.Tensor).clone(), float(best.evals[0])

    def state_dict(self) -> dict:
        """Returns what steps change; with it a run has checkpoints and can be resumed."""
        return {"key": self._key, "center": self._center, "center_eval": self._center_eval}

    def load_state_dict(self, state: dict) -> None:
        """Restores what `state_dict` returned, in a searcher that was made with the same arguments."""
        self._key, self._center_eval = state["key"], state["center_eval"]
        self._center = torch.as_tensor(state["center"])
