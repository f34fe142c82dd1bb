"""Laws of Evolving Connectivity with a critic."""

import gc
from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from evotorch import Problem
from evotorch.logging import PandasLogger
from gymnasium.spaces import Box

from agents import RNN, RSNN
from ec_evotorch import ActorCriticEC, EvolvingConnectivity, RolloutProblem
from ec_evotorch.randomness import make_generator
from ec_evotorch.searchers.actor_critic_ec import actor_critic_ec
from ec_evotorch.searchers.actor_critic_ec import credit as credit_module
from envs import make_vec
from tests.ec_evotorch.searchers.actor_critic.diverging import Diverging

SPIKING = partial(RSNN, num_neurons=12)
AGENTS = {
    "rsnn": SPIKING,
    "few connections": partial(SPIKING, connection_mask={"density": 0.3, "seed": 0}),
    "rnn": partial(RNN, num_neurons=12, connections="boolean"),
}
EVERY = pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)


def make_problem(agent=SPIKING, env=None, **kwargs):
    env = partial(make_vec, "Hopper-v5") if env is None else env
    return RolloutProblem(env, agent, **{"num_envs": 2, "seed": 3, **kwargs})


def make_searcher(problem=None, **kwargs):
    problem = make_problem() if problem is None else problem
    small = {"batch_size": 160, "num_envs": 4, "hold_steps": 4, "critic_sizes": (8,), "minibatch_size": 40}
    return ActorCriticEC(problem, **{**small, **kwargs})


# --- an iteration ---


@EVERY
@pytest.mark.parametrize("credit", ["outputs", "currents", "networks"])
def test_rho_moves_along_the_gradient_of_the_networks_that_acted(agent, credit, monkeypatch):
    how = {"optimizer": None, "center_learning_rate": 0.5, "entropy_penalty": 0.0, "prob_init": 0.5}
    searcher = make_searcher(make_problem(agent), credit=credit, **how)
    rho, seen = searcher.distribution.rho, {}
    names = {"outputs": "output_gradient", "currents": "current_gradient", "networks": "network_gradient"}
    kept = {name: getattr(credit_module, name) for name in names.values()}

    def spy(name):
        def gradient(*arguments, **options):
            seen[name] = arguments, kept[name](*arguments, **options)
            return seen[name][1]

        return gradient

    for name in kept:
        monkeypatch.setattr(credit_module, name, spy(name))
    searcher.step()
    uses_currents = credit != "networks" and agent is not AGENTS["rnn"]
    ((name, (arguments, gradient)),) = seen.items()
    assert name == (names[credit] if uses_currents else "network_gradient")
    torch.testing.assert_close(searcher.status["prob"], (rho + 0.5 * gradient).clamp(0.05, 0.95))
    networks, utilities = arguments[int(uses_currents)], arguments[2 + int(uses_currents)]
    expected = torch.empty(40, len(rho), dtype=torch.bool)
    searcher.distribution.with_vector(rho).fill_rows(expected, searcher.state_dict()["key"], 1, 0, 40)
    assert torch.equal(networks, expected)
    assert utilities.mean() == pytest.approx(0.0, abs=1e-7)
    assert len(utilities.unique()) > 30


