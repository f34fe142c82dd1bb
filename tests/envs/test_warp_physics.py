"""The nine tasks on MuJoCo Warp against Gymnasium and the exact environments, on a device of Warp.

Kernels of a model take a minute to compile when they are not in Warp's cache, so what is not marked slow plays Hopper
alone. Physics are float32: what agrees to the bit is what Warp computes twice, never Warp and MuJoCo.
"""

import importlib
import logging
import pickle
import runpy
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import gymnasium
import mujoco
import numpy as np
import pytest
import torch

from envs import make_vec
from envs.go_nogo.native_task import find_go_nogo
from envs.go_nogo.schedule import draw_schedule, is_go
from envs.make import native_task
from envs.tasks import TASKS
from native.warp_device import find_device, load_warp, ptx_of
from tests.device import DEVICE, array, device_name, on_cpu_alone, zeros

pytestmark = pytest.mark.skipif(
    find_spec("mujoco_warp") is None, reason="MuJoCo Warp is not installed: pip install 'ec-evotorch[gpu]'"
)

_SCRIPT = runpy.run_path(Path(__file__).parents[2] / "docs" / "measured" / "device_errors.py")
begin_at, compare_step, visit_states = (_SCRIPT[name] for name in ("begin_at", "compare_step", "visit_states"))

OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in sorted(TASKS) if name != "Hopper-v5"]
EVERY = ["Hopper-v5", *OTHERS]
OF_BODIES = ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")
LESS_EXACT = {"HalfCheetah-v5", "Humanoid-v5", "HumanoidStandup-v5"}
BOUNDS = {
    "Ant-v5": (25, 108),
    "HalfCheetah-v5": (16, 70),
    "Hopper-v5": (14, 41),
    "Humanoid-v5": (190, 294),
    "HumanoidStandup-v5": (190, 294),
    "InvertedDoublePendulum-v5": (1, 2),
    "InvertedPendulum-v5": (1, 2),
    "Swimmer-v5": (1, 2),
    "Walker2d-v5": (14, 62),
}


def make_warp(env_id="Hopper-v5", num_envs=4, **kwargs):
    return make_vec(env_id, num_envs, physics="warp", device=DEVICE, **kwargs)


@pytest.fixture(scope="module")
def hopper():
    """An environment of four slots for tests that reset it themselves and leave its settings alone."""
    return make_warp()


def draw_actions(env, seed=0, steps=1):
    space = env.single_action_space
    shape = (steps, env.num_envs, *space.shape)
    return np.random.default_rng(seed).uniform(space.low, space.high, shape).astype(np.float32)


def write_hopper(folder, old, new):
    """Writes Gymnasium's hopper.xml with a change, and returns its path."""
    model = (Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / "hopper.xml").read_text()
    assert old in model
    path = folder / "hopper.xml"
    path.write_text(model.replace(old, new))
    return str(path)


def assert_same_episodes(one, other, steps=30, seed=3):
    """Compares two environments' steps from where they are, to the last bit."""
    for actions in draw_actions(one, seed, steps):
        for ours, others in zip(one.step(actions)[:4], other.step(actions)[:4], strict=True):
            np.testing.assert_array_equal(ours, others)


# --- against MuJoCo ---


@pytest.mark.parametrize("env_id", EVERY)
def test_a_step_is_gymnasiums_up_to_the_rounding_of_float32(env_id):
    found = compare_step(env_id, 64, DEVICE)
    tolerance = 5e-5 if env_id in LESS_EXACT else 1e-5
    assert found.first.max() <= 1e-5
    for errors in (found.observations, found.rewards):
        assert np.quantile(errors, 0.95) <= tolerance
        assert errors.max() <= 1e-3  # PGS of MuJoCo does not always converge on a fallen humanoid
    assert found.info.max() <= 1e-3
    assert found.same_ends.all()
    assert found.is_sound
    assert len(np.unique(found.moved.round(3), axis=0)) > 60


