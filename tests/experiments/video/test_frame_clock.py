"""Films run in real time, whatever the rates of film and environment are."""

import pytest

from experiments.video.frame_clock import FrameClock


def shown(fps, steps_per_second, steps):
    clock = FrameClock(fps, steps_per_second)
    return [step for step in range(steps) for _ in range(clock.frames_of(step))]


@pytest.mark.parametrize(
    ("fps", "steps_per_second", "frames"),
    [
        (10, 10, [0, 1, 2, 3, 4, 5]),
        (5, 10, [0, 2, 4]),
        (4, 10, [0, 2, 5]),  # at 0, 0.25 and 0.5 seconds
        (20, 10, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]),
        (15, 10, [0, 0, 1, 2, 2, 3, 4, 4, 5]),
    ],
)
def test_a_frame_shows_the_latest_state_at_its_time(fps, steps_per_second, frames):
    assert shown(fps, steps_per_second, 6) == frames


@pytest.mark.parametrize("steps_per_second", [125, 100 / 3, 66.7, 4, 29.97])
@pytest.mark.parametrize("fps", [1, 20, 25, 50, 60])
def test_a_film_lasts_as_long_as_what_it_shows(fps, steps_per_second):
    frames = shown(fps, steps_per_second, round(60 * steps_per_second))
    assert len(frames) / fps == pytest.approx(60, abs=1 / fps + 1 / steps_per_second)
    assert frames[0] == 0
