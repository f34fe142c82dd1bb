"""Laws of the rollout problem, on real environments and agents."""

import re
from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.error import ClosedEnvironmentError

from agents import RSNN
from ec_evotorch import ActorCriticEC, EvolvingConnectivity, RolloutProblem, StagedEC
from ec_evotorch.rollout.episode_seeds import COLLECTION, EVALUATION, FRESH_EVALUATION, TRAINING, TRIAL
from envs import make_vec

LENGTH = RSNN(11, 3, num_neurons=24).solution_length  # of Hopper-v5
SEEDS_OF_PURPOSES = [
    2155051375293123959,
    877587751659667374,
    7178421844588924579,
    4094022528053799738,
    8990790845373540482,
]


class BatchedOnly:
    """An agent without a C function, which therefore is stepped from Python."""

    def __init__(self, *args, **kwargs):
        self._agent = RSNN(*args, **kwargs)

    def __getattr__(self, name):
        if name in ("native", "_agent"):
            raise AttributeError(name)
        return getattr(self._agent, name)


def make_problem(env_id="Hopper-v5", agent=RSNN, neurons=24, **kwargs):
    kwargs = {"num_envs": 4, "seed": 3} | kwargs
    return RolloutProblem(partial(make_vec, env_id), partial(agent, num_neurons=neurons), **kwargs)


def run(problem, generations=3, popsize=10, chunk_size=None):
    searcher = EvolvingConnectivity(problem, popsize=popsize, center_learning_rate=0.1, chunk_size=chunk_size)
    rows = []
    for _ in range(generations):
        searcher.step()
        status = searcher.status
        rows.append((status["mean_eval"], status["mean_return"], status["total_interaction_count"]))
    return rows, searcher