def test_what_a_network_was_worth_is_the_advantage_of_its_own_steps(monkeypatch):
    """Each network's row, utility and steps belong together: steps are given back by what its input transmitted."""
    searcher, seen = make_searcher(), {}
    collect, utilities_of = searcher._collector.collect, actor_critic_ec.compute_utilities
    gradient_of = credit_module.current_gradient

    def collected(num_steps, actor):
        seen["experience"] = collect(num_steps, actor)
        return seen["experience"]

    def utilities(stretches, **options):
        seen["stretches"] = stretches
        return utilities_of(stretches, **options)

    def gradient(agent, networks, rho, utilities, transmitted, **options):
        seen["input"] = transmitted["input"] / agent.constants.r_in
        return gradient_of(agent, networks, rho, utilities, transmitted, **options)

    def advantages(advantages, ended, **options):
        return advantages[::4]  # stands for the stretch: that of its first step

    def of_steps(rewards, *others, **options):
        return torch.arange(rewards.numel()).reshape(rewards.shape).float()

    monkeypatch.setattr(searcher._collector, "collect", collected)
    for name, function in (
        ("compute_utilities", utilities),
        ("estimate_stretch_advantages", advantages),
        ("estimate_advantages", of_steps),
    ):
        monkeypatch.setattr(actor_critic_ec, name, function)
    monkeypatch.setattr(credit_module, "current_gradient", gradient)
    searcher.step()
    observations = seen["experience"].observations
    for step, inputs in zip(seen["stretches"].long(), seen["input"], strict=True):
        t, env = divmod(int(step), 4)
        torch.testing.assert_close(inputs, observations[t : t + 4, env])


def test_networks_and_shuffling_are_functions_of_the_key_and_the_iteration(monkeypatch):
    searcher, networks, seeds = make_searcher(), [], []
    learn, actor = searcher._values.learn, actor_critic_ec.NetworkActor

    def act(agent, drawn, *arguments, **options):
        networks.append(drawn.clone())
        return actor(agent, drawn, *arguments, **options)

    def learned(observations, targets, generator):
        seeds.append(generator.initial_seed())
        return learn(observations, targets, generator)

    monkeypatch.setattr(actor_critic_ec, "NetworkActor", act)
    monkeypatch.setattr(searcher._values, "learn", learned)
    key, expected = searcher.state_dict()["key"], []
    for iteration in (1, 2, 3):
        expected.append(torch.empty(40, searcher.problem.solution_length, dtype=torch.bool))
        searcher.distribution.fill_rows(expected[-1], key, iteration, 0, 40)
        searcher.step()
    assert all(map(torch.equal, networks, expected))
    assert seeds == [make_generator(key, iteration).initial_seed() for iteration in (1, 2, 3)]


def test_steps_of_the_fisher_metric_are_equal_angles_wherever_rho_is():
    """With Adam, whose first step is the step size times the sign: at ρ = ½ it is that, at 0.1 and 0.9 0.6 times it."""
    for rho, size in ((0.5, 0.01), (0.1, 0.006), (0.9, 0.006)):
        how = {"prob_init": rho, "entropy_penalty": 0.0, "center_learning_rate": 0.01, "credit": "networks"}
        fisher, euclidean = (make_searcher(metric=metric, **how) for metric in ("fisher", "euclidean"))
        fisher.step()
        euclidean.step()
        moved, as_much = (searcher.status["prob"] - rho for searcher in (fisher, euclidean))
        assert moved.any()
        torch.testing.assert_close(moved, as_much * size / 0.01, atol=1e-6, rtol=1e-4)
        angle = np.arcsin(2 * (rho + size) - 1) - np.arcsin(2 * rho - 1)
        assert angle == pytest.approx(0.02, rel=0.05)


def test_a_step_down_the_entropy_follows(monkeypatch):
    """By plain numbers: ρ (1 − ρ) ln(ρ / (1 − ρ)), with a gradient of nothing and ρ = 0.2, ½ and 0.9."""
    monkeypatch.setattr(credit_module, "current_gradient", lambda agent, networks, *_, **__: 0.0 * networks[0])
    searcher = make_searcher(optimizer=None, center_learning_rate=0.5, entropy_penalty=0.4, prob_init=0.2)
    searcher.step()
    expected = 0.2 + 0.5 * 0.4 * 0.2 * 0.8 * np.log(0.2 / 0.8)
    torch.testing.assert_close(searcher.status["prob"], torch.full_like(searcher.status["prob"], expected))


