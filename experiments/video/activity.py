"""What the units of a network did lately, as pixels that scroll to the left: a row for each unit, time to the right."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import ImageColor

from agents import RSNN
from experiments.figures.network import EXCITATORY, INHIBITORY

SHOWN_SECONDS = 1.0  # real time that the panel spans at least
FEWEST_SAMPLES = 60  # that it spans at least, if an environment has few steps per second
BACKGROUND = np.array([245, 246, 248])
PALEST_SPIKE = 0.7  # share of its colour that a single spike in a pixel has; several have all of it
MOST_SPIKES = 3  # in a pixel that are told apart
NEUTRAL = "#5B626B"  # of a name whose units have two colours
LEVELS = 127  # of the colours of hidden units
ROW_WITH_GAP = 4  # pixels that a unit must have for a gap between it and the next


@dataclass(frozen=True)
class Band:
    """Units that are drawn in one colour under one name.

    Attributes:
        name: What they are.
        units: How many they are.
        color: Colour of their name, and of spikes.
    """

    name: str
    units: int
    color: str


def bands_of(agent) -> list[Band]:
    """Returns the bands of an agent's units from the top, in the order in which the agent has the units.

    Args:
        agent: An agent with `experiments.video.recorder.has_activity`.
    """
    if not isinstance(agent, RSNN):
        return [Band("hidden units: −1 orange, 1 blue", agent.num_neurons, NEUTRAL)]
    if agent.connections == "real":  # whose sign is that of a weight, not of a neuron
        return [Band("spikes", agent.num_neurons, EXCITATORY)]
    num_inhibitory = agent.num_neurons - agent.num_excitatory
    bands = [Band("excitatory", agent.num_excitatory, EXCITATORY), Band("inhibitory", num_inhibitory, INHIBITORY)]
    return [band for band in bands if band.units]


class ActivityScroll:
    """The latest activity of a network, which becomes a picture of any height.

    A pixel spans a whole number of samples (spikes are counted in it), or a sample a whole number of pixels, so that
    the picture moves without flickering.

    Attributes:
        seconds: Real time that the picture spans.

    Args:
        agent: An agent with `experiments.video.recorder.has_activity`.
        steps_per_second: Environment steps in a second of real time.
        width: Width of the picture, pixels.
    """

    def __init__(self, agent, steps_per_second: float, width: int):
        self._spikes = isinstance(agent, RSNN)
        samples_per_second = steps_per_second * (agent.substeps if self._spikes else 1)
        shown = max(SHOWN_SECONDS * samples_per_second, FEWEST_SAMPLES)
        self._samples_per_pixel = max(1, math.ceil(shown / width))
        self._pixels_per_sample = max(1, math.floor(width / shown))
        self._width = width
        columns = -(-width // self._pixels_per_sample)
        self._recent = np.zeros((columns * self._samples_per_pixel, agent.num_neurons), np.float32)
        self._count = 0  # samples since the beginning
        self.seconds = width * self._samples_per_pixel / self._pixels_per_sample / samples_per_second

    def add(self, samples: np.ndarray) -> None:
        """Takes the activity of an environment step, as `Recorder.latest` has it."""
        activity = np.abs(samples) if self._spikes else samples
        self._recent = np.concatenate([self._recent, activity.astype(np.float32)])[len(samples) :]
        self._count += len(samples)

    def clear(self) -> None:
        """Forgets everything, for the next episode."""
        self._recent[:] = 0
        self._count = 0

    def picture(self, first: int, band: Band, height: int) -> np.ndarray:
        """Returns a band as pixels, (height, width, 3) uint8.

        Args:
            first: Number of the band's first unit.
            band: The band.
            height: Height of the picture, pixels.
        """
        values = self._columns(first, band.units)
        rows = np.arange(height) * band.units // height
        if self._spikes:
            colors = _spike_colors(band.color)
            indices = np.minimum(values, MOST_SPIKES).astype(np.intp)[rows]
            if height >= ROW_WITH_GAP * band.units:
                indices[np.diff(rows, append=band.units) > 0] = 0
        else:
            colors = _hidden_colors()
            indices = np.rint((np.clip(values, -1, 1) + 1) * LEVELS).astype(np.intp)[rows]
        return colors[indices]

    def _columns(self, first: int, count: int) -> np.ndarray:
        """Returns (count, width) spikes in each pixel, or hidden units."""
        window = self._recent[:, first : first + count]
        if self._samples_per_pixel > 1:
            missing = -self._count % self._samples_per_pixel  # of the newest pixel, whose time has not passed
            window = np.concatenate([window[missing:], np.zeros((missing, count), np.float32)])
            window = window.reshape(-1, self._samples_per_pixel, count)
            window = window.sum(axis=1) if self._spikes else window.mean(axis=1)
        return window.T.repeat(self._pixels_per_sample, axis=1)[:, -self._width :]


def _spike_colors(color: str) -> np.ndarray:
    """Returns the colours of 0 to MOST_SPIKES spikes in a pixel, (MOST_SPIKES + 1, 3) uint8."""
    shares = np.array([0.0, *np.linspace(PALEST_SPIKE, 1.0, MOST_SPIKES)])[:, None]
    return np.rint(BACKGROUND + shares * (_rgb(color) - BACKGROUND)).astype(np.uint8)


def _hidden_colors() -> np.ndarray:
    """Returns the colours of values from −1 to 1, (2 LEVELS + 1, 3) uint8, pale around 0."""
    values = np.linspace(-1, 1, 2 * LEVELS + 1)[:, None]
    ends = np.where(values > 0, _rgb(EXCITATORY), _rgb(INHIBITORY))
    return np.rint(BACKGROUND + np.abs(values) * (ends - BACKGROUND)).astype(np.uint8)


def _rgb(color: str) -> np.ndarray:
    return np.array(ImageColor.getrgb(color), dtype=float)
