"""Evolving Connectivity with a critic, as a searcher for rollout problems."""

from collections.abc import Sequence
from typing import ClassVar

import torch

from ec_evotorch.distributions.bernoulli import entropy_descent
from ec_evotorch.distributions.ranking import check_ranking_method, compute_utilities
from ec_evotorch.distributions.separable_bernoulli import SeparableBernoulli
from ec_evotorch.generation.optimizer import load_optimizer_state, make_optimizer, optimizer_state
from ec_evotorch.generation.seeded_rows import SeededRows
from ec_evotorch.randomness import draw_key, make_generator
from ec_evotorch.rollout.problem import RolloutProblem
from ec_evotorch.searchers.actor_critic.actor_critic_search import ActorCriticSearch
from ec_evotorch.searchers.actor_critic.advantages import estimate_advantages, estimate_stretch_advantages
from ec_evotorch.searchers.actor_critic.collector import Collector, Experience
from ec_evotorch.searchers.actor_critic.critic import check_critic_sizes
from ec_evotorch.searchers.actor_critic.value_learner import ValueLearner
from ec_evotorch.searchers.actor_critic_ec.annealing import AnnealedBounds, GrowingBatches, check_anneal_steps
from ec_evotorch.searchers.actor_critic_ec.credit_record import CREDITS, possible_credit
from ec_evotorch.searchers.actor_critic_ec.network_actor import NetworkActor
from ec_evotorch.searchers.evolving_connectivity import initial_distribution
from ec_evotorch.threads import one_torch_thread
from native.arguments import check_choice, check_in_range, check_positive, check_steps, check_whole

_LARGEST = float(torch.finfo(torch.float32).max)
_METRICS = ("euclidean", "fisher")


