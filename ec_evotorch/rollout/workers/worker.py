"""What runs in a worker's process: a rollout problem of its own that plays ranges of rows."""

import pickle
from collections.abc import Iterator

import numpy as np
import torch

from ec_evotorch.generation.rank_codes import decode_scores
from ec_evotorch.logging import quiet_evotorch
from ec_evotorch.rollout.visited_states import VisitedStates
from ec_evotorch.rollout.workers.messages import RANGE, pack_episodes
from ec_evotorch.threads import limit_threads

_ELEMENTS_PER_PART = 2**22  # of a population that a copy of a search samples at once to learn from it


class Worker:
    """Plays rows of a generation and counts the states that they visit, in one thread.

    Messages are bytes, so that what goes over the network is what is counted. Messages from the driver are pickled in
    part, as Ray's own are, which runs whatever a member of its cluster sends: never join a cluster that is not one's
    own.

    Calls come in the order in which they are made: `begin`, then `play` any number of times, then `hand_over`; with
    `scalar_only`, `adopt` before the first of them and `learn` after each generation.

    Args:
        make_problem: A pickled function without arguments that makes the `RolloutProblem`, which has no workers itself.
    """

    def __init__(self, make_problem: bytes):
        limit_threads(1)
        quiet_evotorch()
        self._problem = pickle.loads(make_problem)()
        self._learner = None
        self._begin_counting()

    def ready(self) -> None:
        """Returns once the problem is made."""

    def adopt(self, learner: bytes) -> None:
        """Takes a copy of the search, a pickled `Learner`."""
        self._learner = pickle.loads(learner)

    def learn(self, scores: bytes) -> None:
        """Lets the copy of the search learn from the generation that is over.

        Args:
            scores: Pickled, what `encode_scores` has made of the evaluations.
        """
        self._learner.learn(decode_scores(pickle.loads(scores)), self._parts())

    def begin(self, plan: bytes) -> None:
        """Begins a generation.

        Args:
            plan: A pickled `Plan`.

        Raises:
            RuntimeError: If the copy of the search has learned something else than the search itself.
        """
        plan = pickle.loads(plan)
        if plan.copied is None:
            self._rows = plan.rows
        else:
            generation, digest = plan.copied
            self._rows = self._learner.rows(generation)
            if self._learner.digest() != digest:
                raise RuntimeError(
                    "scalar_only: a worker's copy of the search has learned something else than the search itself; are"
                    " all machines of one kind, with the same versions installed?"
                )
        self._generation = plan.generation
        if self._problem.normalizer is not None:
            self._problem.normalizer.mean, self._problem.normalizer.stdev = plan.mean, plan.stdev
        self._begin_counting()

    def play(self, rows: bytes, values: bytes | None = None) -> bytes:
        """Plays some rows.

        Args:
            rows: A `RANGE`.
            values: The solutions, row-major, where the plan has no rows.

        Returns:
            What `pack_episodes` makes of the returns and lengths of all episodes.
        """
        first_row, stop_row = RANGE.unpack(rows)
        solutions = torch.empty(stop_row - first_row, self._problem.solution_length, dtype=self._problem.dtype)
        if values is None:
            self._rows.fill(solutions, first_row)
        else:
            solutions.numpy().reshape(-1)[:] = np.frombuffer(values, dtype=solutions.numpy().dtype)
        played = self._problem.play(solutions, self._generation, first_row)
        self._visited.note(played.nonfinite)
        if self._problem.normalizer is not None:
            self._visited.add(played.lengths, played.sums, played.sums_of_squares)
        return pack_episodes(played.returns, played.lengths)

    def hand_over(self) -> bytes:
        """Returns the `VisitedStates` of what was played since the last call or `begin`, as bytes, and forgets them."""
        visited = self._visited
        self._begin_counting()
        return visited.to_bytes()

    def _begin_counting(self) -> None:
        self._visited = VisitedStates(self._problem.env.single_observation_space.shape[0])

    def _parts(self) -> Iterator[torch.Tensor]:
        """Yields the rows of the generation in parts, sampled once more; each part overwrites the one before."""
        popsize, length = self._learner.popsize, self._problem.solution_length
        buffer = torch.empty(min(popsize, max(1, _ELEMENTS_PER_PART // length)), length, dtype=self._problem.dtype)
        for first_row in range(0, popsize, len(buffer)):
            part = buffer[: popsize - first_row]
            self._rows.fill(part, first_row)
            yield part
