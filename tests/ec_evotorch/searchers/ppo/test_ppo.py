"""Laws of collecting experience and of learning from it by PPO."""

import gc
from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from evotorch import Problem
from evotorch.logging import PandasLogger
from snntorch import SpikingNeuron

from agents import GRU, LSTM, RNN, RSNN, ModuleAgent
from ec_evotorch import PPO, RolloutProblem
from ec_evotorch.searchers.actor_critic.collector import Collector
from ec_evotorch.searchers.ppo.action_distribution import Normals
from ec_evotorch.searchers.ppo.actor import NoisyActor
from envs import make_vec
from tests.ec_evotorch.searchers.actor_critic.diverging import Diverging

AGENTS = {
    "rsnn": partial(RSNN, num_neurons=12, connections="real"),
    "rsnn sign": partial(RSNN, num_neurons=12, connections="sign"),
    "rnn": partial(RNN, num_neurons=12),
    "rnn sign": partial(RNN, num_neurons=12, connections="sign"),
    "gru": partial(GRU, num_neurons=12),
    "lstm": partial(LSTM, num_neurons=12),
}
EVERY = pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
WINDOW = 8


def make_problem(agent=AGENTS["rnn"], env=None, **kwargs):
    env = partial(make_vec, "Hopper-v5") if env is None else env
    return RolloutProblem(env, agent, **{"num_envs": 2, "seed": 3, "decrease_rewards_by": 1.0, **kwargs})


def make_searcher(problem=None, **kwargs):
    problem = make_problem() if problem is None else problem
    small = {"batch_size": 160, "num_envs": 4, "bptt_length": WINDOW, "num_minibatches": 3, "num_epochs": 2}
    return PPO(problem, **{**small, "critic_sizes": (8,), **kwargs})


def collect(problem, num_steps=40, num_envs=4, calls=2):
    """The experience of the last call, and what acted."""
    generator = torch.Generator().manual_seed(0)
    center = problem.agent.initial_solutions(1, generator)[0]
    collector = Collector(problem, num_envs)
    for _ in range(calls):
        noise = torch.randn(num_steps, num_envs, problem.agent.act_length, generator=generator)
        stdev = torch.full((problem.agent.act_length,), 0.5)
        actor = NoisyActor(problem.agent, center, Normals(problem.agent.act_length), stdev, noise, WINDOW)
        experience = collector.collect(num_steps, actor)
        count, sums, sums_of_squares = experience.visited
        problem.normalizer.update(count, sums, sums_of_squares)
    return experience, actor, center


def test_an_interrupted_iteration_is_made_anew(monkeypatch):
    searcher, unbroken = make_searcher(), make_searcher()
    searcher.step()
    unbroken.run(3)
    optimizer_step, calls = searcher._optimizer.step, []

    def interrupted():
        optimizer_step()
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(searcher._optimizer, "step", interrupted)
    center = searcher.status["center"].clone()
    with pytest.raises(KeyboardInterrupt):
        searcher.step()
    assert torch.equal(searcher._get_center(), center)
    saved = searcher.state_dict()
    assert torch.equal(saved["center"], center)
    searcher.run(2)
    assert torch.equal(searcher.status["center"], unbroken.status["center"])
    for name in ("mean_eval", "policy_loss", "value_loss", "total_interaction_count"):
        assert searcher.status[name] == unbroken.status[name]


# --- collecting ---


@EVERY
def test_sequences_hold_every_step_once_and_end_with_their_episode(agent):
    experience, actor, _ = collect(make_problem(agent))
    sequences, num_envs = actor.sequences(), experience.ended.shape[1]
    assert sorted(sequences.steps[sequences.mask].tolist()) == list(range(experience.ended.numel()))
    assert (sequences.lengths.min() >= 1) & (sequences.lengths.max() == WINDOW)
    ended = experience.ended.flatten()
    assert ended.any()
    for steps, length in zip(sequences.steps.T, sequences.lengths, strict=True):
        assert (steps[:length].diff() == num_envs).all()
        assert not ended[steps[: length - 1]].any()


@EVERY
def test_an_unrolled_sequence_gives_the_outputs_that_acted(agent):
    problem = make_problem(agent)
    experience, actor, center = collect(problem)
    sequences = actor.sequences()
    observations, means = experience.observations.flatten(0, 1), actor.means.flatten(0, 1)
    outputs = problem.agent.unroll(center, observations[sequences.steps], sequences.memory, sequences.lengths)
    torch.testing.assert_close(outputs[sequences.mask], means[sequences.steps[sequences.mask]], atol=1e-5, rtol=1e-5)