@pytest.mark.parametrize("env_id", EVERY)
def test_episodes_begin_as_the_exact_ones_do(env_id):
    env, exact = make_warp(env_id, 3), make_vec(env_id, 3)
    for seed in ([7, 2**40, 7], None, 5):
        (first, info), (expected, exact_info) = env.reset(seed=seed), exact.reset(seed=seed)
        np.testing.assert_allclose(first, expected, rtol=1e-5, atol=1e-5)
        assert info.keys() == exact_info.keys()
        for name, value in exact_info.items():
            np.testing.assert_allclose(info[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"exclude_current_positions_from_observation": False, "healthy_state_range": (-1.0, 1.0)},
        {"healthy_reward": 0.3, "terminate_when_unhealthy": False, "frame_skip": 2, "max_episode_steps": 7},
        {
            "healthy_z_range": (1.22, 1.3),
            "healthy_angle_range": (-0.07, 0.05),
            "forward_reward_weight": 2.5,
            "ctrl_cost_weight": 0.7,
            "reset_noise_scale": 0.1,
        },
    ],
)
def test_keywords_mean_what_they_mean_in_gymnasium(kwargs):
    assert_close_episodes("Hopper-v5", kwargs)


@pytest.mark.parametrize(
    "env_id",
    ["Hopper-v5", *(pytest.param(name, marks=pytest.mark.slow) for name in ("InvertedPendulum-v5", "Humanoid-v5"))],
)
def test_signals_mean_what_they_mean_in_gymnasium(env_id):
    kwargs = {"shortest": 2, "longest": 4, "still_reward": 0.7}
    env, exact = assert_close_episodes(env_id.replace("-", "GoNoGo-"), kwargs, steps=20)
    assert env.single_observation_space == exact.single_observation_space


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        ("Walker2d-v5", {"healthy_z_range": (1.2, 1.3), "forward_reward_weight": 2.5, "reset_noise_scale": 0.1}),
        ("HalfCheetah-v5", {"exclude_current_positions_from_observation": False, "ctrl_cost_weight": 0.7}),
        ("Swimmer-v5", {"exclude_current_positions_from_observation": False, "frame_skip": 3}),
        ("Ant-v5", {"include_cfrc_ext_in_observation": False, "main_body": "front_left_leg"}),
        ("Ant-v5", {"contact_force_range": (-0.2, 5.0), "healthy_z_range": (0.4, 0.9)}),
        ("Humanoid-v5", {"include_cinert_in_observation": False, "include_cvel_in_observation": False}),
        ("Humanoid-v5", {"include_qfrc_actuator_in_observation": False, "contact_cost_range": (0.01, 0.05)}),
        ("HumanoidStandup-v5", {"include_cfrc_ext_in_observation": False, "impact_cost_range": (0.1, 0.2)}),
        ("HumanoidStandup-v5", {f"include_{name}_in_observation": False for name in OF_BODIES}),
        ("InvertedDoublePendulum-v5", {"healthy_reward": 2.0, "reset_noise_scale": 1.5}),
        ("InvertedPendulum-v5", {"reset_noise_scale": 0.19}),
    ],
)
def test_keywords_of_the_other_tasks_mean_what_they_mean_in_gymnasium(env_id, kwargs):
    assert_close_episodes(env_id, kwargs)


