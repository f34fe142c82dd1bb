"""What searchers with a critic share: iterations over steps of episodes that go on, which count when they are whole."""

from typing import Any, ClassVar

import torch
from evotorch.algorithms.searchalgorithm import SearchAlgorithm

from ec_evotorch.rollout.problem import RolloutProblem
from ec_evotorch.searchers.actor_critic.advantages import RewardScale
from ec_evotorch.searchers.actor_critic.collector import Collector, Experience
from ec_evotorch.threads import one_torch_thread
from native.arguments import check_in_range


class ActorCriticSearch(SearchAlgorithm):
    """A searcher whose step is an iteration: collect steps, estimate what they were worth, and learn from them.

    An iteration that was interrupted, for example by Ctrl-C, is repeated from its beginning by the next step. After a
    `FloatingPointError` that fails again; what was learned before stays.

    A subclass declares the dtype that it searches over, calls `_begin` at the end of its constructor, and has
    `_iterate`, `_adopt`, `_learned_state` and `_load_learned`.

    Attributes:
        DTYPE: Dtype of the solutions, declared by the subclass.
        HOW_TO_GET_DTYPE: A sentence for the message if a problem has another dtype, declared by the subclass.
    """

    DTYPE: ClassVar[torch.dtype]
    HOW_TO_GET_DTYPE: ClassVar[str]

    def __init__(self, problem: RolloutProblem, **status_getters):
        """Checks the problem.

        Args:
            problem: A `RolloutProblem` of dtype `DTYPE`.
            **status_getters: The subclass's own entries of the status, as functions without arguments, see EvoTorch's
                `SearchAlgorithm`.

        Raises:
            ValueError: If the problem is another one, or has workers.
        """
        name = type(self).__name__
        if not isinstance(problem, RolloutProblem):
            raise ValueError(f"problem: {name} needs a RolloutProblem, got {type(problem).__name__}")
        if problem.dtype != self.DTYPE:
            raise ValueError(
                f"problem: {name} needs a problem of dtype {self.DTYPE}, got {problem.dtype}. {self.HOW_TO_GET_DTYPE}"
            )
        if problem.num_actors:
            raise ValueError(f"num_actors: {name} collects in one process, expected 0, got {problem.num_actors}")
        super().__init__(problem, **status_getters)

    def _begin(self, key: int, num_envs: int, discount: float, gae_lambda: float, make_collector=Collector) -> None:
        """Makes the environments; a subclass calls this once, when all that may be refused was checked.

        Args:
            key: 64-bit key of the search.
            num_envs: Environments.
            discount: γ, in [0, 1].
            gae_lambda: λ, in [0, 1].
            make_collector: Class of what collects steps, made with the problem and the number of environments.

        Raises:
            ValueError: If γ or λ is out of its range.
        """
        self._discount = check_in_range("discount", discount, 0.0, 1.0)
        self._gae_lambda = check_in_range("gae_lambda", gae_lambda, 0.0, 1.0)
        self._key = key
        self._collector = make_collector(self.problem, num_envs)
        self._reward_scale = RewardScale(num_envs, self._discount)
        self._interrupted: dict | None = None  # the state before an iteration that did not come to its end

    def _iterate(self, iteration: int) -> tuple[Experience, Any, dict[str, float]]:
        """Collects and learns; returns the experience, what was learned, and the diagnostics of the status."""
        raise NotImplementedError

    def _adopt(self, learned: Any) -> None:
        """Takes over what an iteration has learned, now that it is whole."""
        raise NotImplementedError

    def _learned_state(self) -> dict:
        """Returns what iterations change in the subclass."""
        raise NotImplementedError

    def _load_learned(self, state: dict) -> None:
        """Takes what `_learned_state` returned."""
        raise NotImplementedError

    def _collect(self, num_steps: int, actor) -> Experience:
        experience = self._collector.collect(num_steps, actor)
        self._reward_scale.update(experience.rewards, experience.ended)
        return experience

    def _step(self) -> None:
        if self._interrupted is not None:
            self.load_state_dict(self._interrupted)
        self._interrupted = self.state_dict()
        try:
            with one_torch_thread():
                experience, learned, diagnostics = self._iterate(self.step_count + 1)
        except FloatingPointError as error:
            raise FloatingPointError(f"iteration {self.step_count + 1}: {error}") from error
        self._adopt(learned)
        self._interrupted = None
        experience.count_in(self.problem)
        self.update_status(experience.training_returns(self.problem) | diagnostics)

    def state_dict(self) -> dict:
        """Returns what whole iterations change, for `load_state_dict` of a searcher made with the same arguments."""
        if self._interrupted is not None:
            return self._interrupted
        return {
            "key": self._key,
            **self._learned_state(),
            "reward_scale": self._reward_scale.state_dict(),
            "collector": self._collector.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Takes the state of a searcher made with the same arguments.

        Raises:
            KeyError, ValueError, RuntimeError: If the state is not one of such a searcher, or the environment does not
                repeat the episodes that were running.
        """
        self._load_learned(state)
        self._key = state["key"]
        self._reward_scale.load_state_dict(state["reward_scale"])
        self._collector.load_state_dict(state["collector"])
        self._interrupted = None