def test_what_comes_next_is_the_next_observation_or_the_final_one():
    experience, *_ = collect(make_problem())
    going_on = ~experience.ended[:-1]
    assert torch.equal(experience.next_observations[:-1][going_on], experience.observations[1:][going_on])
    final, first = experience.next_observations[:-1][~going_on], experience.observations[1:][~going_on]
    assert (final != first).any(dim=-1).all()


def test_a_time_limit_truncates_without_terminating():
    experience, *_ = collect(make_problem(env=partial(make_vec, "Hopper-v5", max_episode_steps=5)))
    assert experience.ended[4].all()
    assert not experience.terminated.any()
    assert (experience.lengths == 5).all()


def test_returns_are_those_of_plain_gymnasium_in_its_own_reward():
    problem = make_problem(env=partial(make_vec, "Hopper-v5", max_episode_steps=5))
    experience, actor, _ = collect(problem, num_steps=5, num_envs=1, calls=1)
    env = gymnasium.make("Hopper-v5")
    env.reset(seed=problem.episode_seeds(0, np.array([0]), np.array([0]), 2)[0])
    rewards = [env.step(action)[1] for action in actor.actions[:, 0].clamp(-1, 1).numpy()]
    assert experience.returns.tolist() == [sum(rewards)]
    assert experience.rewards[:, 0].tolist() == [reward - 1.0 for reward in rewards]


@pytest.mark.parametrize("what", ["observation", "reward"])
def test_diverged_physics_end_an_episode_and_nothing_else(what):
    make = lambda **kwargs: Diverging(make_vec("Hopper-v5", **kwargs), what)  # noqa: E731
    problem = make_problem(env=make)
    experience, *_ = collect(problem, calls=1)
    assert experience.terminated[2::3, 0].all()
    assert np.isnan(experience.returns).sum() == len(experience.ended) // 3
    for part in (experience.observations, experience.next_observations, experience.rewards):
        assert torch.isfinite(part).all()
    searcher = make_searcher(make_problem(env=make))
    searcher.run(2)
    assert torch.isfinite(searcher.status["center"]).all()
    assert searcher.status["failed_episode_count"] > 0
    assert np.isfinite(searcher.status["mean_eval"])


# --- learning ---


@EVERY
def test_the_first_gradient_step_has_ratio_1(agent):
    searcher = make_searcher(make_problem(agent), num_epochs=1, num_minibatches=1)
    searcher.run(2)
    assert searcher.status["approx_kl"] == pytest.approx(0.0, abs=1e-7)
    assert searcher.status["policy_loss"] == pytest.approx(0.0, abs=1e-4)  # normalised advantages add up to 0
    assert searcher.status["clip_fraction"] == 0.0
    assert searcher.status["gradient_norm"] > 0.0