def assert_close_episodes(env_id, kwargs, steps=8):
    """Compares the first steps of episodes with those of the exact environment."""
    env, exact = make_warp(env_id, 8, **kwargs), make_vec(env_id, 8, **kwargs)
    for seed in (1, 0):
        (first, info), (expected, exact_info) = env.reset(seed=seed), exact.reset(seed=seed)
        np.testing.assert_allclose(first, expected, rtol=1e-5, atol=1e-5)
        for name, value in exact_info.items():
            np.testing.assert_allclose(info[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    for actions in draw_actions(env, 2, steps):
        (observations, rewards, *flags, info) = env.step(actions)
        (expected, exact_rewards, *exact_flags, exact_info) = exact.step(actions)
        np.testing.assert_allclose(observations, expected, rtol=0, atol=1e-3 * max(1, np.abs(expected).max()))
        np.testing.assert_allclose(rewards, exact_rewards, rtol=1e-3, atol=1e-3)
        np.testing.assert_array_equal(flags, exact_flags)
        assert info.keys() == exact_info.keys()
        for name, value in exact_info.items():
            np.testing.assert_allclose(info[name], value, rtol=2e-3, atol=2e-3, err_msg=name)
    assert env.spec.max_episode_steps == exact.spec.max_episode_steps
    return env, exact


def test_friction_on_a_plane_has_mujocos_directions():
    from envs.warp.contact_frames import align

    wp = load_warp()
    capsules = "".join(
        f'<body pos="{2 * i} 0 0.09" euler="{angle} 20 0"><freejoint/>'
        '<geom type="capsule" size="0.1 0.2" condim="3"/></body>'
        for i, angle in enumerate((0, 3, 12, 40, 88))
    )
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco><worldbody><geom type="plane" size="9 9 1"/>{capsules}</worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    frames = data.contact.frame.reshape(-1, 3, 3)
    assert len(frames) >= 5
    turned = frames.copy()
    turned[:, 1], turned[:, 2] = frames[:, 2], -frames[:, 1]  # by 90° about the normal
    given = array(turned.astype(np.float32), wp.mat33)
    inputs = [
        array(model.geom_type, int),
        array([len(frames)], int),
        array(data.contact.geom, wp.vec2i),
        array(np.zeros(len(frames)), int),
        array(data.geom_xmat.reshape(1, -1, 3, 3).astype(np.float32), wp.mat33),
    ]
    wp.launch(align, dim=len(frames), inputs=inputs, outputs=[given], device=DEVICE)
    np.testing.assert_allclose(given.numpy(), frames, atol=1e-6)


# --- room for contacts ---


@pytest.mark.parametrize("env_id", sorted(TASKS))
def test_there_is_room_for_all_contacts_that_there_can_be(env_id):
    from envs.warp.sizes import bound_sizes

    env = gymnasium.make(env_id).unwrapped
    assert bound_sizes(env.model) == BOUNDS[env_id]
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    for _ in range(100):
        env.step(rng.uniform(env.action_space.low, env.action_space.high))
        assert env.data.ncon <= BOUNDS[env_id][0]
        assert env.data.nefc <= BOUNDS[env_id][1]


def test_lost_contacts_are_noticed_and_named(caplog):
    from envs.warp.sizes import Sizes
    from envs.warp.vector_env import WarpVectorEnv

    template = gymnasium.make("Hopper-v5", terminate_when_unhealthy=False)
    sizes = Sizes(1, BOUNDS["Hopper-v5"][1])
    env = WarpVectorEnv(native_task(template), template, 2, find_device(DEVICE), sizes=sizes)
    env.reset(seed=0)
    assert not env.overflowed.any()
    with caplog.at_level(logging.WARNING, logger="envs.warp.vector_env"):
        for actions in draw_actions(env, steps=60):
            env.step(actions)
    assert env.overflowed.all()
    (message,) = [record.getMessage() for record in caplog.records if record.name == "envs.warp.vector_env"]
    assert message.startswith("Hopper-v5: 1 contacts and 41 rows of constraints are too few for a sub-environment")
    env.reset(seed=0, options={"reset_mask": np.array([True, False])})
    assert env.overflowed.tolist() == [False, True]


# --- episodes ---


def test_slots_do_not_depend_on_one_another(hopper):
    alone = make_warp(num_envs=1)
    seeds = [5, 6, 7, 8]
    hopper.reset(seed=seeds)
    played = [hopper.step(actions)[0] for actions in draw_actions(hopper, steps=20)]
    for slot, seed in enumerate(seeds):
        alone.reset(seed=seed)
        for actions, observations in zip(draw_actions(hopper, steps=20), played, strict=True):
            np.testing.assert_array_equal(alone.step(actions[slot : slot + 1])[0][0], observations[slot])


@pytest.mark.parametrize("env_id", EVERY)
def test_a_partial_reset_leaves_the_others_alone_to_the_bit(env_id):
    env, other = make_warp(env_id, 3), make_warp(env_id, 3)
    mask = np.array([False, True, False])
    for one in (env, other):
        one.reset(seed=0)
        for actions in draw_actions(one, steps=3):
            observations = one.step(actions)[0]
    after, info = env.reset(seed=[9, 9, 9], options={"reset_mask": mask})
    np.testing.assert_array_equal(after[~mask], observations[~mask])
    assert (after[1] != observations[1]).any()
    assert all((info[name] == mask).all() for name in info if name.startswith("_"))
    played = []
    for actions in draw_actions(env, seed=4, steps=5):
        played.append(env.step(actions)[:4])
        for ours, others in zip(played[-1], other.step(actions)[:4], strict=True):
            np.testing.assert_array_equal(ours[~mask], others[~mask])
    np.testing.assert_array_equal(env.episode_length[~mask], other.episode_length[~mask])
    other.reset(seed=9, options={"reset_mask": np.array([True, False, False])})  # in a slot with another past
    for actions, ours in zip(draw_actions(env, seed=4, steps=5), played, strict=True):
        for i, others in enumerate(other.step(actions[[1, 1, 1]])[:4]):
            np.testing.assert_array_equal(ours[i][1], others[0])


def test_a_finished_sub_environment_rests_until_reset():
    env = make_warp(num_envs=2, max_episode_steps=3)
    assert env.finished.all()
    env.reset(seed=0)
    total = np.zeros(2)
    for actions in draw_actions(env, steps=3):
        last = env.step(actions)
        total += last[1]
    state = env.on_device.qpos.numpy().copy()
    assert last[3].all()
    np.testing.assert_array_equal(env.episode_return, total)
    observations, rewards, _, truncated, info = env.step(np.full((2, 3), np.nan, np.float32))
    np.testing.assert_array_equal(observations, last[0])
    assert (rewards == 0).all()
    assert truncated.all()
    assert not any(info[name].any() for name in info)
    assert env.episode_length.tolist() == [3, 3]
    np.testing.assert_array_equal(env.episode_return, total)
    np.testing.assert_array_equal(env.on_device.qpos.numpy(), state)


def test_an_environment_put_to_rest_does_not_run_until_it_is_reset(hopper):
    before, _ = hopper.reset(seed=0)
    hopper.rest()
    observations, rewards, terminated, _, _ = hopper.step(draw_actions(hopper)[0])
    np.testing.assert_array_equal(observations, before)
    assert not rewards.any()
    assert terminated.all()
    hopper.reset(seed=0, options={"reset_mask": np.array([True, False, False, False])})
    assert hopper.step(draw_actions(hopper)[0])[2].tolist() == [False, True, True, True]


def test_a_limit_of_steps_truncates_unless_the_environments_own_is_less():
    env = make_warp(num_envs=1, max_episode_steps=5)
    for limit, expected in ((10, 5), (3, 3), (4, 3)):
        env.limit_episodes(limit)
        env.reset(seed=0)
        truncated = [bool(env.step(np.zeros((1, 3), np.float32))[3][0]) for _ in range(5)]
        assert truncated.index(True) + 1 == expected


@pytest.mark.parametrize("limit", [2**31 - 1, 2**31 + 5, 2**40])
def test_a_limit_beyond_what_the_device_counts_is_none(limit):
    env = make_warp(num_envs=1, max_episode_steps=limit)
    env.reset(seed=0)
    assert not env.step(np.zeros((1, 3), np.float32))[3].any()
    assert env.spec.max_episode_steps == limit


def test_intervals_longer_than_the_device_counts_have_the_same_signals():
    from envs.warp import signals

    wrapper = find_go_nogo(gymnasium.make("HopperGoNoGo-v5", shortest=10, longest=10**9))
    ours = signals.Signals(wrapper, (), 0, 1.0, 1, find_device(DEVICE))
    for seed in range(5):
        go_first, ends = draw_schedule(np.random.default_rng(seed), 10, 10**9)
        drawn = ours.draw(np.random.default_rng(seed))
        starts = array([drawn[0]], bool), array([drawn[1]], int)
        ours.launch_begin(array([True], bool), starts, array([0], int))
        for step in (0, 10, ends[0] - 1, ends[0], ends[1], 2**31 - 2):
            observations = zeros((1, 2))
            ours.launch_observe(array([True], bool), 0, array([step], int), observations)
            assert observations.numpy()[0, 0] == is_go(step, go_first, ends)


def test_frames_are_drawn_of_every_sub_environments_own_state(monkeypatch):
    env = make_warp(num_envs=2, render_mode="rgb_array")
    observations, _ = env.reset(seed=[4, 9])
    drawn = []
    monkeypatch.setattr(env._template, "render", lambda: drawn.append(env._template.data.qpos.copy()))
    assert len(env.render()) == 2
    np.testing.assert_array_equal([qpos[1:] for qpos in drawn], observations[:, :5])


def test_episodes_that_began_on_the_device_are_stepped_once_a_step(hopper):
    env, wp = make_warp(), load_warp()
    every, rows = array([True] * 4, wp.bool), array(range(4), wp.int32)
    env.on_device.launch_reset(every, env.on_device.draw_starts([5, 6, 7, 8]), rows)
    hopper.reset(seed=[5, 6, 7, 8])
    assert_same_episodes(env, hopper, steps=4)
    assert env.episode_length.tolist() == hopper.episode_length.tolist()


def test_a_copy_is_made_anew_and_is_the_same():
    env = make_warp(num_envs=2, healthy_reward=0.3)
    env.limit_episodes(7)
    copied = pickle.loads(pickle.dumps(env))
    assert copied.finished.all()
    for one in (env, copied):
        one.reset(seed=3)
    assert_same_episodes(env, copied, steps=10)
    assert copied.episode_length.tolist() == [7, 7]


# --- what goes wrong ---


@pytest.mark.parametrize("bad", [np.nan, -np.inf, 1e7])
@pytest.mark.parametrize("part", [0, 1])
def test_physics_that_diverge_end_the_episode_and_nothing_else(hopper, part, bad):
    states = visit_states("Hopper-v5", 4)
    begin_at(hopper, states)
    (actions,) = draw_actions(hopper)
    expected = hopper.step(actions)
    spoiled = [tuple(part.copy() for part in state) for state in states]
    spoiled[2][part][1] = bad
    begin_at(hopper, spoiled)
    seen = hopper.observations
    observations, rewards, terminated, truncated, _ = hopper.step(actions)
    others = [0, 1, 3]
    for ours, theirs in zip((observations, rewards, terminated), expected[:3], strict=True):
        np.testing.assert_array_equal(ours[others], theirs[others])
    assert hopper.diverged.tolist() == [False, False, True, False]
    assert (rewards[2], terminated[2], truncated[2]) == (0, True, False)
    np.testing.assert_array_equal(observations[2], seen[2])
    begin_at(hopper, states)  # nothing is left of it
    assert not hopper.diverged.any()
    for ours, theirs in zip(hopper.step(actions)[:4], expected[:4], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_tendons_of_physics_that_diverge_are_not_seen():
    env, states = make_warp("HumanoidStandup-v5", 2), visit_states("HumanoidStandup-v5", 2)
    states[1][0][7:] = np.nan
    begin_at(env, states)
    info = env.step(draw_actions(env)[0])[4]
    assert env.diverged.tolist() == [False, True]
    for name in ("tendon_length", "tendon_velocity"):
        assert info[name][0].all()
        assert not info[name][1].any()


def test_nothing_of_physics_that_diverge_is_seen(tmp_path):
    path = write_hopper(tmp_path, 'timestep="0.002"', 'timestep="0.2"')
    env = make_warp(num_envs=2, xml_file=path, terminate_when_unhealthy=False)
    env.reset(seed=0)
    for t in range(40):
        observations, rewards, terminated, _, info = env.step(np.full((2, 3), (-1.0) ** t, np.float32))
        assert np.isfinite(observations).all()
        assert np.isfinite(rewards).all()
        assert all(np.isfinite(value).all() for value in info.values())
        np.testing.assert_array_equal(terminated, env.diverged)
    assert env.diverged.all()
    assert (env.episode_length < 40).all()
    assert (np.abs(env.episode_return) < 1e7).all()  # nothing of a flight at 10⁸ m/s was paid
    assert env.model_digest is not None


def test_an_action_that_is_not_finite_is_refused_before_anything_moves(hopper):
    before, _ = hopper.reset(seed=0)
    for bad in (np.nan, -np.inf):
        actions = np.zeros((4, 3), np.float32)
        actions[1, 0] = bad
        with pytest.raises(ValueError, match=r"NaN or infinity in sub-environments \[1\]"):
            hopper.step(actions)
    np.testing.assert_array_equal(hopper.observations, before)
    assert not hopper.episode_length.any()


def test_an_action_beyond_float32_is_refused_before_anything_moves(hopper):
    before, _ = hopper.reset(seed=0)
    actions = np.zeros((4, 3))
    actions[2, 1] = 1e39
    with pytest.raises(ValueError, match=r"NaN or infinity in sub-environments \[2\]"):
        hopper.step(actions)
    np.testing.assert_array_equal(hopper.observations, before)
    assert not hopper.finished.any()
    hopper.rest()
    hopper.step(actions)  # of no sub-environment that runs


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_action_on_the_device_that_is_not_finite_ends_its_episode(hopper, bad):
    before, _ = hopper.reset(seed=0)
    actions = np.zeros((4, 3), np.float32)
    actions[1, 2] = bad
    hopper.on_device.actions.assign(actions)
    hopper.on_device.launch_step()
    assert hopper.diverged.tolist() == hopper.finished.tolist() == [False, True, False, False]
    np.testing.assert_array_equal(hopper.observations[1], before[1])
    assert np.isfinite(hopper.episode_return).all()
    assert np.isfinite(hopper.on_device.qpos.numpy()).all()


def test_wrong_shapes_are_refused_with_both_shapes(hopper):
    hopper.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions: expected shape \(4, 3\), got \(2, 3\)"):
        hopper.step(np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match=r"actions: expected an array of shape \(4, 3\), got a Tensor"):
        hopper.step(torch.zeros(4, 3, device="meta"))  # like a GPU's, it does not become an array
    with pytest.raises(ValueError, match="seed: expected 4 seeds"):
        hopper.reset(seed=[1, 2])
    with pytest.raises(ValueError, match=r"reset_mask'\]: expected shape \(4,\)"):
        hopper.reset(options={"reset_mask": np.array([True])})


def test_arrays_of_other_sizes_are_refused(hopper):
    name, worlds = device_name(), hopper.on_device
    flags, rows, starts = array([True] * 4, bool), array(range(4), int), worlds.draw_starts([1, 2])
    with pytest.raises(ValueError, match=rf"starting: expected an array of bool of shape \(4\) on {name}, got bool"):
        worlds.launch_reset(array([True], bool), starts, rows)
    message = rf"starts\[1\]: expected an array of float32 of shape \(any, 6\) on {name}, got"
    with pytest.raises(ValueError, match=message):
        worlds.launch_reset(flags, (starts[0], zeros((2, 5))), rows)
    with pytest.raises(ValueError, match=rf"rows: expected an array of int32 of shape \(4\) on {name}, got int32"):
        worlds.launch_reset(flags, starts, array([0], int))
    with pytest.raises(ValueError, match=rf"resting: expected an array of bool of shape \(4\) on {name}, got int32"):
        worlds.launch_rest(rows)


def test_a_closed_environment_says_so():
    env = make_warp(num_envs=1)
    env.close()
    for use in (env.reset, lambda: env.step(np.zeros((1, 3), np.float32)), env.render):
        with pytest.raises(gymnasium.error.ClosedEnvironmentError, match="the environment is closed"):
            use()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"physics": "brax"}, "physics: expected one of 'auto', 'mujoco', 'warp'; got 'brax'"),
        ({"physics": "warp", "device": "gpu"}, "device: expected 'cpu' or .*; got 'gpu'"),
        ({"device": "cuda:99"}, "device: expected 'cpu' or .*; got 'cuda:99'"),
        ({"device": None}, "device: expected 'cpu' or .*; got None"),
        ({"physics": "mujoco", "device": "cuda"}, "device: expected 'cpu' with physics='mujoco', got 'cuda'"),
        ({"output": "torch"}, "output: expected 'numpy' without physics='warp', got 'torch'"),
        ({"physics": "warp", "output": "jax"}, "output: expected one of 'numpy', 'torch'; got 'jax'"),
        ({"physics": "warp", "deterministic": 1}, "deterministic: expected True or False, got 1"),
        ({"physics": "warp", "num_envs": 0}, "num_envs: expected a positive whole number, got 0"),
        ({"physics": "warp", "frame_skip": -1}, "frame_skip: expected a positive whole number, got -1"),
        ({"physics": "warp", "terminate_when_unhealthy": 0.5}, "terminate_when_unhealthy: expected True or False, got"),
        (
            {"physics": "warp", "vectorization_mode": "sync"},
            "vectorization_mode: expected None with physics='warp', got 'sync'",
        ),
        ({"physics": "warp", "wrappers": [gymnasium.Wrapper]}, "wrappers: expected none with physics='warp', got"),
        (
            {"physics": "warp", "id": "Pusher-v5"},
            "physics: expected 'mujoco' for Pusher-v5; 'warp' plays Ant-v5, .*, Walker2d-v5",
        ),
    ],
)
def test_what_the_device_does_not_offer_is_refused_in_a_line(kwargs, message):
    with pytest.raises(ValueError, match=f"^{message}[^\n]*$"):
        make_vec(**{"id": "Hopper-v5", "num_envs": 2, **kwargs})


