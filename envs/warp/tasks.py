"""The nine tasks: what each observes, what it pays, and when it is healthy.

The settings are those that the native tasks read (`envs.tasks`), so all keywords mean the same.
"""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from envs.tasks import Task
from envs.tasks.settings import read_settings
from envs.warp import rewards
from envs.warp.observation import Sensor, of_bodies, of_items

ROOT, BODY, CENTRE = range(3)
"""Which position velocities are taken from: the first two joint coordinates, a body, the centre of mass."""

_INFINITE = (-np.inf, np.inf)
_MOVE = ("x_velocity", "y_velocity", "reward_forward", "reward_ctrl", "reward_contact", "reward_survive")


@dataclass(frozen=True)
class DeviceTask:
    """One of the nine, as its kernels need it.

    Attributes:
        sensors: The numbers of its observation.
        reward: Kernel that pays.
        settings: Numbers for that kernel.
        healthy: (2, nq + nv) bounds between which all coordinates and velocities are, of a healthy body.
        parts: Names of the numbers that the kernel writes beside the reward, in order; the task's `info` shows those
            that it has.
        position: `ROOT`, `BODY` or `CENTRE`.
        main_body: The body of `BODY`.
    """

    sensors: list[Sensor]
    reward: Any
    settings: Any
    healthy: np.ndarray
    parts: tuple[str, ...]
    position: int = ROOT
    main_body: int = 0


def read_task(task: Task, env: gymnasium.Env) -> DeviceTask:
    """Returns a task with the settings of an environment that Gymnasium has made.

    Args:
        task: The native task.
        env: The environment, without wrappers.

    Raises:
        ValueError: If a setting is not of the kind that its name says.
    """
    record = read_settings(task, env)[0]
    given = {name: record[name] for name in task.parameters.names or ()}
    return READERS[task.env_id](env, given)


def _settings(env: gymnasium.Env, given: dict, **changed: float):
    """Returns those of the settings that the kernels know by Gymnasium's names, and others."""
    settings = rewards.Settings()
    settings.dt = env.dt
    for name in ("forward_reward_weight", "ctrl_cost_weight", "healthy_reward", "contact_cost_weight"):
        setattr(settings, name, float(given.get(name, 0.0)))
    settings.terminate_when_unhealthy = bool(given.get("terminate_when_unhealthy", False))
    settings.force_low, settings.force_high = map(float, given.get("contact_force_range", _INFINITE))
    settings.cost_low, settings.cost_high = map(float, given.get("contact_cost_range", _INFINITE))
    for name, value in changed.items():
        setattr(settings, name, float(value))
    return settings


def _healthy(env: gymnasium.Env, ranges: dict[int, tuple[float, float]]) -> np.ndarray:
    """Returns bounds of all coordinates and velocities, ±∞ but for some joint coordinates."""
    bounds = np.empty((2, env.model.nq + env.model.nv))
    bounds[0], bounds[1] = _INFINITE
    for coordinate, (low, high) in ranges.items():
        bounds[:, coordinate] = low, high
    return bounds


def _closed(low: float, high: float) -> tuple[float, float]:
    """Returns open bounds between which the numbers of the closed interval are."""
    return np.nextafter(low, -np.inf), np.nextafter(high, np.inf)


def _state(env: gymnasium.Env, skipped: int, most: float = np.inf) -> list[Sensor]:
    """Returns the sensors of joint coordinates but for the first ones, and of velocities, which are clipped."""
    model = env.model
    return of_items("qpos", range(skipped, model.nq)) + of_items("qvel", range(model.nv), -most, most)


def _read_hopper(env, given):
    healthy = _healthy(env, {})
    healthy[:, 2:] = given["healthy_state_range"][:, None]
    for i, name in ((1, "healthy_z_range"), (2, "healthy_angle_range")):
        low, high = given[name]
        healthy[:, i] = max(healthy[0, i], low), min(healthy[1, i], high)
    sensors = _state(env, int(given["exclude_current_positions_from_observation"]), 10.0)
    return DeviceTask(sensors, rewards.move, _settings(env, given), healthy, _MOVE)


