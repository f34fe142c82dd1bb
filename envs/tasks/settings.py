"""The settings of a task, read from an environment that Gymnasium has made."""

import gymnasium
import numpy as np

from envs.tasks.task import Task


def read_settings(task: Task, env: gymnasium.Env) -> np.ndarray:
    """Returns the task's record, read from the environment's attributes and model.

    Args:
        task: The task.
        env: Gymnasium's environment, without wrappers.

    Returns:
        (1,) of the type `task.parameters`.

    Raises:
        ValueError: If a value would be another one in the record, such as a flag of 0.5.
    """
    model = env.model
    derived = {
        "body_mass_address": lambda: model.body_mass.ctypes.data,
        "total_mass": lambda: model.body_mass.sum(),
        "timestep": lambda: model.opt.timestep,
        "exponent": lambda: 2.0,
        "main_body": lambda: model.body(env._main_body).id,
    }
    record = np.zeros(1, dtype=task.parameters)
    for name in task.parameters.names or ():
        if name in derived:
            record[0][name] = derived[name]()
        else:
            record[0][name] = _checked(name, getattr(env, f"_{name}"), task.parameters[name])
    return record


def _checked(name: str, value: object, dtype: np.dtype) -> np.ndarray:
    """Returns a setting as an array, unless it is not of the kind or shape of its place in the record."""
    array = np.asarray(value)
    kinds, expected = ("bi", "True or False") if dtype.base == np.int64 else ("biuf", "a number")
    if dtype.shape:
        expected = f"{dtype.shape[0]} numbers"
    if array.shape != dtype.shape or array.dtype.kind not in kinds:
        raise ValueError(f"{name}: expected {expected}, got {value!r}")
    return array