def test_a_native_task_that_the_device_does_not_know_is_refused_in_a_line(monkeypatch):
    from envs.warp.tasks import READERS

    assert READERS.keys() == TASKS.keys()
    monkeypatch.delitem(READERS, "Hopper-v5")
    with pytest.raises(ValueError, match=r"^physics: expected 'mujoco' for Hopper-v5; 'warp' plays Ant-v5, [^\n]*$"):
        make_warp()


def test_a_model_that_cannot_be_simulated_is_refused_in_a_line(tmp_path):
    path = write_hopper(tmp_path, 'integrator="RK4"', 'integrator="discrete" noslip_iterations="3"')
    with pytest.raises(ValueError, match=r"^physics: MuJoCo Warp cannot simulate this model: noslip solver not[^\n]*$"):
        make_warp(xml_file=path)


def test_a_model_that_remembers_more_than_its_state_is_refused(tmp_path):
    path = write_hopper(tmp_path, "<option ", '<option><flag sleep="enable"/></option><option ')
    with pytest.raises(ValueError, match=r"^physics: expected a model without sleeping bodies with physics='warp'$"):
        make_warp(xml_file=path)


def test_a_model_without_a_bound_is_refused():
    from envs.warp.sizes import bound_sizes

    flexible = '<flexcomp name="f" type="grid" count="3 3 1" spacing="1 1 1"/>'
    model = mujoco.MjModel.from_xml_string(f'<mujoco><worldbody><body name="b">{flexible}</body></worldbody></mujoco>')
    with pytest.raises(ValueError, match="physics: expected a model without flexible bodies with physics='warp'"):
        bound_sizes(model)