def test_results_do_not_depend_on_slots_threads_or_the_path_through_python():
    rows, searcher = run(make_problem(num_envs=10, num_threads=1))
    for settings in ({"num_envs": 3, "num_threads": 2}, {"num_envs": 16}, {"agent": BatchedOnly, "num_envs": 3}):
        other_rows, other = run(make_problem(**settings))
        assert other_rows == rows
        assert torch.equal(other.status["prob"], searcher.status["prob"])
        np.testing.assert_array_equal(other.problem.normalizer.mean, searcher.problem.normalizer.mean)
    assert run(make_problem(seed=4))[0] != rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"solution": torch.full((LENGTH,), 0.4)}, r"solution: expected torch\.bool, got torch\.float32"),
        ({"solution": torch.zeros(2, LENGTH // 2, dtype=torch.bool)}, r"solution: expected shape \(\d+,\), got \(2,"),
        ({"num_episodes": 0}, "num_episodes: expected a positive whole number, got 0"),
        ({"num_episodes": 1.5}, "num_episodes: expected a positive whole number, got 1.5"),
        ({"num_episodes": True}, "num_episodes: expected a positive whole number, got True"),
        ({"seed": -1}, r"seed: expected a whole number in \[0, 4294967295\], got -1"),
        ({"seed": 0.5}, r"seed: expected a whole number in \[0, 4294967295\], got 0.5"),
    ],
)
def test_a_wrong_solution_or_number_of_episodes_is_refused_and_plays_nothing(arguments, message):
    problem, other = make_problem(), make_problem()
    center = torch.zeros(LENGTH, dtype=torch.bool)
    with pytest.raises(ValueError, match=message):
        problem.evaluate_center(**{"solution": center} | arguments)
    np.testing.assert_array_equal(problem.evaluate_center(center, 2), other.evaluate_center(center, 2))


def played_seeds(problem, monkeypatch):
    """The seeds of each batch of episodes that a problem plays from now on."""
    played, play = [], problem._slots.play
    monkeypatch.setattr(
        problem._slots, "play", lambda *arguments: played.append(list(arguments[2])) or play(*arguments)
    )
    return played


def test_episodes_without_a_seed_are_those_of_no_seed_of_no_training_and_of_no_earlier_call(monkeypatch):
    problem = make_problem()
    seeds, center = played_seeds(problem, monkeypatch), torch.zeros(LENGTH, dtype=torch.bool)
    run(problem, generations=2)
    for number in range(4):
        problem.evaluate_center(center, 5, seed=number)  # as training evaluates its centres
    for _ in range(4):
        problem.evaluate_center(center, 5)
    for number in range(4):
        problem.play_trial(center, 5, seed=number)
    every = [seed for batch in seeds for seed in batch]
    assert len(set(every)) == len(every) == 2 * 10 + 12 * 5


def test_purposes_keep_seeds_apart_and_seeded_episodes_stay_what_they_were():
    problem, zeros = make_problem(), np.zeros(1, dtype=np.int64)
    seeds = [
        problem.episode_seeds(0, zeros, zeros, purpose)[0]
        for purpose in (TRAINING, EVALUATION, COLLECTION, FRESH_EVALUATION, TRIAL)
    ]
    assert seeds == SEEDS_OF_PURPOSES


def test_trials_count_as_training_and_change_nothing_else():
    problem = make_problem()
    _, searcher = run(problem, generations=1)
    status, mean = dict(problem.episode_statistics.status), problem.normalizer.mean.copy()
    returns = problem.play_trial(searcher.status["center"], 3, seed=5)
    np.testing.assert_array_equal(problem.play_trial(searcher.status["center"], 3, seed=5), returns)
    after = problem.episode_statistics.status
    assert after["total_episode_count"] == status["total_episode_count"] + 6
    played = after["total_interaction_count"] - status["total_interaction_count"]
    assert played >= 6
    assert played % 2 == 0
    counted = {"total_episode_count", "total_interaction_count"}
    assert {k: v for k, v in after.items() if k not in counted} == {k: v for k, v in status.items() if k not in counted}
    np.testing.assert_array_equal(problem.normalizer.mean, mean)


def test_fresh_episodes_go_on_after_a_resume(monkeypatch):
    problem, resumed = make_problem(), make_problem()
    center = torch.zeros(LENGTH, dtype=torch.bool)
    problem.evaluate_center(center, 2)
    resumed.load_state_dict(problem.state_dict())
    seeds, resumed_seeds = played_seeds(problem, monkeypatch), played_seeds(resumed, monkeypatch)
    problem.evaluate_center(center, 2)
    resumed.evaluate_center(center, 2)
    assert seeds == resumed_seeds
    assert seeds[0] != played_from_the_start(monkeypatch, center)


def played_from_the_start(monkeypatch, center):
    problem = make_problem()
    seeds = played_seeds(problem, monkeypatch)
    problem.evaluate_center(center, 2)
    return seeds[0]


def test_a_solution_is_a_tensor_an_array_or_evotorchs():
    problem = make_problem()
    batch = problem.generate_batch(2)
    returns = problem.evaluate_center(batch[1], 2, seed=1)
    np.testing.assert_array_equal(problem.evaluate_center(batch.values[1], 2, seed=1), returns)
    np.testing.assert_array_equal(problem.evaluate_center(np.array(batch.values[1]), 2, seed=1), returns)


@pytest.mark.parametrize("env_id", ["Hopper-v5", "Pusher-v5"])
def test_slots_that_an_interruption_has_left_do_not_run_on(env_id, monkeypatch):
    problem, other = (make_problem(env_id, num_envs=8) for _ in range(2))
    center = torch.zeros(problem.solution_length, dtype=torch.bool)
    name = "rollout" if hasattr(problem.env, "rollout") else "step"
    advance, seen = getattr(problem.env, name), []

    def interrupted(*arguments):
        advance(*arguments, *([3] if name == "rollout" else []))
        raise KeyboardInterrupt

    monkeypatch.setattr(problem.env, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        problem.evaluate_center(center, 8)
    monkeypatch.setattr(problem.env, name, advance)
    begin = problem.env.reset

    def watched(**keywords):
        seen.append(running(problem.env))
        return begin(**keywords)

    monkeypatch.setattr(problem.env, "reset", watched)
    returns = problem.evaluate_center(center, 2, seed=1)
    assert not seen[0].any()
    np.testing.assert_array_equal(returns, other.evaluate_center(center, 2, seed=1))


def running(env):
    return ~env.finished if hasattr(env, "finished") else ~(env._terminations | env._truncations)


def test_an_environment_of_another_kind_may_have_more_slots_than_episodes():
    problem = make_problem("Pendulum-v1", num_envs=16)
    rows, _ = run(problem, generations=2)
    assert run(make_problem("Pendulum-v1", num_envs=3), generations=2)[0] == rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_envs": True}, "num_envs: expected a positive whole number, got True"),
        ({"num_episodes": 1.0}, "num_episodes: expected a positive whole number, got 1.0"),
        ({"seed": -1}, r"seed: expected a whole number in \[0, 4294967295\], got -1"),
        ({"num_threads": -1}, "num_threads: expected a whole number of at least 0, got -1"),
        ({"num_threads": 1.5}, "num_threads: expected a whole number of at least 0, got 1.5"),
        ({"actor_timeout": "x"}, "actor_timeout: expected a positive number of seconds, got 'x'"),
        ({"actor_timeout": True}, "actor_timeout: expected a positive number of seconds, got True"),
        ({"actor_timeout": float("nan")}, "actor_timeout: expected a positive number of seconds, got nan"),
        ({"observation_normalization": 1}, "observation_normalization: expected True or False, got 1"),
        ({"scalar_only": "no"}, "scalar_only: expected True or False, got 'no'"),
    ],
)
def test_wrong_numbers_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_problem(**arguments)


