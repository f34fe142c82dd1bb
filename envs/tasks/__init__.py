"""The tasks that run natively: what each of Gymnasium's MuJoCo environments observes and pays, and when it ends."""

from envs.tasks.ant import ANT
from envs.tasks.half_cheetah import HALF_CHEETAH
from envs.tasks.hopper import HOPPER
from envs.tasks.humanoid import HUMANOID
from envs.tasks.humanoid_standup import HUMANOID_STANDUP
from envs.tasks.inverted_double_pendulum import INVERTED_DOUBLE_PENDULUM
from envs.tasks.inverted_pendulum import INVERTED_PENDULUM
from envs.tasks.swimmer import SWIMMER
from envs.tasks.task import Task
from envs.tasks.walker2d import WALKER2D

TASKS = {
    task.env_id: task
    for task in (
        ANT,
        HALF_CHEETAH,
        HOPPER,
        HUMANOID,
        HUMANOID_STANDUP,
        INVERTED_DOUBLE_PENDULUM,
        INVERTED_PENDULUM,
        SWIMMER,
        WALKER2D,
    )
}

__all__ = ["TASKS", "Task"]