def test_keywords_of_make_vec_reach_an_environment_of_ones_own_from_its_registration(monkeypatch):
    class Own(gymnasium.Env):
        observation_space, action_space = (gymnasium.spaces.Box(-1, 1, (n,)) for n in (2, 1))

        def __init__(self, device="gpu"):
            self.device = device

        def reset(self, *, seed=None, options=None):
            return np.zeros(2, np.float32), {"of": self.device}

        def step(self, action):
            return np.zeros(2, np.float32), 0.0, False, False, {}

    spec = gymnasium.envs.registration.EnvSpec("OwnDevice-v0", entry_point=Own, kwargs={"device": "cpu"})
    monkeypatch.setitem(gymnasium.registry, spec.id, spec)
    assert make_vec(spec.id, 1).reset(seed=0)[1]["of"].tolist() == ["cpu"]
    with pytest.raises(ValueError, match=r"^physics: expected 'mujoco' for OwnDevice-v0; 'warp' plays"):
        make_vec(spec.id, 1, physics="warp")


@pytest.mark.parametrize("missing", ["warp", "mujoco_warp"])
def test_a_missing_extra_is_named(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)  # as if it were not installed
    load_warp.cache_clear()
    with pytest.raises(ImportError, match=r"Warp is not installed: pip install 'ec-evotorch\[gpu\]'"):
        make_warp()
    make_vec("Hopper-v5", 1).close()


