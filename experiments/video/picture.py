"""The picture of a film: the body, beside it the activity of its network, and above them what was reached."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from experiments.video.activity import ActivityScroll, Band

PAPER, INK, SOFT = (255, 255, 255), (28, 30, 33), (91, 98, 107)
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"  # whose letters the figures have too
LETTERS_WITH_BANDS, LETTERS_ALONE = 62, 46  # that the header has room for, with bands beside the body and without
LETTER_WIDTH = 0.6  # of its size, on average
LINES_DOWN = 26  # that the picture has room for
SMALLEST, LARGEST = 9, 40  # sizes of letters, pixels
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)  # seconds between marks of the time axis
MOST_TICKS = 3.1  # that the time axis spans
WIDEST = {"return": "return −99,999.9", "speed": "−99.9 m/s", "time": "999.9 s"}  # texts that the header has room for


@dataclass(frozen=True)
class Facts:
    """What the header of a picture says.

    Attributes:
        episode: Which episode it is, such as "episode 2 of 3"; "" if there is one alone.
        total: Sum of the rewards so far.
        speed: Speed, m/s; None if the environment does not tell it.
        seconds: Real time since the episode began.
    """

    episode: str
    total: float
    speed: float | None
    seconds: float


class Composer:
    """Draws pictures of one size and layout; what is the same in all of them is drawn once.

    Attributes:
        body_size: Width and height of the body's part, pixels.
        activity_width: Width of the bands, pixels; not positive where there are none.

    Args:
        title: What stands at the left of the header.
        width: Width of the picture, pixels.
        height: Height of the picture, pixels.
        bands: Units to show beside the body, from the top; none for the body alone.
    """

    def __init__(self, title: str, width: int, height: int, bands: list[Band]):
        letter = round(width / (LETTERS_WITH_BANDS if bands else LETTERS_ALONE) / LETTER_WIDTH)
        letter = max(SMALLEST, min(LARGEST, letter, height // LINES_DOWN))
        self._bold = ImageFont.truetype(FONTS / "DejaVuSans-Bold.ttf", letter)
        self._plain = ImageFont.truetype(FONTS / "DejaVuSans.ttf", letter)
        self._small = ImageFont.truetype(FONTS / "DejaVuSans.ttf", max(SMALLEST, letter * 5 // 6))
        self._letter, self._header, self._title = letter, round(2.2 * letter), title
        body_width = (width - 2 * letter) // 2 if bands else width
        self.body_size = (body_width, height - self._header)
        self._left = body_width + letter
        self.activity_width = width - self._left - letter
        self._bottom = height - 2 * letter  # of the bands
        self._bands = bands
        self._paper = np.full((height, width, 3), PAPER, np.uint8)
        self._places = self._place_bands()

    def draw_axis(self, seconds: float) -> None:
        """Draws the time axis below the bands, which stays in all pictures.

        Args:
            seconds: Real time that the bands span.
        """
        image = Image.fromarray(self._paper)
        draw = ImageDraw.Draw(image)
        right = self._left + self.activity_width - 1
        step = next((tick for tick in TICKS if seconds / tick <= MOST_TICKS), TICKS[-1])
        draw.line([(self._left, self._bottom), (right, self._bottom)], SOFT)
        for number in range(int(seconds / step + 1e-9) + 1):
            x = round(right - number * step / seconds * self.activity_width)
            text = f"−{number * step:g} s" if number else "now"
            draw.line([(x, self._bottom), (x, self._bottom + self._letter // 3)], SOFT)
            anchor = "ma" if number else "ra"
            if x - draw.textlength(text, self._small) / 2 < self._left:  # where the body is
                x, anchor = self._left, "la"
            draw.text((x, self._bottom + self._letter // 2), text, SOFT, self._small, anchor)
        self._paper = np.asarray(image)

    def compose(self, body: np.ndarray, facts: Facts, scroll: ActivityScroll | None) -> np.ndarray:
        """Returns a picture, (height, width, 3) uint8.

        Args:
            body: (height, width, 3) uint8 picture of any size; one that is not of `body_size` is scaled to fit in.
            facts: What the header says.
            scroll: Activity of the units; None without bands.
        """
        picture = self._paper.copy()
        picture[: self._header] = self._draw_header(facts)
        picture[self._header :, : self.body_size[0]] = _fit(body, *self.body_size)
        for (first, top, rows), band in zip(self._places, self._bands, strict=True):
            columns = slice(self._left, self._left + self.activity_width)
            picture[top : top + rows, columns] = scroll.picture(first, band, rows)
        return picture

    def _place_bands(self) -> list[tuple[int, int, int]]:
        """Writes the name of each band on the paper, and returns its first unit, its top and its height."""
        image = Image.fromarray(self._paper)
        draw = ImageDraw.Draw(image)
        label, gap = round(1.3 * self._letter), round(0.4 * self._letter)
        free = self._bottom - self._header - (label + gap) * len(self._bands)
        total, places, top, first = sum(band.units for band in self._bands), [], self._header, 0
        for band in self._bands:
            draw.text((self._left, top + label // 2), band.name, band.color, self._small, "lm")
            rows = free * band.units // total
            places.append((first, top + label, rows))
            top, first = top + label + rows + gap, first + band.units
        self._paper = np.asarray(image)
        return places

    def _draw_header(self, facts: Facts) -> np.ndarray:
        image = Image.fromarray(self._paper[: self._header])
        draw = ImageDraw.Draw(image)
        texts = {"time": f"{facts.seconds:.1f} s"}
        if facts.speed is not None:
            texts["speed"] = f"{facts.speed:.1f} m/s".replace("-", "−")
        texts["return"] = f"return {facts.total:,.1f}".replace("-", "−")
        middle, right, end = self._header // 2, image.width - self._letter, 0.0
        for name, text in texts.items():  # from the right; digits are equally wide, so nothing trembles
            draw.text((right, middle), text, INK, self._plain, "rm")
            end = right - draw.textlength(text, self._plain)
            right -= draw.textlength(WIDEST[name], self._plain)
        left = float(self._letter)
        for text, color, font in ((self._title, INK, self._bold), (facts.episode, SOFT, self._plain)):
            shown = _shorten(text, end - self._letter - left, font)
            draw.text((left, middle), shown, color, font, "lm")
            left += font.getlength(f"{shown}  ")
        return np.asarray(image)


def _shorten(text: str, width: float, font: ImageFont.FreeTypeFont) -> str:
    """Returns as much of a text as is no wider than so many pixels."""
    if font.getlength(text) <= width:
        return text
    kept = next((n for n in range(len(text) - 1, 0, -1) if font.getlength(f"{text[:n]}…") <= width), 0)
    return f"{text[:kept]}…" if kept else ""


def _fit(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Returns a picture that is scaled to fit into a size, in the middle of paper where its shape differs."""
    if picture.shape[:2] == (height, width):
        return picture
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    fitted = np.full((height, width, 3), PAPER, np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    fitted[top : top + size[1], left : left + size[0]] = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)
    return fitted
