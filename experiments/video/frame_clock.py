"""Which steps of an episode the frames of a film show, so that it runs in real time."""

import math
from fractions import Fraction


class FrameClock:
    """Counts frames along an episode: each frame shows the latest state at its time.

    Frame f of an episode is at f / fps seconds, and the state after s steps at s / steps_per_second.

    Args:
        fps: Frames per second of the film.
        steps_per_second: Environment steps in a second of real time.
    """

    def __init__(self, fps: int, steps_per_second: float):
        self._frames_per_step = Fraction(fps) / Fraction(steps_per_second)

    def frames_of(self, step: int) -> int:
        """Returns how many frames show the state after so many steps; 0 steps are the state after the reset."""
        return self._first_frame(step + 1) - self._first_frame(step)

    def _first_frame(self, step: int) -> int:
        return math.ceil(step * self._frames_per_step)
