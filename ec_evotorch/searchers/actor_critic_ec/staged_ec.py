"""Evolving Connectivity in two stages: with a critic at first, and then by whole episodes."""

import inspect
from collections.abc import Mapping

from ec_evotorch.distributions.separable_bernoulli import SeparableBernoulli
from ec_evotorch.rollout.problem import RolloutProblem
from ec_evotorch.searchers.actor_critic_ec.actor_critic_ec import ActorCriticEC
from ec_evotorch.searchers.evolving_connectivity import EvolvingConnectivity
from native.arguments import check_steps

_POPSIZE = 16  # of the second stage, unless another is given


class StagedEC(ActorCriticEC):
    """An `ActorCriticEC` for `critic_steps` environment steps, and from then on an `EvolvingConnectivity`.

    A critic learns faster at first. What it raises is the return of a body whose network changes every few steps; what
    is wanted is one good network, and the return of a whole episode is that of one network. The first step after
    `critic_steps`, those of an `Incumbent` included, and all later ones are generations of an `EvolvingConnectivity`
    that goes on from ρ, with fresh episodes and the normaliser as it is.

    Status after step k: That of the stage, with `iter` and the incumbent's entries going on. What tells of the critic
    is None in the second stage.

    Randomness: at construction two keys are drawn from the problem's generator, that of the `ActorCriticEC` and that of
    the `EvolvingConnectivity`.

    Source: as for the two; to go on from what a learner of single steps has found by a search over whole episodes is
    known for networks with weights, as in Pourchot and Sigaud (2019), https://arxiv.org/abs/1810.01222, where the two
    take turns.
    """

    def __init__(
        self,
        problem: RolloutProblem,
        *,
        critic_steps: int = 400_000,
        episodes: Mapping | None = None,
        **with_critic,
    ):
        """Makes the searcher.

        Args:
            problem: As for `ActorCriticEC`.
            critic_steps: Environment steps after which whole episodes decide.
            episodes: Keywords of the `EvolvingConnectivity` but `prob_init`, which is the ρ that there is, brought into
                its [`prob_min`, 1 − `prob_min`]. None, or without `popsize`: 16 networks.
            **with_critic: Keywords of `ActorCriticEC`.

        Raises:
            ValueError: As for `ActorCriticEC`, or if `episodes` are no such keywords.
            TypeError: If an optimizer is nothing that can be one, or a keyword is unknown.
        """
        super().__init__(problem, **with_critic)
        self._critic_steps = check_steps("critic_steps", critic_steps)
        self._by_episodes = _make_second_stage(problem, {} if episodes is None else episodes)
        self._at_first = self._by_episodes.state_dict()
        self._is_by_episodes = False

    @property
    def distribution(self) -> SeparableBernoulli:
        """The current distribution of connections; each step puts a new one in its place."""
        return self._by_episodes.distribution if self._is_by_episodes else self._distribution

    def _step(self) -> None:
        if self.problem.episode_statistics.interactions < self._critic_steps:
            super()._step()
            return
        if not self._is_by_episodes:
            self._by_episodes.go_on_from(self._distribution.rho)
            self._is_by_episodes = True
        self._by_episodes.step()
        own = {"prob", "center", "density", "entropy", "iter"}
        self.update_status({name: value for name, value in self._by_episodes.status.items() if name not in own})

    def state_dict(self) -> dict:
        """Returns what whole steps change, for `load_state_dict` of a searcher made with the same arguments."""
        if self._is_by_episodes:
            return {"episodes": self._by_episodes.state_dict(), "episode_steps": self._by_episodes.step_count}
        return super().state_dict() | {"key_of_episodes": self._by_episodes.key}

    def load_state_dict(self, state: dict) -> None:
        """Takes the state of a searcher made with the same arguments.

        Raises:
            KeyError, ValueError, RuntimeError: If the state is not one of such a searcher, or the environment does not
                repeat the episodes that were running.
        """
        is_by_episodes = "episodes" in state
        if is_by_episodes:
            second, steps = state["episodes"], int(state["episode_steps"])
            self._interrupted = None
        else:
            key = state["key_of_episodes"]
            super().load_state_dict(state)
            second, steps = self._at_first | {"learner": self._at_first["learner"] | {"key": key}}, 0
        self._by_episodes.load_state_dict(second)
        self._by_episodes._steps_count = steps
        self._is_by_episodes = is_by_episodes


def _make_second_stage(problem: RolloutProblem, keywords: Mapping) -> EvolvingConnectivity:
    possible = inspect.signature(EvolvingConnectivity).parameters.keys() - {"problem", "prob_init"}
    if not isinstance(keywords, Mapping) or not keywords.keys() <= possible:
        raise ValueError(
            f"episodes: expected keywords of EvolvingConnectivity, {', '.join(sorted(possible))}; got {keywords!r}"
        )
    try:
        return EvolvingConnectivity(problem, **{"popsize": _POPSIZE, **keywords})
    except (TypeError, ValueError) as error:  # both name the keyword first
        raise type(error)(f"episodes.{error}") from error