# --- settings of the physics ---


def test_newtons_method_replaces_pgs_and_the_model_stays_as_it_is():
    from envs.warp.contact_frames import align_capsules
    from envs.warp.model import ITERATIONS, make_worlds

    model = gymnasium.make("Humanoid-v5").unwrapped.model
    m, *_ = make_worlds(model, 1, find_device(DEVICE), True)
    assert model.opt.solver == mujoco.mjtSolver.mjSOL_PGS
    assert m.opt.solver == mujoco.mjtSolver.mjSOL_NEWTON
    assert m.callback.contactfilter is align_capsules
    assert m.opt.iterations == ITERATIONS < model.opt.iterations
    assert m.opt.warn_overflow == 0


def test_a_solver_that_needs_more_iterations_keeps_them(tmp_path):
    path = write_hopper(tmp_path, "<option ", '<option solver="CG" iterations="70" ')
    assert make_warp(num_envs=1, xml_file=path).on_device._model.opt.iterations == 70


@pytest.mark.parametrize("deterministic", [True, False])
def test_determinism_is_handed_on(deterministic):
    import mujoco_warp

    env = make_warp(num_envs=1, deterministic=deterministic)
    expected = mujoco_warp.DeterminismType.ALL if deterministic else mujoco_warp.DeterminismType.NONE
    assert env.on_device._model.opt.deterministic == expected