def test_only_the_critic_learns_at_first():
    searcher, waiting = make_searcher(prob_init=0.25), make_searcher(prob_init=0.25, warmup_steps=320)
    losses = []
    for _ in range(2):
        before = waiting.state_dict()["values"]["critic"]
        waiting.step()
        after = waiting.state_dict()["values"]["critic"]
        assert any(not torch.equal(before[name], after[name]) for name in before)
        losses.append(waiting.status["value_loss"])
    assert (waiting.status["prob"] == 0.25).all()
    waiting.step()
    assert (waiting.status["prob"] != 0.25).any()
    searcher.step()
    assert (searcher.status["prob"] != 0.25).any()
    assert searcher.status["value_loss"] == losses[0]  # ρ moves after an iteration, so that the first one is the same


def test_stretches_without_differences_move_nothing(monkeypatch):
    searcher = make_searcher()
    monkeypatch.setattr(actor_critic_ec, "estimate_stretch_advantages", lambda steps, *_, **__: 0.0 * steps[::4])
    before = searcher.distribution.rho
    searcher.run(2)
    assert torch.equal(searcher.status["prob"], before)


def test_an_interrupted_iteration_is_made_anew(monkeypatch):
    searcher, unbroken = make_searcher(), make_searcher()
    searcher.step()
    unbroken.run(3)
    optimizer_step, calls = searcher._values._optimizer.step, []

    def interrupted():
        optimizer_step()
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(searcher._values._optimizer, "step", interrupted)
    prob = searcher.status["prob"].clone()
    with pytest.raises(KeyboardInterrupt):
        searcher.step()
    assert torch.equal(searcher._get_prob(), prob)
    assert torch.equal(searcher.state_dict()["prob"], prob)
    searcher.run(2)
    assert torch.equal(searcher.status["prob"], unbroken.status["prob"])
    for name in ("mean_eval", "value_loss", "explained_variance", "total_interaction_count"):
        assert searcher.status[name] == unbroken.status[name]


def test_a_loss_of_nan_stops_and_leaves_the_last_good_centre():
    searcher = make_searcher()
    searcher.step()
    good = searcher.status["prob"].clone()
    torch.nn.init.constant_(searcher._values._critic[-1].bias, float("nan"))
    with pytest.raises(FloatingPointError, match="iteration 2: the critic's loss is nan"):
        searcher.step()
    assert torch.equal(searcher.status["prob"], good)


@pytest.mark.parametrize("what", ["observation", "reward"])
def test_diverged_physics_end_an_episode_and_nothing_else(what):
    searcher = make_searcher(make_problem(env=lambda **kwargs: Diverging(make_vec("Hopper-v5", **kwargs), what)))
    searcher.run(2)
    assert torch.isfinite(searcher.status["prob"]).all()
    assert 0 < searcher.status["failed_episode_count"] < searcher.status["total_episode_count"]
    assert np.isfinite(searcher.status["mean_eval"])


@pytest.mark.parametrize("scale", [1e25, 3e38])
def test_a_sensor_that_float32_just_holds_leaves_no_nan(scale):
    class Loud(Diverging):
        def step(self, actions):
            observations, *rest = self.env.step(actions)
            observations[:, 5] *= scale / max(1.0, np.abs(observations[:, 5]).max())
            return observations, *rest

    make = lambda **kwargs: Loud(make_vec("Hopper-v5", **kwargs), None)  # noqa: E731
    searcher = make_searcher(make_problem(env=make, observation_normalization=False))
    searcher.run(2)
    assert torch.isfinite(searcher.status["prob"]).all()


class SaysNan:
    """An agent in whose second slot every fifth action is NaN."""

    def __init__(self, *sizes):
        self._agent, self._steps = SPIKING(*sizes), 0

    def __getattr__(self, name):
        if name in ("native", "current_sources", "_agent"):
            raise AttributeError(name)
        return getattr(self._agent, name)

    def step(self, solutions, members, obs, state):
        actions = self._agent.step(solutions, members, obs, state).clone()
        self._steps += 1
        if self._steps % 5 == 0:
            actions[1, 0] = float("nan")
        return actions