def _read_walker2d(env, given):
    healthy = _healthy(env, {1: given["healthy_z_range"], 2: given["healthy_angle_range"]})
    sensors = _state(env, int(given["exclude_current_positions_from_observation"]), 10.0)
    return DeviceTask(sensors, rewards.move, _settings(env, given), healthy, _MOVE)


def _read_half_cheetah(env, given):
    sensors = _state(env, int(given["exclude_current_positions_from_observation"]))
    return DeviceTask(sensors, rewards.move, _settings(env, given), _healthy(env, {}), _MOVE)


def _read_swimmer(env, given):
    sensors = _state(env, 2 * int(given["exclude_current_positions_from_observation"]))
    return DeviceTask(sensors, rewards.move, _settings(env, given), _healthy(env, {}), _MOVE)


def _read_ant(env, given):
    sensors = _state(env, 2 * int(given["exclude_current_positions_from_observation"]))
    if given["include_cfrc_ext_in_observation"]:
        sensors += of_bodies("cfrc_ext", env.model.nbody, 6, *given["contact_force_range"])
    healthy = _healthy(env, {2: _closed(*given["healthy_z_range"])})
    settings, main_body = _settings(env, given), int(given["main_body"])
    return DeviceTask(sensors, rewards.move, settings, healthy, _MOVE, BODY, main_body)


def _body_sensors(env, given) -> list[Sensor]:
    """Returns the sensors of Humanoid and HumanoidStandup."""
    model = env.model
    sensors = _state(env, 2 * int(given["exclude_current_positions_from_observation"]))
    for name, more in (
        ("cinert", of_bodies("cinert", model.nbody, 10)),
        ("cvel", of_bodies("cvel", model.nbody, 6)),
        ("qfrc_actuator", of_items("qfrc_actuator", range(6, model.nv))),
        ("cfrc_ext", of_bodies("cfrc_ext", model.nbody, 6)),
    ):
        if given[f"include_{name}_in_observation"]:
            sensors += more
    return sensors


def _read_humanoid(env, given):
    healthy = _healthy(env, {2: given["healthy_z_range"]})
    return DeviceTask(_body_sensors(env, given), rewards.move, _settings(env, given), healthy, _MOVE, CENTRE)


def _read_humanoid_standup(env, given):
    low, high = given["impact_cost_range"]
    settings = _settings(
        env,
        given,
        dt=given["timestep"],
        contact_cost_weight=given["impact_cost_weight"],
        cost_low=low,
        cost_high=high,
    )
    parts = ("reward_linup", "reward_quadctrl", "reward_impact")
    return DeviceTask(_body_sensors(env, given), rewards.stand_up, settings, _healthy(env, {}), parts)


def _read_inverted_pendulum(env, given):
    healthy = _healthy(env, {1: _closed(-0.2, 0.2)})
    settings = _settings(env, given, healthy_reward=1.0)
    return DeviceTask(_state(env, 0), rewards.balance, settings, healthy, ("reward_survive",))


def _read_inverted_double_pendulum(env, given):
    poles = range(1, env.model.nq)
    sensors = [
        Sensor("qpos", 0),
        *of_items("sine", poles),
        *of_items("cosine", poles),
        *of_items("qvel", range(env.model.nv), -10.0, 10.0),
        Sensor("qfrc_constraint", 0, 0, -10.0, 10.0),
    ]
    parts = ("reward_survive", "distance_penalty", "velocity_penalty")
    return DeviceTask(sensors, rewards.balance_two, _settings(env, given), _healthy(env, {}), parts)


READERS = {
    "Ant-v5": _read_ant,
    "HalfCheetah-v5": _read_half_cheetah,
    "Hopper-v5": _read_hopper,
    "Humanoid-v5": _read_humanoid,
    "HumanoidStandup-v5": _read_humanoid_standup,
    "InvertedDoublePendulum-v5": _read_inverted_double_pendulum,
    "InvertedPendulum-v5": _read_inverted_pendulum,
    "Swimmer-v5": _read_swimmer,
    "Walker2d-v5": _read_walker2d,
}
"""For each task that MuJoCo Warp plays, the function that reads it from (environment, its settings by name)."""
