"""Proximal policy optimisation (PPO) of a recurrent agent as a searcher for rollout problems."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_

from ec_evotorch.generation.optimizer import load_optimizer_state, optimizer_state
from ec_evotorch.randomness import draw_key, make_generator
from ec_evotorch.rollout.problem import RolloutProblem
from ec_evotorch.searchers.actor_critic.actor_critic_search import ActorCriticSearch
from ec_evotorch.searchers.actor_critic.advantages import estimate_advantages
from ec_evotorch.searchers.actor_critic.collector import Experience
from ec_evotorch.searchers.actor_critic.critic import check_critic_sizes, make_critic
from ec_evotorch.searchers.initial_center import make_initial_center
from ec_evotorch.searchers.ppo.action_distribution import make_distribution
from ec_evotorch.searchers.ppo.actor import NoisyActor
from ec_evotorch.threads import one_torch_thread
from native.arguments import check_in_range, check_steps, check_whole

_LARGEST = float(torch.finfo(torch.float32).max)


class PPO(ActorCriticSearch):
    """Proximal policy optimisation with backpropagation through time.

    The policy is a diagonal normal distribution around the agent's output, with a standard deviation that is learned
    and does not depend on the state; actions are clipped to [−1, 1] when they act. Where the environment's actions are
    choices, the policy is a categorical (`Discrete`, `MultiDiscrete`) or Bernoulli distribution (`MultiBinary`): the
    softmax or sigmoid of the clipped outputs over a temperature, which is learned as the standard deviation of noise
    that is added to the outputs before the choice. The critic is a feed-forward network of its own on the same
    normalised observations. One step of the searcher is one iteration:

    1. collect `batch_size` environment steps in `num_envs` environments, whose episodes go on from one iteration to the
       next, with the observation normaliser as it is;
    2. cut them into sequences of at most `bptt_length` steps of one episode. The agent's memory before the first step
       of each is kept as it was: no gradient flows across the ends of sequences;
    3. estimate advantages (`estimate_advantages`), on rewards over their `RewardScale`;
    4. for `num_epochs` times over all sequences, in `num_minibatches` parts of as many sequences each, shuffled anew,
       take a step of Adam down the gradient of

           −mean min(r A, clip(r, 1 − ε, 1 + ε) A) − entropy_coefficient · entropy,  r = π(a) / π_old(a),

       in the policy, and of value_coefficient · mean (V − V_target)² / 2 in the critic;
    5. update the normaliser from all visited states.

    The agent offers what the gradient needs, see `protocols.DifferentiableAgent`.

    Status after step k:
        center: (L,) float32, the agent's solution; acting with its clipped output is the deterministic policy, which
            chooses what is most probable.
        stdev: Mean standard deviation of the policy.
        mean_eval, median_eval: Training return of the episodes that ended in this iteration; NaN if none did.
        policy_loss, value_loss, policy_entropy, approx_kl, clip_fraction, gradient_norm: Means over the minibatches.
        explained_variance: 1 − Var(V_target − V) / Var(V_target), before the critic learned from it.
        total_interaction_count, mean_return, …: As with `RolloutProblem`, over the episodes that ended.
        iter: k.

    An iteration that was interrupted, for example by Ctrl-C, is repeated from its beginning by the next step. After a
    `FloatingPointError` (a loss or gradient of NaN or infinity) that fails again; `center` then is the last good one.

    Randomness: only at construction are numbers drawn from the problem's generator: the first centre, if it is not
    given, and a key. Noise and shuffling of iteration k are functions of (key, k), the critic's first weights of the
    key.

    Source: Schulman et al. (2017), https://arxiv.org/abs/1707.06347; the details after Huang et al. (2022), "The 37
    Implementation Details of Proximal Policy Optimization",
    https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/; settings of the paper's Table 5.
    Deviations: spiking networks have a larger step size in the project's YAML, 4.5e-3; gradient norms are clipped for
    policy and critic each by itself; advantages are normalised over each minibatch; the value loss is not clipped. The
    paper does not state what goes beyond its Table 5.
    """

    DTYPE: ClassVar[torch.dtype] = torch.float32
    HOW_TO_GET_DTYPE: ClassVar[str] = 'Give the RolloutProblem an agent with real weights, such as connections="real".'

    def __init__(
        self,
        problem: RolloutProblem,
        *,
        batch_size: int = 2048,
        num_envs: int = 16,
        bptt_length: int = 16,
        num_minibatches: int = 8,
        num_epochs: int = 5,
        center_learning_rate: float = 3e-4,
        learning_rate: float = 3e-4,
        anneal_steps: int | None = None,
        adam_epsilon: float = 1e-5,
        max_gradient_norm: float = 0.5,
        discount: float = 0.99,
        gae_lambda: float = 0.95,
        clip: float = 0.2,
        value_coefficient: float = 1.0,
        entropy_coefficient: float = 1e-3,
        stdev_init: float = 1.0,
        critic_sizes: Sequence[int] = (64, 64),
        center_init=None,
    ):
        """Makes the searcher.

        Args:
            problem: A `RolloutProblem` whose agent has real weights.
            batch_size: Environment steps of an iteration, a multiple of `num_envs`.
            num_envs: Environments that steps are collected from at the same time.
            bptt_length: Length of the longest sequence that a gradient flows through, in environment steps.
            num_minibatches: Gradient steps of an epoch.
            num_epochs: Times that each environment step is learned from.
            center_learning_rate: Step size of the agent's weights, in (0, 1].
            learning_rate: Step size of the critic and of the policy's standard deviation, in (0, 1].
            anneal_steps: Environment steps within which both step sizes fall linearly to zero; None: they stay.
            adam_epsilon: ε of Adam, in (0, 1].
            max_gradient_norm: Norm to which the gradients of policy and critic are clipped, each by itself.
            discount: γ, in [0, 1].
            gae_lambda: λ, in [0, 1].
            clip: ε of the policy's loss, positive.
            value_coefficient: Weight of the critic's loss, 0 or more.
            entropy_coefficient: Weight of the policy's entropy, 0 or more.
            stdev_init: Standard deviation of the policy at the start, in [1e-6, 1e6].
            critic_sizes: Hidden units of each layer of the critic.
            center_init: The first centre: a finite number, (L,) numbers, or a mapping with numbers for each kernel of
                the agent; None asks `problem.generate_values(1)`.

        Raises:
            ValueError: If the problem is not a `RolloutProblem`, its agent has no real weights or no gradient, or an
                argument is out of its range.
        """
        super().__init__(problem, center=self._get_center)
        for method in ("memory", "unroll"):
            if not hasattr(problem.agent, method):
                raise ValueError(f"problem: PPO needs an agent with a method {method}; this one has none")
        critic_sizes = check_critic_sizes(critic_sizes)
        batch_size, num_envs = check_whole("batch_size", batch_size), check_whole("num_envs", num_envs)
        if batch_size % num_envs:
            raise ValueError(f"batch_size: expected a multiple of num_envs = {num_envs}, got {batch_size}")
        self._bptt_length = check_whole("bptt_length", bptt_length)
        self._anneal_steps = None if anneal_steps is None else check_steps("anneal_steps", anneal_steps)
        center_learning_rate = _check_fraction("center_learning_rate", center_learning_rate)
        learning_rate = _check_fraction("learning_rate", learning_rate)
        adam_epsilon = _check_fraction("adam_epsilon", adam_epsilon)
        stdev_init = check_in_range("stdev_init", stdev_init, 1e-6, 1e6)

        self._num_envs = num_envs
        self._num_minibatches = check_whole("num_minibatches", num_minibatches)
        self._num_epochs = check_whole("num_epochs", num_epochs)
        self._max_gradient_norm = check_in_range(
            "max_gradient_norm", max_gradient_norm, 0.0, _LARGEST, include_low=False
        )
        self._clip = check_in_range("clip", clip, 0.0, _LARGEST, include_low=False)
        self._value_coefficient = check_in_range("value_coefficient", value_coefficient, 0.0, _LARGEST)
        self._entropy_coefficient = check_in_range("entropy_coefficient", entropy_coefficient, 0.0, _LARGEST)

        self._center = make_initial_center(problem, center_init)
        key = draw_key(problem)
        self._weights = self._center.clone().requires_grad_()
        self._distribution = make_distribution(problem.action_space, problem.agent.act_length)
        shape = (self._distribution.num_stdevs,)
        self._log_stdev = torch.full(shape, float(np.log(stdev_init)), dtype=torch.float32, requires_grad=True)
        with one_torch_thread():
            self._critic = make_critic(problem.agent.obs_length, critic_sizes, make_generator(key, 0))
        self._optimizer = torch.optim.Adam(
            [
                {"params": [self._weights], "lr": center_learning_rate},
                {"params": [self._log_stdev, *self._critic.parameters()], "lr": learning_rate},
            ],
            eps=adam_epsilon,
        )
        self._step_sizes = center_learning_rate, learning_rate
        self._num_steps = batch_size // num_envs
        self._begin(key, num_envs, discount, gae_lambda)

    def _iterate(self, iteration: int) -> tuple[Experience, torch.Tensor, dict[str, float]]:
        generator = make_generator(self._key, iteration)
        noise = self._distribution.noise(self._num_steps, self._num_envs, generator)
        stdev = self._log_stdev.detach().exp()
        actor = NoisyActor(self.problem.agent, self._center, self._distribution, stdev, noise, self._bptt_length)
        experience = self._collect(self._num_steps, actor)
        self._anneal()
        diagnostics = self._learn(experience, actor, generator)
        return experience, self._weights.detach().clone(), diagnostics

    def _adopt(self, learned: torch.Tensor) -> None:
        self._center = learned

    def _anneal(self) -> None:
        """Sets the step sizes to what they are after the environment steps so far."""
        if self._anneal_steps is None:
            return
        left = max(0.0, 1.0 - self.problem.episode_statistics.interactions / self._anneal_steps)
        for group, step_size in zip(self._optimizer.param_groups, self._step_sizes, strict=True):
            group["lr"] = left * step_size

    def _learn(self, experience: Experience, actor: NoisyActor, generator: torch.Generator) -> dict[str, float]:
        """Updates weights, standard deviation and critic; returns the diagnostics of the status."""
        observations, actions = experience.observations.flatten(0, 1), actor.actions.flatten(0, 1)
        with torch.no_grad():
            values = self._critic(experience.observations)[..., 0]
            advantages = estimate_advantages(
                (experience.rewards / self._reward_scale.value).float(),
                values,
                self._critic(experience.next_observations)[..., 0],
                experience.terminated,
                experience.ended,
                discount=self._discount,
                gae_lambda=self._gae_lambda,
            )
            targets = (advantages + values).flatten()
            old_log_probs = self._log_probs(actor.means, actor.actions).flatten()
        unexplained = (advantages.var() / targets.var()).item()
        advantages = advantages.flatten()

        sequences = actor.sequences()
        totals = dict.fromkeys(
            ("policy_loss", "value_loss", "policy_entropy", "approx_kl", "clip_fraction", "gradient_norm"), 0.0
        )
        for _ in range(self._num_epochs):
            shuffled = torch.randperm(len(sequences.lengths), generator=generator)
            for chosen in shuffled.tensor_split(min(self._num_minibatches, len(shuffled))):
                minibatch = sequences.take(chosen.sort().values)
                mask = minibatch.mask
                steps = minibatch.steps[mask]

                outputs = self.problem.agent.unroll(
                    self._weights, observations[minibatch.steps], minibatch.memory, minibatch.lengths
                )
                outputs = outputs[mask]
                log_ratios = self._log_probs(outputs, actions[steps]) - old_log_probs[steps]
                ratios = log_ratios.exp()
                advantage = advantages[steps]
                if len(steps) > 1:
                    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
                clipped = ratios.clamp(1.0 - self._clip, 1.0 + self._clip)
                policy_loss = -torch.minimum(ratios * advantage, clipped * advantage).mean()
                entropy = self._distribution.entropy(outputs, self._log_stdev)
                value_loss = 0.5 * (self._critic(observations[steps])[:, 0] - targets[steps]).square().mean()
                loss = policy_loss - self._entropy_coefficient * entropy + self._value_coefficient * value_loss

                self._optimizer.zero_grad()
                loss.backward()
                gradient_norm = self._clip_gradients()
                if not (torch.isfinite(loss) and torch.isfinite(gradient_norm)):
                    raise FloatingPointError(
                        f"the loss is {loss.item()} and the norm of its gradient {gradient_norm.item()}"
                    )
                self._optimizer.step()

                with torch.no_grad():
                    totals["policy_loss"] += policy_loss.item()
                    totals["value_loss"] += value_loss.item()
                    totals["policy_entropy"] += entropy.item()
                    totals["approx_kl"] += (ratios - 1.0 - log_ratios).mean().item()
                    totals["clip_fraction"] += (ratios != clipped).float().mean().item()
                    totals["gradient_norm"] += gradient_norm.item()
        count = self._num_epochs * min(self._num_minibatches, len(sequences.lengths))
        return {name: total / count for name, total in totals.items()} | {
            "explained_variance": 1.0 - unexplained,
            "stdev": self._log_stdev.detach().exp().mean().item(),
        }

    def _log_probs(self, outputs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Returns the log density (…,) of actions (…, act_length) under the policy with these outputs."""
        return self._distribution.log_probs(outputs, self._log_stdev, actions)

    def _clip_gradients(self) -> torch.Tensor:
        """Clips the gradients; returns the norm of the policy's before that, or NaN if the critic's is not finite."""
        critic_norm = clip_grad_norm_(self._critic.parameters(), self._max_gradient_norm)
        policy_norm = clip_grad_norm_([self._weights, self._log_stdev], self._max_gradient_norm)
        return policy_norm + 0.0 * critic_norm

    def _learned_state(self) -> dict:
        return {
            "center": self._center,
            "log_stdev": self._log_stdev.detach().clone(),
            "critic": {name: value.detach().clone() for name, value in self._critic.state_dict().items()},
            "optimizer": optimizer_state(self._optimizer),
        }

    def _load_learned(self, state: dict) -> None:
        self._center = make_initial_center(self.problem, state["center"])
        with torch.no_grad():
            self._weights.copy_(self._center)
            self._log_stdev.copy_(torch.as_tensor(state["log_stdev"]))
        self._critic.load_state_dict({name: torch.as_tensor(value) for name, value in state["critic"].items()})
        load_optimizer_state(self._optimizer, state["optimizer"])

    def _get_center(self) -> torch.Tensor:
        return self._center


def _check_fraction(name: str, value: object) -> float:
    return check_in_range(name, value, 0.0, 1.0, include_low=False)