def test_an_action_that_is_no_number_fails_its_episode_and_nothing_else():
    searcher = make_searcher(make_problem(SaysNan))
    searcher.step()
    assert searcher.status["failed_episode_count"] == 8  # of 40 steps
    assert torch.isfinite(searcher.status["prob"]).all()
    assert np.isfinite(searcher.status["mean_eval"])


# --- what results depend on ---


@EVERY
def test_learning_does_not_depend_on_slots_or_threads(agent):
    probs, before = [], torch.get_num_threads()
    for settings, threads in (({"num_envs": 2, "num_threads": 1}, 1), ({"num_envs": 5, "num_threads": 2}, 2)):
        torch.set_num_threads(threads)
        searcher = make_searcher(make_problem(partial(agent, num_neurons=64), **settings), critic_sizes=(64, 64))
        searcher.run(3)
        probs.append(searcher.status["prob"])
    torch.set_num_threads(before)
    assert torch.equal(*probs)
    other = make_searcher(make_problem(partial(agent, num_neurons=64), seed=4))
    other.run(3)
    assert not torch.equal(other.status["prob"], probs[0])


def test_an_agent_in_python_learns_what_one_in_c_does():
    # The two agree up to rounding in what they read out; actions and so rewards differ in the last bits.
    probs = []
    for backend in ("numba", "torch"):
        searcher = make_searcher(make_problem(partial(SPIKING, backend=backend)), optimizer=None)
        searcher.step()
        probs.append(searcher.status["prob"])
    torch.testing.assert_close(*probs, atol=1e-3, rtol=0.0)


def test_an_agent_that_does_not_say_what_it_transmits_learns_by_networks():
    probs = []
    for credit in ("networks", "currents", "outputs", "mixed"):
        searcher = make_searcher(make_problem(AGENTS["rnn"]), credit=credit)
        searcher.run(2)
        probs.append(searcher.status["prob"])
    assert all(torch.equal(prob, probs[0]) for prob in probs)


def test_evaluating_the_centre_changes_nothing():
    searchers = make_searcher(), make_searcher()
    for _ in range(3):
        for searcher in searchers:
            searcher.step()
        searchers[0].problem.evaluate_center(searchers[0].status["center"], num_episodes=2)
    assert torch.equal(searchers[0].status["prob"], searchers[1].status["prob"])


# --- what it says ---


def test_the_status_can_be_logged_and_counts_steps():
    searcher = make_searcher()
    logger = PandasLogger(searcher)
    searcher.run(3)
    table = logger.to_dataframe()
    assert table.total_interaction_count.tolist() == [160, 320, 480]
    assert searcher.problem.normalizer.count == 480
    assert table.mean_eval.notna().all()
    assert np.isfinite(table[["value_loss", "explained_variance", "density", "entropy"]]).all(axis=None)
    assert torch.equal(searcher.status["center"], searcher.status["prob"] > 0.5)


def test_its_state_holds_the_probabilities():
    searcher = make_searcher()
    searcher.step()
    assert torch.equal(EvolvingConnectivity.prob_in(searcher.state_dict()), searcher.status["prob"])


def test_memory_does_not_grow_with_iterations():
    searcher = make_searcher(make_problem(env=partial(make_vec, "Hopper-v5", max_episode_steps=10)))

    def count():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    searcher.run(2)
    before = count()
    searcher.run(3)
    assert count() == before


# --- learning ---


class Agree(gymnasium.Env):
    """Pays the action times the first of three signs, which are drawn anew in each of ten steps."""

    observation_space, action_space = Box(-1.0, 1.0, (3,), np.float64), Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._steps = 0
        return self._observe(), {}

    def step(self, action):
        self._steps += 1
        reward = float(action[0] * self._signs[0])
        return self._observe(), reward, self._steps == 10, False, {}

    def _observe(self):
        self._signs = self.np_random.choice([-1.0, 1.0], 3)
        return self._signs