def test_numbers_may_be_numpys():
    settings = {"seed": np.int64(3), "num_envs": np.int32(4), "num_episodes": np.int64(1), "num_threads": np.int16(1)}
    settings |= {"num_actors": np.int64(0), "actor_timeout": np.float32(60), "decrease_rewards_by": np.float32(0)}
    assert run(make_problem(**settings))[0] == run(make_problem())[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "abc", [1.0]])
def test_a_reward_can_only_be_decreased_by_a_number(value):
    expected = re.escape(f"decrease_rewards_by: expected a finite number or None, got {value!r}")
    with pytest.raises(ValueError, match=expected):
        make_problem(decrease_rewards_by=value)


def test_results_do_not_depend_on_chunks():
    rows, searcher = run(make_problem(num_episodes=2))
    for chunk_size in (1, 4, 10):
        other_rows, other = run(make_problem(num_episodes=2), chunk_size=chunk_size)
        assert other_rows == rows
        assert torch.equal(other.status["prob"], searcher.status["prob"])
        assert other.status["pop_best_eval"] == searcher.status["pop_best_eval"]
        assert other.status["total_episode_count"] == searcher.status["total_episode_count"]
        np.testing.assert_array_equal(other.problem.normalizer.stdev, searcher.problem.normalizer.stdev)


def test_what_was_played_of_an_interrupted_generation_does_not_count():
    problem = make_problem()
    searcher = EvolvingConnectivity(problem, popsize=10, center_learning_rate=0.1, chunk_size=4)
    interrupt = iter([False, True])
    problem.before_eval_hook.append(lambda batch: stop() if next(interrupt, False) else None)

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searcher.step()
    searcher.run(3)
    _, undisturbed = run(make_problem())
    assert torch.equal(searcher.status["prob"], undisturbed.status["prob"])


@pytest.mark.parametrize("env_id", ["Hopper-v5", "Humanoid-v5", "Pusher-v5"])
def test_a_policy_in_a_plain_gymnasium_loop_earns_the_return_of_the_problem(env_id):
    problem = make_problem(env_id)
    _, searcher = run(problem, generations=1, popsize=4)
    center = searcher.status["center"]
    returns = problem.evaluate_center(center, num_episodes=3, seed=5)
    episodes = np.arange(3)
    seeds = problem.episode_seeds(5, np.zeros_like(episodes), episodes, EVALUATION)
    env, policy = gymnasium.make(env_id), problem.to_policy(center)
    for seed, expected in zip(seeds, returns, strict=True):
        observation, _ = env.reset(seed=seed)
        policy.reset(seed=seed)
        total, done = 0.0, False
        while not done:
            observation, reward, terminated, truncated, _ = env.step(policy(observation))
            total += reward
            done = terminated or truncated
        assert total == expected


