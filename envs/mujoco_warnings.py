"""MuJoCo's warnings through Python's logging, in place of a file in the user's folder."""

import logging
from functools import cache

import mujoco

LOGGER = logging.getLogger(__name__)


def log_mujoco_warnings() -> None:
    """Logs each kind of warning that MuJoCo gives in this process once, unless somebody else handles them already.

    Without a handler MuJoCo appends every warning to `MUJOCO_LOG.TXT` in the working directory.
    """
    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(_log)


def _log(message: str) -> None:
    _log_once(message.partition(" Time =")[0].strip())


@cache
def _log_once(message: str) -> None:
    LOGGER.warning("MuJoCo: %s", message)
