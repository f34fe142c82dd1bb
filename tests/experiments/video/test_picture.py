"""A picture has its parts where they belong, at every size."""

import numpy as np
import pytest

from agents import RSNN
from experiments.video.activity import BACKGROUND, ActivityScroll, bands_of
from experiments.video.picture import INK, Composer, Facts

AGENT = RSNN(3, 2, num_neurons=16)
GREEN = (0, 200, 0)
FACTS = Facts("", 12.5, 1.0, 2.0)


def green(width, height):
    return np.full((height, width, 3), GREEN, np.uint8)


def places(picture, color):
    """Returns left, top, right and bottom of the pixels of a colour."""
    rows, columns = np.nonzero((picture == color).all(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def composed(width, height, facts=FACTS, title="Hopper-v5", body=None, bands=None):
    composer = Composer(title, width, height, bands_of(AGENT) if bands is None else bands)
    scroll = None
    if bands is None:
        scroll = ActivityScroll(AGENT, 20, composer.activity_width)
        composer.draw_axis(scroll.seconds)
    return composer.compose(green(*composer.body_size) if body is None else body, facts, scroll), composer


@pytest.mark.parametrize(("width", "height"), [(960, 540), (160, 160), (640, 360), (4096, 160), (200, 1000)])
def test_a_picture_has_the_size_that_was_asked_for(width, height):
    picture, composer = composed(width, height)
    assert picture.shape == (height, width, 3)
    assert places(picture, GREEN) == (0, height - composer.body_size[1], composer.body_size[0], height)


def test_the_bands_stand_beside_the_body_and_below_the_header():
    picture, composer = composed(960, 540)
    left, top, right, bottom = places(picture, BACKGROUND)
    assert composer.body_size[0] < left < right <= 960
    assert 540 - composer.body_size[1] < top < bottom < 540


def test_without_bands_the_body_has_all_the_width():
    _, composer = composed(540, 540, bands=[])
    assert composer.body_size[0] == 540


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (40, 40), (2000, 2000)])
def test_a_body_of_another_size_fills_its_place_and_keeps_its_shape(size):
    picture, composer = composed(960, 540, body=green(*size))
    left, top, right, bottom = places(picture, GREEN)
    width, height = composer.body_size
    assert right - left == width or bottom - top == height
    assert (right - left) / (bottom - top) == pytest.approx(size[0] / size[1], rel=0.02)


@pytest.mark.parametrize(
    "facts",
    [Facts("", 12.6, 1.0, 2.0), Facts("", 12.5, 1.1, 2.0), Facts("", 12.5, None, 2.0), Facts("", 12.5, 1.0, 2.1)],
)
def test_the_header_says_what_was_reached(facts):
    before, composer = composed(960, 540)
    after, _ = composed(960, 540, facts)
    header = slice(0, 540 - composer.body_size[1])
    assert (before[header] != after[header]).any()
    np.testing.assert_array_equal(before[header.stop :], after[header.stop :])
    assert (before[header] == INK).all(axis=2).any()


@pytest.mark.parametrize("width", [160, 320, 640, 960])
def test_a_long_title_leaves_the_numbers_alone(width):
    facts = Facts("episode 2 of 3", -12345.6, -12.3, 123.4)
    picture, composer = composed(width, width * 9 // 16, facts, title="InvertedDoublePendulum-v5")
    numbers, _ = composed(width, width * 9 // 16, Facts("", -12345.6, -12.3, 123.4), title="")
    header = slice(0, picture.shape[0] - composer.body_size[1])
    first = places(numbers[header], INK)[0] - composer._letter // 2
    np.testing.assert_array_equal(picture[header, first:], numbers[header, first:])