def test_evaluating_the_centre_changes_nothing():
    rows, _ = run(make_problem())
    problem = make_problem()
    searcher = EvolvingConnectivity(problem, popsize=10, center_learning_rate=0.1)
    interrupted = []
    for _ in range(3):
        searcher.step()
        status = searcher.status
        interrupted.append((status["mean_eval"], status["mean_return"], status["total_interaction_count"]))
        problem.evaluate_center(status["center"], num_episodes=2)
    assert interrupted == rows


def test_the_alive_bonus_is_removed_from_fitness_only():
    (plain,), _ = run(make_problem(), generations=1)
    (reduced,), searcher = run(make_problem(decrease_rewards_by=1.0), generations=1)
    assert reduced[1:] == plain[1:]
    assert plain[0] - reduced[0] == pytest.approx(searcher.status["mean_episode_length"])


def test_the_normaliser_counts_every_visited_state_and_is_frozen_within_a_generation():
    problem = make_problem()
    _, searcher = run(problem, generations=1)
    assert problem.normalizer.count == searcher.status["total_interaction_count"]
    mean = problem.normalizer.sum / problem.normalizer.count
    np.testing.assert_array_equal(problem.normalizer.mean, mean)
    assert not np.array_equal(mean, np.zeros_like(mean))


def test_fitness_is_the_mean_over_episodes():
    rows, searcher = run(make_problem(num_episodes=3), generations=1, popsize=4)
    assert searcher.status["total_episode_count"] == 12
    assert np.isfinite(rows[0][0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_envs": 0}, "num_envs: expected"),
        ({"num_episodes": 0}, "num_episodes: expected"),
        ({"seed": -1}, "seed: expected"),
        ({"num_actors": -1}, "num_actors: expected a whole number of at least 0, got -1"),
        ({"num_actors": "max"}, "num_actors: expected a whole number of at least 0, got 'max'"),
        ({"num_actors": True}, "num_actors: expected a whole number of at least 0, got True"),
        ({"actor_timeout": 0.0}, "actor_timeout: expected a positive number of seconds, got 0.0"),
        ({"scalar_only": True}, "scalar_only: expected False where num_actors is 0"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        make_problem(**settings)


@pytest.mark.parametrize("agent", [RSNN, BatchedOnly])
def test_an_agent_without_a_finite_output_fails_alone(agent):
    problem = RolloutProblem(
        partial(make_vec, "InvertedPendulum-v5"), partial(agent, num_neurons=8, connections="real"), num_envs=3, seed=0
    )
    batch = problem.generate_batch(3)
    values = batch.access_values()
    values[1, -8:] = float("nan")  # the readout
    problem.evaluate(batch)
    assert problem.status["failed_episode_count"] == 1
    assert torch.isfinite(batch.evals).all()
    assert batch.evals.argmin() == 1


def test_individuals_with_unstable_physics_fail_and_do_not_count_as_visited(monkeypatch):
    problem = make_problem()
    diverged = np.array([True, False, False])
    monkeypatch.setattr(type(problem.env), "diverged", property(lambda env: diverged[: env.num_envs]))
    problem = make_problem(num_envs=3)
    searcher = EvolvingConnectivity(problem, popsize=3)
    searcher.step()
    evals = searcher.population.evals[:, 0]
    assert torch.isnan(evals).tolist() == [True, False, False]
    assert problem.status["failed_episode_count"] == 1
    assert 0 < problem.normalizer.count < problem.status["total_interaction_count"]
    assert np.isfinite(
        problem.evaluate_center(searcher.status["center"], num_episodes=3)
    ).all()  # as plain Gymnasium pays


class NoEnvironment:
    """What a function might return in the place of an environment or an agent."""


@pytest.mark.parametrize(
    ("env", "got"),
    [
        ("Hopper-v5", "got 'Hopper-v5'"),
        (None, "got a NoneType"),
        (NoEnvironment(), "got a NoEnvironment"),
        (lambda num_envs: None, "got a function that cannot be called so: got an unexpected keyword argument"),
        (
            lambda num_envs, num_threads: NoEnvironment(),
            "it has made a NoEnvironment, which has no num_envs, single_obs",
        ),
        (lambda num_envs, num_threads: gymnasium.make("Hopper-v5"), "it has made a TimeLimit, which has no num_envs"),
    ],
)
def test_what_makes_no_environment_is_named(env, got):
    expected = "env: expected a function of num_envs and num_threads that makes a vector environment, such as"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)} .*{re.escape(got)}"):
        RolloutProblem(env, RSNN)


@pytest.mark.parametrize(
    ("agent", "got"),
    [
        ("RSNN", "got 'RSNN'"),
        (RSNN(4, 1, num_neurons=2), "got a RSNN"),
        (torch.nn.Linear(4, 1), "got a Linear"),
        (lambda obs_length: None, "got a function that cannot be called so: too many positional arguments"),
        (
            lambda obs_length, act_length: NoEnvironment(),
            "it has made a NoEnvironment, which has no obs_length, act_length, sol",
        ),
    ],
)
def test_what_makes_no_agent_is_named(agent, got):
    expected = "agent: expected a function of obs_length and act_length that makes an agent, such as RSNN"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)} .*{re.escape(got)}"):
        RolloutProblem(partial(make_vec, "InvertedPendulum-v5"), agent)