class ActorCriticEC(ActorCriticSearch):
    """Evolving Connectivity that learns from single steps: 1-bit networks as actors, and a critic that is thrown away.

    `EvolvingConnectivity` learns one number from a whole episode of a network. This searcher has the same connection
    probabilities ρ, but draws a network anew for every few steps, asks a critic what those steps were worth, and gives
    credit to the connections through which a current came about. No gradient flows through the network: it may spike.
    One step of the searcher is one iteration:

    1. take `batch_size` environment steps, or with `batch_growth` ever more, in `num_envs` environments, whose episodes
       go on from one iteration to the next. In each, a network θ_m ~ Bernoulli(ρ) acts for `hold_steps` steps, and then
       another one;
    2. estimate with the critic, a small network of ordinary units that is learned by its gradient, the advantage of
       each θ_m: the generalised advantage of its steps as one action (`estimate_stretch_advantages`);
    3. turn advantages into utilities u by rank, less their mean, and move ρ along

           mean_m u_m E[θ_m − ρ | currents],

       what is expected of the connections given the currents that they made in each unit, see
       `ec_evotorch.distributions.expected_bits`. With `credit="outputs"` it is what is expected given what they did to
       the outputs, see `ec_evotorch.searchers.actor_critic_ec.output_credit`, with "mixed" a sum of both, and with
       "networks" mean_m u_m (θ_m − ρ), Eq. 14 of the paper with stretches in the place of episodes. The optimizer makes
       a step of it. With `metric="fisher"` this is a step of the angle arcsin(2 ρ − 1), in which distances are those of
       the distributions: ρ moves by 2 √(ρ (1 − ρ)) times as much. A step down the natural gradient of the connections'
       entropy follows, center_learning_rate · β · ρ (1 − ρ) ln(ρ / (1 − ρ)): what leans to one side goes on to lean, so
       that the networks that are drawn become the one that is evaluated;
    4. let the critic learn from these steps, and the normaliser from all visited states.

    It is a three-factor rule: what a connection transmitted, what its target received beyond expectation, and by how
    much the outcome was better than expected. A connection learns only from these.

    Status after step k:
        prob: (L,) float32, ρ after the update of step k.
        center: (L,) bool, θ* = [ρ > 0.5].
        density: Mean of ρ.
        entropy: Bits per connection, see `SeparableBernoulli.entropy`.
        mean_eval, median_eval: Training return of the episodes that ended in this iteration; NaN if none did.
        value_loss: Half the critic's mean square error while it learned, in units of the `RewardScale`.
        explained_variance: 1 − Var(V_target − V) / Var(V_target), before the critic learned from it.
        total_interaction_count, mean_return, …: As with `RolloutProblem`, over the episodes that ended.
        iter: k.

    An iteration that was interrupted, for example by Ctrl-C, is repeated from its beginning by the next step.

    Randomness: at construction one key is drawn from the problem's generator. Networks are the bits of (key, iteration,
    row); what shuffles the critic's steps is a function of (key, iteration), and its first weights of the key.

    Source: Bernoulli(ρ) and Eq. 14 of Wang et al. (2023), https://arxiv.org/abs/2305.17650; REINFORCE of Williams
    (1992), https://doi.org/10.1007/BF00992696; connections that are drawn anew in the course of an episode after Seung
    (2003), https://doi.org/10.1016/S0896-6273(03)00761-X, and, for noise on weights, Raffin et al. (2021),
    https://arxiv.org/abs/2005.05719; advantages of Schulman et al. (2016), https://arxiv.org/abs/1506.02438. Their
    combination, and the expectation given the currents, are ours.
    """

    DTYPE: ClassVar[torch.dtype] = torch.bool
    HOW_TO_GET_DTYPE: ClassVar[str] = 'Give the RolloutProblem an agent with connections="boolean".'

    def __init__(
        self,
        problem: RolloutProblem,
        *,
        batch_size: int = 1024,
        batch_growth: float = 1.0,
        num_envs: int = 32,
        hold_steps: int = 8,
        warmup_steps: int = 0,
        center_learning_rate: float = 0.02,
        optimizer="adam",
        optimizer_config: dict | None = None,
        prob_init=0.5,
        prob_min=0.05,
        prob_min_final=None,
        anneal_steps: int | None = None,
        ranking_method: str | None = "centered",
        credit: str = "currents",
        ridge: float = 0.1,
        metric: str = "euclidean",
        entropy_penalty: float = 0.2,
        discount: float = 0.99,
        gae_lambda: float = 0.95,
        critic_sizes: Sequence[int] = (64, 64),
        learning_rate: float = 1e-3,
        num_epochs: int = 2,
        minibatch_size: int = 256,
    ):
        """Makes the searcher.

        Args:
            problem: A `RolloutProblem` whose agent has boolean connections.
            batch_size: Environment steps of an iteration, a multiple of `num_envs` times `hold_steps`.
            batch_growth: In [1, 1e6]; `batch_size` grows geometrically to so many times its size within `anneal_steps`,
                rounded down to multiples of `num_envs` times `hold_steps`. Small batches take many small steps at
                first, large ones surer steps later, when returns depend more on chance.
            num_envs: Environments that steps are taken in at the same time.
            hold_steps: K, environment steps for which a network acts before another one is drawn. Networks that act for
                longer explore more consistently; fewer steps say more about single connections.
            warmup_steps: Environment steps at first in which only the critic learns, and ρ stays: for a good ρ to begin
                with, which the first guesses of a new critic may spoil.
            center_learning_rate: Step size of the optimizer, or of plain ascent; positive.
            optimizer: As for `EvolvingConnectivity`; its state can be saved.
            optimizer_config: As for `EvolvingConnectivity`.
            prob_init: As for `EvolvingConnectivity`.
            prob_min: In [0, 0.5), likewise; ρ is kept in [prob_min, 1 − prob_min], and what is drawn keeps exploring.
            prob_min_final: In (0, prob_min], likewise; what `prob_min` falls to geometrically within `anneal_steps`.
                None: it stays.
            anneal_steps: Environment steps, those of an `Incumbent` included; needed with `prob_min_final` and with a
                `batch_growth` above 1, and refused without them.
            ranking_method: "centered", "linear", "nes", "normalized" or "raw"; None means "raw".
            credit: "currents", "outputs", "mixed" or "networks", see the class. An agent that does not say how its
                neurons respond (`protocols.ResponsiveAgent`) gets "currents" in the place of "outputs" and "mixed", and
                one that does not say what its connections transmit (`protocols.SynapticAgent`) "networks" in any case.
            ridge: Positive; differences between outputs, or currents, count less if their variance is below this share
                of the mean.
            metric: "euclidean" or "fisher", see the class. Where ρ is near 0 or 1, steps of the second are smaller.
            entropy_penalty: β, 0 or more, see the class.
            discount: γ, in [0, 1].
            gae_lambda: λ, in [0, 1].
            critic_sizes: Hidden units of each layer of the critic.
            learning_rate: Step size of the critic's Adam, in (0, 1].
            num_epochs: Times that the critic learns from each environment step.
            minibatch_size: Environment steps of a gradient step of the critic.

        Raises:
            ValueError: If the problem is not a `RolloutProblem`, its agent has no boolean connections or does not say
                what it remembers (`memory`), or an argument is out of its range.
            TypeError: If `optimizer` is nothing that can be one.
        """
        super().__init__(
            problem,
            prob=self._get_prob,
            center=self._get_center,
            density=self._get_density,
            entropy=self._get_entropy,
        )
        if not hasattr(problem.agent, "memory"):
            raise ValueError("problem: ActorCriticEC needs an agent with a method memory; this one has none")
        batch_size, num_envs = check_whole("batch_size", batch_size), check_whole("num_envs", num_envs)
        self._hold_steps = check_whole("hold_steps", hold_steps)
        multiple = num_envs * self._hold_steps
        if batch_size % multiple:
            raise ValueError(
                f"batch_size: expected a multiple of num_envs times hold_steps, {num_envs} · {self._hold_steps}, got"
                f" {batch_size}"
            )
        self._warmup_steps = check_steps("warmup_steps", warmup_steps, minimum=0)
        if batch_size == self._hold_steps:
            raise ValueError("batch_size: expected steps of two networks or more to compare, got those of one")
        ranking_method = "raw" if ranking_method is None else ranking_method
        check_ranking_method(ranking_method)
        check_choice("credit", credit, CREDITS)
        critic_sizes = check_critic_sizes(critic_sizes)
        learning_rate = check_in_range("learning_rate", learning_rate, 0.0, 1.0, include_low=False)
        num_epochs = check_whole("num_epochs", num_epochs)
        minibatch_size = check_whole("minibatch_size", minibatch_size)
        center_learning_rate = check_positive("center_learning_rate", center_learning_rate)

        self._num_envs = num_envs
        self._ranking_method, self._ridge = ranking_method, check_positive("ridge", ridge)
        self._entropy_penalty = check_in_range("entropy_penalty", entropy_penalty, 0.0, _LARGEST)
        self._metric = check_choice("metric", metric, _METRICS)
        self._credit = possible_credit(credit, problem.agent)
        self._distribution = initial_distribution(problem, prob_init, prob_min)
        batch_growth = check_in_range("batch_growth", batch_growth, 1.0, 1e6)
        anneal_steps = check_anneal_steps(
            anneal_steps, prob_min_final=prob_min_final is not None, batch_growth=batch_growth > 1.0
        )
        self._batches = GrowingBatches(batch_size, batch_growth, anneal_steps, multiple)
        self._bounds = AnnealedBounds(problem, self._distribution, prob_min_final, anneal_steps)
        self._center_learning_rate = center_learning_rate
        self._optimizer = make_optimizer(
            optimizer,
            optimizer_config,
            stepsize=center_learning_rate,
            solution_length=problem.solution_length,
            device=problem.device,
        )
        optimizer_state(self._optimizer)  # says what is wrong with one whose state cannot be saved
        key = draw_key(problem)
        with one_torch_thread():
            self._values = ValueLearner(
                problem.agent.obs_length,
                critic_sizes,
                learning_rate=learning_rate,
                num_epochs=num_epochs,
                minibatch_size=minibatch_size,
                generator=make_generator(key, 0),
                device=problem.device_of_rows,
            )
        self._begin(key, num_envs, discount, gae_lambda, self._collector_class())

    @property
    def distribution(self) -> SeparableBernoulli:
        """The current distribution of connections; each step puts a new one in its place."""
        return self._distribution

    def _iterate(self, iteration: int) -> tuple[Experience, SeparableBernoulli, dict[str, float]]:
        """Returns what was experienced, the next distribution, and the diagnostics of the status."""
        batch_size = self._batches.after(self.problem.episode_statistics.interactions)
        num_networks = batch_size // self._hold_steps
        actor = self._make_actor(SeededRows(self._distribution, num_networks, self._key, iteration))
        experience = self._collect(batch_size // self._num_envs, actor)
        values = self._values.values(experience.observations)
        advantages = estimate_advantages(
            (experience.rewards / self._reward_scale.value).float(),
            values,
            self._values.values(experience.next_observations),
            experience.terminated,
            experience.ended,
            discount=self._discount,
            gae_lambda=self._gae_lambda,
        )
        targets = advantages + values
        distribution = self._updated(actor, advantages, experience.ended)
        generator = make_generator(self._key, iteration)
        loss = self._values.learn(experience.observations.flatten(0, 1), targets.flatten(), generator)
        explained = 1.0 - (advantages.var() / targets.var()).item()
        return experience, distribution, {"value_loss": loss, "explained_variance": explained}

    def _make_actor(self, rows: SeededRows):
        """Returns what acts in an iteration, with networks that are the rows of a generation."""
        agent, *how = self.problem.agent, self._num_envs, self._hold_steps
        if self.problem.device_of_rows is None:
            networks = torch.empty(rows.popsize, self.problem.solution_length, dtype=torch.bool)
            rows.fill(networks, 0)
            return NetworkActor(agent, networks, *how, credit=self._credit)
        from ec_evotorch.searchers.actor_critic_ec.device.actor import DeviceNetworkActor  # Warp is an extra

        return DeviceNetworkActor(agent, rows, *how, self._collector.device, credit=self._credit)

    def _collector_class(self):
        if self.problem.device_of_rows is None:
            return Collector
        from ec_evotorch.searchers.actor_critic_ec.device.collector import DeviceCollector  # Warp is an extra

        return DeviceCollector

    def _updated(self, actor, advantages, ended) -> SeparableBernoulli:
        """Returns the distribution with ρ moved towards the networks whose stretches were better than expected."""
        steps = self.problem.episode_statistics.interactions
        if steps < self._warmup_steps:
            return self._distribution
        stretches = estimate_stretch_advantages(
            advantages, ended, length=self._hold_steps, discount=self._discount, gae_lambda=self._gae_lambda
        )
        utilities = compute_utilities(stretches.flatten(), objective_sense="max", ranking_method=self._ranking_method)
        if torch.all(utilities == utilities[0]):
            return self._distribution
        utilities = (utilities - utilities.mean()).to(torch.float32)
        gradient = actor.gradient(self._distribution.rho, utilities, ridge=self._ridge)
        rates = {"rho": self._center_learning_rate}
        how = {"learning_rates": rates} if self._optimizer is None else {"optimizers": {"rho": self._optimizer}}
        distribution = self._bounds.after(steps, self._distribution)
        moved = distribution.update_parameters({"rho": gradient}, **how)
        if self._metric == "fisher":
            moved = distribution.with_vector(_fisher_step(distribution.rho, moved.rho))
        less_entropy = {"rho": self._entropy_penalty * entropy_descent(moved.rho)}
        return moved.update_parameters(less_entropy, learning_rates=rates)

    def _adopt(self, learned: SeparableBernoulli) -> None:
        self._distribution = learned

    def _learned_state(self) -> dict:
        return {
            "prob": self._distribution.rho,
            "optimizer": optimizer_state(self._optimizer),
            "values": self._values.state_dict(),
        }

    def _load_learned(self, state: dict) -> None:
        rho = torch.as_tensor(state["prob"])
        if rho.shape != self._distribution.rho.shape:
            expected, got = tuple(self._distribution.rho.shape), tuple(rho.shape)
            raise ValueError(f"prob: expected shape {expected}, got {got}")
        self._distribution = self._distribution.with_vector(rho.clone())
        load_optimizer_state(self._optimizer, state["optimizer"])
        self._values.load_state_dict(state["values"])

    def _get_prob(self) -> torch.Tensor:
        return self.distribution.rho

    def _get_center(self) -> torch.Tensor:
        return self.distribution.center

    def _get_density(self) -> float:
        return self.distribution.density

    def _get_entropy(self) -> float:
        return self.distribution.entropy


def _fisher_step(rho: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
    """Returns ρ moved by 2 √(ρ (1 − ρ)) times as much: by an equal distance between distributions, wherever ρ is."""
    return rho + 2.0 * (rho * (1.0 - rho)).sqrt() * (moved - rho)
