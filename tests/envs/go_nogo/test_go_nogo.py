"""Signals of GO and NOGO: when they come, what they pay, and where they run natively."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from envs import GoNoGo, make_plain, make_vec
from envs.fallback import FallbackVectorEnv
from envs.go_nogo.schedule import NUM_INTERVALS, draw_schedule, is_go
from envs.mujoco_vector_env import MujocoVectorEnv


class Cart(gymnasium.Env):
    """Moves by its action, and pays a bonus of 2 besides the movement."""

    observation_space = Box(-np.inf, np.inf, (1,), np.float32)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        movement = float(action[0])
        return np.zeros(1, np.float32), movement + 2.0, False, False, {"reward_forward": movement}


class Silent(Cart):
    """Tells nothing of its movement."""

    def step(self, action):
        return (*super().step(action)[:4], {})


def test_signals_take_turns_where_intervals_end_and_begin_again_after_the_last():
    ends = np.cumsum(np.full(NUM_INTERVALS, 3))
    signals = [is_go(step, True, ends) for step in range(9)]
    assert signals == [True, True, True, False, False, False, True, True, True]
    assert [is_go(step + int(ends[-1]), True, ends) for step in range(9)] == signals
    assert [is_go(step, False, ends) for step in range(9)] == [not go for go in signals]


def test_intervals_are_as_long_as_asked_and_both_signals_come_first():
    schedules = [draw_schedule(np.random.default_rng(seed), 5, 8) for seed in range(100)]
    lengths = np.concatenate([np.diff(ends, prepend=0) for _, ends in schedules])
    assert set(lengths.tolist()) == {5, 6, 7, 8}
    assert 30 < sum(go_first for go_first, _ in schedules) < 70  # 8 in 100,000 fair coins would not


def test_go_pays_the_task_and_nogo_pays_stillness():
    env = GoNoGo(Cart(), shortest=2, longest=2, still_reward=0.5)
    observation, _ = env.reset(seed=0)
    for speed in (0.25, -0.75, 0.25, -0.75):
        go = observation[1] == 1
        assert observation[1:].tolist() == [go, not go]
        observation, reward, _, _, info = env.step(np.array([speed]))
        paid = speed if go else 0.5 - abs(speed)
        assert (info["go"], info["reward_signal"], reward) == (float(go), paid, 2.0 + paid)
    assert observation in env.observation_space


def test_an_episode_and_its_signals_follow_from_its_seed():
    env = GoNoGo(Cart(), shortest=1, longest=9)

    def signals(seed):
        first, _ = env.reset(seed=seed)
        return [first[1], *(env.step(np.zeros(1))[0][1] for _ in range(50))]

    assert signals(3) == signals(3)
    assert signals(3) != signals(4)


def test_signals_run_natively_once_around_a_native_task_and_elsewhere_as_they_are(register):
    assert type(make_vec("SwimmerGoNoGo-v5", 2)) is MujocoVectorEnv
    register("Twice-v0", entry_point=lambda: GoNoGo(gymnasium.make("HopperGoNoGo-v5").env))
    register("Cart-v0", entry_point=lambda: GoNoGo(Cart()), max_episode_steps=5)
    for env_id in ("Twice-v0", "Cart-v0"):
        env = make_vec(env_id, 2)
        assert type(env) is FallbackVectorEnv
        assert env.reset(seed=[1, 2])[0][:, -2:].sum(axis=1).tolist() == [1, 1]


def test_an_environment_of_mujoco_that_pays_no_speed_is_paid_the_speed_of_its_first_joint():
    env = make_plain("InvertedPendulumGoNoGo-v5", still_reward=0.0)
    env.reset(seed=1)
    before = env.unwrapped.data.qpos[0]
    _, reward, _, _, info = env.step(np.ones(1))
    speed = (env.unwrapped.data.qpos[0] - before) / env.unwrapped.dt
    assert reward == 1.0 + (speed if info["go"] else -abs(speed))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_plain("HopperGoNoGo-v5", shortest=0), r"^shortest: .*expected a positive whole number, got 0$"),
        (
            lambda: make_vec("HopperGoNoGo-v5", 2, longest=5),
            "^longest: .*expected a whole number of at least 100, got 5$",
        ),
        (
            lambda: make_plain("HopperGoNoGo-v5", still_reward=float("nan")),
            "^still_reward: .*expected a finite number, got nan$",
        ),
        (
            lambda: make_plain("HopperGoNoGo-v5", task="os:Env-v0"),
            "^task: .*expected the id of a registered environment, got 'os:Env-v0'$",
        ),
        (lambda: GoNoGo(Outside()), r"env: expected an observation space that is .* Box of floats, got Discrete\(3\)"),
    ],
)
def test_what_cannot_be_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


class Outside(Cart):
    observation_space = Discrete(3)


def test_an_environment_that_shows_no_movement_is_refused():
    env = GoNoGo(Silent())
    env.reset(seed=0)
    with pytest.raises(
        ValueError, match=r"env: expected info\['reward_forward'\] from a step of .*got info with nothing"
    ):
        env.step(np.zeros(1))
