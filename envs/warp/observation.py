"""Observations as tables: for each number of an observation, which number of the physics it is."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from native.warp_device import launch, load_warp

wp = load_warp()

SOURCES = (
    "qpos",
    "qvel",
    "sine",
    "cosine",
    "cinert",
    "cvel",
    "qfrc_actuator",
    "qfrc_constraint",
    "cfrc_ext",
)
_QPOS, _QVEL, _SINE, _COSINE, _CINERT, _CVEL, _ACTUATOR, _CONSTRAINT, _EXTERNAL = map(wp.constant, range(len(SOURCES)))
_OF_THE_STATE = ("qpos", "qvel", "sine", "cosine")
_Ten = wp.types.vector(length=10, dtype=float)


class Sensor(NamedTuple):
    """One number of an observation.

    Attributes:
        source: One of `SOURCES`: a field of `mjData`, or the sine or cosine of a joint coordinate.
        item: Index of the coordinate, degree of freedom or body.
        part: Index of the number of a body.
        low: Bound below which the number is clipped.
        high: Bound above which the number is clipped.
    """

    source: str
    item: int
    part: int = 0
    low: float = -np.inf
    high: float = np.inf


def of_items(source: str, items: Iterable[int], low: float = -np.inf, high: float = np.inf) -> list[Sensor]:
    """Returns sensors of several coordinates or degrees of freedom."""
    return [Sensor(source, item, 0, low, high) for item in items]


def of_bodies(source: str, nbody: int, parts: int, low: float = -np.inf, high: float = np.inf) -> list[Sensor]:
    """Returns sensors of all numbers of all bodies but the world."""
    return [Sensor(source, body, part, low, high) for body in range(1, nbody) for part in range(parts)]


@wp.kernel(enable_backward=False)
def observe(
    observed: wp.array[bool],  # (B,) worlds to observe
    is_first: bool,  # no force from outside has been computed yet
    sources: wp.array[int],
    items: wp.array[int],
    parts: wp.array[int],
    low: wp.array[float],
    high: wp.array[float],
    qpos: wp.array2d[float],
    qvel: wp.array2d[float],
    cinert: wp.array2d[_Ten],
    cvel: wp.array2d[wp.spatial_vector],
    qfrc_actuator: wp.array2d[float],
    qfrc_constraint: wp.array2d[float],
    cfrc_ext: wp.array2d[wp.spatial_vector],
    observations: wp.array2d[float],  # (B, d)
):
    """Writes one number of the observation of one world."""
    world, i = wp.tid()
    if not observed[world]:
        return
    source = sources[i]
    item = items[i]
    value = float(0.0)  # noqa: UP018 - a literal would be a constant to Warp
    if source == _QPOS:
        value = qpos[world, item]
    elif source == _QVEL:
        value = qvel[world, item]
    elif source == _SINE:
        value = wp.sin(qpos[world, item])
    elif source == _COSINE:
        value = wp.cos(qpos[world, item])
    elif source == _CINERT:
        value = cinert[world, item][parts[i]]
    elif source == _CVEL:
        value = cvel[world, item][parts[i]]
    elif source == _ACTUATOR:
        value = qfrc_actuator[world, item]
    elif source == _CONSTRAINT:
        value = qfrc_constraint[world, item]
    elif source == _EXTERNAL and not is_first:
        value = cfrc_ext[world, item][parts[i]]
    observations[world, i] = wp.clamp(value, low[i], high[i])


class Observation:
    """What the worlds of a task observe.

    Attributes:
        is_of_the_state: Whether joint coordinates and velocities are all that is looked at.

    Args:
        sensors: The numbers of an observation, in order.
        device: Device of Warp.
    """

    def __init__(self, sensors: list[Sensor], device):
        self.is_of_the_state = all(sensor.source in _OF_THE_STATE for sensor in sensors)
        self._device = device
        sources, items, parts, low, high = zip(*sensors, strict=True)
        numbers = [SOURCES.index(source) for source in sources]
        self._table = [wp.array(column, dtype=wp.int32, device=device) for column in (numbers, items, parts)]
        self._table += [wp.array(column, dtype=wp.float32, device=device) for column in (low, high)]

    def launch(self, observed, is_first: bool, d, observations) -> None:
        """Writes the observations of some worlds.

        Args:
            observed: (B,) array of bool of Warp.
            is_first: Whether their episodes have just begun.
            d: MuJoCo Warp's `Data`.
            observations: (B, d) array of float32 of Warp, whose first columns are written.
        """
        fields = [d.qpos, d.qvel, d.cinert, d.cvel, d.qfrc_actuator, d.qfrc_constraint, d.cfrc_ext]
        inputs = [observed, is_first, *self._table, *fields]
        launch(observe, (len(observations), len(self._table[0])), inputs, [observations], self._device)