@EVERY
def test_no_gradient_flows_out_of_a_sequence(agent):
    problem = make_problem(agent)
    experience, actor, center = collect(problem)
    sequences = actor.sequences()
    kept = sequences.lengths.clone()
    sequences.lengths[len(kept) // 2 :] = 1
    memory = tuple(part.float().requires_grad_() for part in sequences.memory)
    solution = center.requires_grad_()
    x = experience.observations.flatten(0, 1)[sequences.steps]
    outputs = problem.agent.unroll(solution, x, memory, sequences.lengths)
    outputs[1:, len(kept) // 2 :].sum().backward(retain_graph=True)
    assert not solution.grad.any()
    outputs.sum().backward()
    assert solution.grad.any()
    assert all(part.grad is None for part in memory)


@EVERY
def test_learning_does_not_depend_on_slots_or_threads_of_the_problem(agent):
    centers = []
    for settings in ({"num_envs": 2, "num_threads": 1}, {"num_envs": 5, "num_threads": 2}):
        searcher = make_searcher(make_problem(agent, **settings))
        searcher.run(3)
        centers.append(searcher.status["center"])
    assert torch.equal(*centers)
    other = make_searcher(make_problem(agent, seed=4))
    other.run(3)
    assert not torch.equal(other.status["center"], centers[0])


@pytest.mark.parametrize("agent", [LSTM, GRU, partial(RSNN, connections="real")])
def test_learning_does_not_depend_on_threads_of_torch(agent):
    centers = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        searcher = make_searcher(make_problem(partial(agent, num_neurons=64)), critic_sizes=(64, 64), batch_size=640)
        searcher.run(2)
        centers.append(searcher.status["center"])
    torch.set_num_threads(1)
    assert torch.equal(*centers)


def test_a_module_that_runs_in_a_loop_learns_from_sequences_shorter_than_the_window():
    class Cell(torch.nn.Module):
        def __init__(self, obs_length, act_length):
            super().__init__()
            self.cell = torch.nn.LSTMCell(obs_length, act_length)

        def forward(self, x, h):
            h = self.cell(x, h)
            return h[0], h

    with pytest.warns(UserWarning, match="runs in a loop"):
        problem = make_problem(partial(ModuleAgent, module=Cell))
    searcher = make_searcher(problem, batch_size=12, bptt_length=10**9, num_minibatches=10**9)
    searcher.step()
    assert torch.isfinite(searcher.status["center"]).all()


def test_evaluating_the_centre_changes_nothing():
    searchers = make_searcher(), make_searcher()
    for _ in range(3):
        for searcher in searchers:
            searcher.step()
        searchers[0].problem.evaluate_center(searchers[0].status["center"], num_episodes=2)
    assert torch.equal(searchers[0].status["center"], searchers[1].status["center"])


def test_the_status_can_be_logged_and_counts_steps():
    searcher = make_searcher()
    logger = PandasLogger(searcher)
    searcher.run(3)
    table = logger.to_dataframe()
    assert table.total_interaction_count.tolist() == [160, 320, 480]
    assert searcher.problem.normalizer.count == 480
    assert table.mean_eval.notna().all()
    assert np.isfinite(table[["policy_loss", "value_loss", "explained_variance", "stdev"]]).all(axis=None)


def test_memory_does_not_grow_with_iterations():
    searcher = make_searcher(make_problem(AGENTS["rsnn"]))

    def count():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects()), len(SpikingNeuron.instances)

    searcher.run(2)
    before = count()
    searcher.run(3)
    assert count() == before


def test_a_loss_of_nan_stops_and_leaves_the_last_good_centre():
    searcher = make_searcher()
    searcher.step()
    good = searcher.status["center"].clone()
    torch.nn.init.constant_(searcher._critic[-1].bias, float("nan"))
    with pytest.raises(FloatingPointError, match="iteration 2: the loss is nan"):
        searcher.step()
    assert torch.equal(searcher.status["center"], good)


def test_step_sizes_fall_linearly_with_the_environment_steps():
    searcher, shares = make_searcher(center_learning_rate=0.125, learning_rate=0.25, anneal_steps=640), []
    for _ in range(6):
        before = searcher.status["center"].clone() if searcher.step_count else None
        searcher.step()
        weights, others = (group["lr"] for group in searcher._optimizer.param_groups)
        assert others == 2.0 * weights
        shares.append(weights / 0.125)
    assert shares == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert torch.equal(searcher.status["center"], before)


def test_it_learns_to_balance():
    problem = make_problem(env=partial(make_vec, "InvertedPendulum-v5"), decrease_rewards_by=None)
    searcher = make_searcher(problem, batch_size=1024, num_envs=8, num_epochs=8, center_learning_rate=3e-3)
    before = problem.evaluate_center(searcher._get_center(), num_episodes=20, seed=0).mean()
    searcher.run(15)
    after = problem.evaluate_center(searcher.status["center"], num_episodes=20, seed=0).mean()
    assert after > 5 * before


# --- bad input ---


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 100, "num_envs": 3}, r"batch_size: expected a multiple of num_envs = 3, got 100"),
        ({"num_epochs": 0}, "num_epochs: expected a positive whole number, got 0"),
        ({"bptt_length": 1.5}, r"bptt_length: expected a positive whole number, got 1\.5"),
        ({"critic_sizes": (8, -1)}, r"critic_sizes\[1\]: expected a positive whole number, got -1"),
        ({"critic_sizes": 64}, "critic_sizes: expected a list of whole numbers, got 64"),
        ({"learning_rate": 2}, r"learning_rate: expected a number in \(0, 1\], got 2"),
        ({"discount": 1.1}, r"discount: expected a number in \[0, 1\], got 1\.1"),
        ({"clip": "wide"}, r"clip: expected a number in \(0, 3.*\], got 'wide'"),
        ({"center_init": "abc"}, "center_init: expected a number or one for each element, got 'abc'"),
        ({"center_init": torch.zeros(3)}, "center_init: expected a number or shape"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        make_searcher(**settings)


def test_bits_have_no_gradient():
    with pytest.raises(ValueError, match=r'needs a problem of dtype torch.float32.*connections="real"'):
        make_searcher(make_problem(partial(RSNN, num_neurons=8)))


def test_an_agent_that_cannot_be_unrolled_is_refused():
    class StepOnly:
        def __init__(self, *sizes):
            self._agent = RNN(*sizes)

        def __getattr__(self, name):
            if name in ("unroll", "_agent"):
                raise AttributeError(name)
            return getattr(self._agent, name)

    with pytest.raises(ValueError, match="PPO needs an agent with a method unroll; this one has none"):
        make_searcher(make_problem(StepOnly))


def test_other_problems_are_refused():
    with pytest.raises(ValueError, match="PPO needs a RolloutProblem, got Problem"):
        PPO(Problem("max", lambda x: x.sum(), solution_length=3, initial_bounds=(-1, 1)))