# --- tensors ---


def test_tensors_share_the_memory_of_the_device(hopper):
    env = make_warp(output="torch")
    first, _ = env.reset(seed=0)
    np.testing.assert_array_equal(first.cpu(), hopper.reset(seed=0)[0])
    assert first.dtype == torch.float32
    assert first.data_ptr() == env.on_device.observations.ptr
    for actions in draw_actions(env, steps=5):
        results, expected = env.step(torch.from_numpy(actions).to(DEVICE)), hopper.step(actions)
        for ours, theirs in zip(results[:4], expected[:4], strict=True):
            np.testing.assert_array_equal(ours.cpu(), theirs)
        np.testing.assert_array_equal(results[4]["reward_forward"].cpu(), expected[4]["reward_forward"])
    assert results[0].data_ptr() == first.data_ptr()
    for wrong in (torch.zeros(2, 3, device=DEVICE), torch.zeros(4, 3, device="meta"), np.zeros((4, 3))):
        with pytest.raises(ValueError, match=rf"actions: expected a tensor of shape \(4, 3\) on {device_name()}, got"):
            env.step(wrong)
    actions = torch.zeros(4, 3, device=DEVICE)
    actions[0, 1] = torch.nan
    ended = env.step(actions)[2]
    assert ended.tolist() == env.diverged.tolist() == [True, False, False, False]