@pytest.fixture
def agree():
    """Name of `Agree` while a test runs."""
    gymnasium.register("Agree-v0", entry_point=Agree)
    yield "Agree-v0"
    del gymnasium.registry["Agree-v0"]


@pytest.mark.parametrize(
    ("agent", "credit"),
    [(SPIKING, "currents"), (SPIKING, "mixed"), (SPIKING, "networks"), (AGENTS["rnn"], "networks")],
    ids=["rsnn, currents", "rsnn, mixed", "rsnn, networks", "rnn"],
)
def test_it_learns_which_action_suits_which_observation(agent, credit, agree):
    problem = make_problem(agent, env=partial(make_vec, agree), max_episode_steps=10)
    how = {"num_envs": 8, "hold_steps": 1, "center_learning_rate": 0.1, "prob_init": 0.5, "credit": credit}
    searcher, returns = make_searcher(problem, **how), []
    for _ in range(25):
        searcher.step()
        returns.append(searcher.status["mean_return"])
    assert abs(returns[0]) < 1
    assert np.mean(returns[-5:]) > 1.5
    assert problem.evaluate_center(searcher.status["center"], 20, seed=0).mean() > 1.5


# --- bad input ---


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 100}, r"batch_size: expected a multiple of num_envs times hold_steps, 4 · 4, got 100"),
        (
            {"batch_size": 4, "num_envs": 1},
            "batch_size: expected steps of two networks or more to compare, got those of one",
        ),
        ({"num_epochs": 0}, "num_epochs: expected a positive whole number, got 0"),
        ({"hold_steps": 1.5}, r"hold_steps: expected a positive whole number, got 1\.5"),
        ({"critic_sizes": (8, -1)}, r"critic_sizes\[1\]: expected a positive whole number, got -1"),
        ({"credit": "spikes"}, "credit: expected one of 'currents', 'outputs', 'mixed', 'networks'; got 'spikes'"),
        ({"metric": "cosine"}, "metric: expected one of 'euclidean', 'fisher'; got 'cosine'"),
        ({"ridge": 0}, "ridge: expected a positive number, got 0"),
        ({"prob_init": 0.01}, r"prob_init: expected values in \[0\.05, 0\.95\], as prob_min=0\.05 says, got"),
        ({"optimizer": "fast"}, "optimizer: expected \"adam\", .*got 'fast'"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        make_searcher(**settings)


@pytest.mark.parametrize("agent", [partial(RSNN, connections="real"), partial(RSNN, connections="sign"), RNN])
def test_real_weights_are_refused(agent):
    message = r'problem: ActorCriticEC needs a problem of dtype torch.bool, got torch.float32.*connections="boolean"'
    with pytest.raises(ValueError, match=message):
        make_searcher(make_problem(partial(agent, num_neurons=8)))


def test_other_problems_are_refused():
    problem = Problem("max", lambda x: x.sum(), solution_length=3, dtype=torch.bool)
    with pytest.raises(ValueError, match="problem: ActorCriticEC needs a RolloutProblem, got Problem"):
        ActorCriticEC(problem)


def test_an_agent_that_does_not_say_what_it_remembers_is_refused():
    class Forgetful(SaysNan):
        def __getattr__(self, name):
            if name == "memory":
                raise AttributeError(name)
            return super().__getattr__(name)

    with pytest.raises(ValueError, match="ActorCriticEC needs an agent with a method memory; this one has none"):
        make_searcher(make_problem(Forgetful))


def test_an_optimizer_whose_state_cannot_be_saved_is_refused():
    class Ascent:
        def ascent(self, gradient):
            return 0.1 * gradient

    with pytest.raises(ValueError, match="optimizer: the state of a Ascent cannot be saved"):
        make_searcher(optimizer=Ascent())