def test_an_environment_that_resets_itself_is_refused():
    def make(num_envs, num_threads):
        return gymnasium.make_vec("InvertedPendulum-v5", num_envs, vectorization_mode="sync")

    with pytest.raises(
        ValueError, match=r"env: expected a vector environment with autoreset_mode .*DISABLED, got .*NEXT"
    ):
        RolloutProblem(make, partial(RSNN, num_neurons=8))


def test_a_closed_problem_has_closed_its_environments_and_plays_nothing():
    with make_problem("Pendulum-v1") as problem:
        envs, batch = [problem.env, problem.make_env(2)], problem.generate_batch(2)
        problem.evaluate(batch)
        assert not any(env.closed for env in envs)
    assert all(env.closed for env in envs)
    problem.close()
    for play in (problem.evaluate, lambda batch: problem.evaluate_center(batch[0])):
        with pytest.raises(ClosedEnvironmentError, match="the problem is closed"):
            play(batch)


class Misshapen:
    """An agent that is stepped from Python and returns something else than its actions."""

    def __init__(self, obs_length, act_length, change):
        self._agent, self._change = RSNN(obs_length, act_length, num_neurons=4), change

    def __getattr__(self, name):
        if name in ("_agent", "_change", "native"):
            raise AttributeError(name)
        return getattr(self._agent, name)

    def step(self, *arguments):
        return self._change(self._agent.step(*arguments))


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda action: action.repeat(1, 2), r"\(2, 2\)"),
        (lambda action: action[:, :0], r"\(2, 0\)"),
        (lambda action: action[:, 0], r"\(2,\)"),
        (lambda action: action.numpy(), "a ndarray"),
        (lambda action: None, "a NoneType"),
    ],
)
def test_an_action_of_another_shape_is_refused_before_memory_is_touched(change, got):
    agent = partial(Misshapen, change=change)
    problem = RolloutProblem(partial(make_vec, "InvertedPendulum-v5"), agent, num_envs=2)
    with pytest.raises(ValueError, match=rf"agent: expected step to return a tensor of shape \(2, 1\), got {got}"):
        problem.evaluate(problem.generate_batch(2))


@pytest.mark.parametrize("searcher", [EvolvingConnectivity, ActorCriticEC, StagedEC])
def test_searchers_on_one_problem_report_what_was_played_up_to_now(searcher):
    problem = RolloutProblem(partial(make_vec, "Hopper-v5"), partial(RSNN, num_neurons=8), num_envs=4, seed=1)
    problem.evaluate(problem.generate_batch(4))
    size = {"popsize": 4} if searcher is EvolvingConnectivity else {"batch_size": 160, "num_envs": 4, "hold_steps": 4}
    searcher = searcher(problem, **size)
    for _ in range(3):
        searcher.step()
        statistics = problem.episode_statistics.status
        assert {name: searcher.status[name] for name in statistics} == pytest.approx(statistics, nan_ok=True)