@on_cpu_alone("counts the reads of the host, in place of which it puts what cannot read another device")
def test_memory_is_read_in_order_with_pytorch(monkeypatch):
    from envs.warp import vector_env

    env = make_warp(output="torch", render_mode="rgb_array")
    env.reset(seed=0)
    depth, read = [], []

    @contextmanager
    def on_torch_stream(device):
        depth.append(device)
        yield
        depth.pop()

    def read_in_order(array):
        read.append(bool(depth))
        return np.array(array)

    monkeypatch.setattr(vector_env, "on_torch_stream", on_torch_stream)
    monkeypatch.setattr(load_warp().array, "numpy", read_in_order)
    monkeypatch.setattr(env._template, "render", lambda: None)
    env.limit_episodes(5)
    env.render()
    env.reset(seed=1)
    env.step(torch.zeros(4, 3))
    assert len(read) == 3
    assert all(read)


# --- what a GPU would run ---


@pytest.mark.slow
@pytest.mark.parametrize(
    "kernel",
    ["contact_frames.align", "observation.observe", "rewards.move", "episode_kernels.conclude", "signals.pay"],
)
def test_the_kernels_compile_for_a_gpu(kernel):
    name, function = kernel.split(".")
    module = importlib.import_module(f"envs.warp.{name}")
    assert ".target sm_90" in ptx_of(getattr(module, function), arch=90)  # with all others of its file
