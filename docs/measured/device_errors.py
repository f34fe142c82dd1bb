"""How far one step on MuJoCo Warp is from one of `gymnasium.make`, from equal states: the table of device.md.

python docs/measured/device_errors.py                  # all nine, on the CPU
python docs/measured/device_errors.py --device cuda Ant-v5 Humanoid-v5
"""

import argparse
import time
from typing import NamedTuple

import gymnasium
import mujoco
import numpy as np

from envs import make_vec
from envs.tasks import TASKS
from native.warp_device import load_warp

FALLS = {"Ant-v5", "Hopper-v5", "Humanoid-v5", "Walker2d-v5"}


class Comparison(NamedTuple):
    """One step from each of n states; errors are shares of the largest number of an observation, or of 1.

    Attributes:
        first: (n,) errors of the first observations, before the step.
        observations: (n,) errors of the observations.
        rewards: (n,) errors of the rewards.
        info: (n,) errors of the numbers in `info`.
        same_ends: (n,) bool, whether both episodes ended or both went on.
        moved: (n, d) observations on the device.
        is_sound: Whether no physics diverged and no contact was lost.
    """

    first: np.ndarray
    observations: np.ndarray
    rewards: np.ndarray
    info: np.ndarray
    same_ends: np.ndarray
    moved: np.ndarray
    is_sound: bool


def relative_error(got, expected) -> float:
    """Returns the largest difference as a share of the largest number, or of 1 if that is less."""
    return np.abs(got - expected).max() / max(1, np.abs(expected).max())


def visit_states(env_id: str, number: int, seed: int = 0, every: int = 7) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns states (qpos, qvel), as float32 holds them, along random episodes that go on after a fall."""
    env = gymnasium.make(env_id, **({"terminate_when_unhealthy": False} if env_id in FALLS else {})).unwrapped
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    states, step = [], 0
    while len(states) < number:
        terminated = env.step(rng.uniform(env.action_space.low, env.action_space.high))[2]
        step += 1
        if terminated or step % 150 == 0:
            env.reset(seed=seed + step)
        if step % every == 0:
            states.append(tuple(part.astype(np.float32).astype(float) for part in (env.data.qpos, env.data.qvel)))
    return states


def begin_at(env, states) -> None:
    """Begins an episode of every slot of an environment on MuJoCo Warp at a state."""
    wp, worlds = load_warp(), env.on_device
    env.reset(seed=0)
    every = wp.full(env.num_envs, True, dtype=bool, device=worlds.device)
    rows = wp.array(np.arange(env.num_envs), dtype=int, device=worlds.device)
    worlds.launch_reset(every, worlds.upload_starts(states), rows)


def compare_step(env_id: str, number: int, device: str = "cpu") -> Comparison:
    """Takes one step with random actions from each of `number` states."""
    states = visit_states(env_id, number)
    env, plain = make_vec(env_id, number, physics="warp", device=device), gymnasium.make(env_id).unwrapped
    begin_at(env, states)
    first, space = env.observations, env.single_action_space
    actions = np.random.default_rng(1).uniform(space.low, space.high, (number, *space.shape)).astype(np.float32)
    observations, rewards, terminated, _, info = env.step(actions)
    plain.reset(seed=0)
    errors = []
    for i, state in enumerate(states):
        mujoco.mj_resetData(plain.model, plain.data)
        plain.set_state(*state)
        error = relative_error(first[i], plain._get_obs())
        expected, reward, is_over, _, parts = plain.step(actions[i])
        of_parts = max(relative_error(info[name][i], np.float64(part)) for name, part in parts.items())
        errors.append(
            (
                error,
                relative_error(observations[i], expected),
                relative_error(rewards[i], reward),
                of_parts,
                terminated[i] == is_over,
            )
        )
    *errors, same = np.array(errors).T
    is_sound = not (env.diverged.any() or env.overflowed.any())
    return Comparison(*errors, same.astype(bool), observations, is_sound)


def main() -> None:
    """Prints a row of the table for each task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=sorted(TASKS), metavar="TASK", help="ids; all nine by default")
    parser.add_argument("--device", default="cpu", help="as for make_vec; cpu by default")
    parser.add_argument("--states", type=int, default=256, help="number of states; 256 by default")
    arguments = parser.parse_args()
    for env_id in arguments.tasks:
        wall, processor = time.perf_counter(), time.process_time()
        found = compare_step(env_id, arguments.states, arguments.device)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        observations = " | ".join(f"{np.quantile(found.observations, q):.0e}" for q in (0.5, 0.99, 1))
        rewards = " | ".join(f"{np.quantile(found.rewards, q):.0e}" for q in (0.5, 1))
        ends = f"{found.same_ends.sum()} of {len(found.same_ends)}"
        sound = "" if found.is_sound else " (diverged or overflowed)"
        print(
            f"| {env_id} | {observations} | {rewards} | {ends}{sound} | {processor:.0f} s, {wall:.0f} s |", flush=True
        )


if __name__ == "__main__":
    main()
