"""Files of films: MP4 by FFmpeg and GIF by Pillow, each whole or not there at all."""

import io
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Protocol

import numpy as np
from PIL import Image

from experiments.errors import UserError
from experiments.run_folder.atomic_write import partial_path, replace_by, write_atomic, writing
from experiments.video.activity import BACKGROUND
from experiments.video.picture import PAPER

try:
    import imageio_ffmpeg
except ImportError:  # an extra; GIF works without it
    imageio_ffmpeg = None

MP4, GIF = ".mp4", ".gif"
SUFFIXES = (MP4, GIF)
MOST_FPS = {MP4: 50, GIF: 25}  # unless more are asked for; what most screens, and most pages, show smoothly
FASTEST_GIF = 50  # frames per second; programs slow down what is faster
H264 = [
    "-c:v",
    "libx264",
    "-pix_fmt",
    "yuv420p",
    "-crf",
    "20",
]  # which every page plays; no loss is seen
PLAYABLE = ["-f", "mp4", "-movflags", "+faststart", "-fflags", "+bitexact", "-flags:v", "+bitexact"]  # alike every time
COLORS = 64  # of a GIF: enough for a body, a floor and two colours of spikes
NEAR = 6  # of 255: colours of a GIF that are no further from paper become paper
SAMPLES = 24  # frames that the colours of a GIF are taken from


class VideoWriter(Protocol):
    """Takes the frames of a film."""

    def add(self, frame: np.ndarray, count: int) -> None:
        """Adds a (height, width, 3) uint8 frame, so many times."""


@contextmanager
def open_video(path: Path, fps: int) -> Iterator[VideoWriter]:
    """Writes a film, which is at its place when the block ends; if an error ends it, what was there before stays.

    Args:
        path: Path of the film, with one of `SUFFIXES`.
        fps: Frames per second.

    Raises:
        UserError: If it cannot be written, or FFmpeg is not installed for an MP4.
    """
    with (_open_gif if path.suffix == GIF else _open_mp4)(path, fps) as writer:
        yield writer


class _Mp4Writer:
    """Hands frames to FFmpeg, which begins with the first of them."""

    def __init__(self, path: Path, unfinished: Path, fps: int, said: IO[bytes]):
        self._path, self._unfinished, self._fps, self._said = path, unfinished, fps, said
        self._ffmpeg: subprocess.Popen | None = None

    def add(self, frame: np.ndarray, count: int) -> None:
        if self._ffmpeg is None:
            self._ffmpeg = self._begin(f"{frame.shape[1]}x{frame.shape[0]}")
        pixels = frame.tobytes()
        try:
            for _ in range(count):
                self._ffmpeg.stdin.write(pixels)
        except OSError as error:
            raise self._failure() from error

    def finish(self) -> None:
        """Waits until the file is whole."""
        with suppress(OSError):  # of what it has not read; its exit code says that it failed
            self._ffmpeg.stdin.close()
        if self._ffmpeg.wait() != 0:
            raise self._failure()

    def stop(self) -> None:
        """Ends FFmpeg, if it has not finished."""
        if self._ffmpeg is not None:
            self._ffmpeg.kill()
            self._ffmpeg.wait()
            with suppress(OSError):
                self._ffmpeg.stdin.close()

    def _begin(self, size: str) -> subprocess.Popen:
        frames = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(self._fps), "-i", "-"]
        words = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *frames, *H264, *PLAYABLE, str(self._unfinished)]
        return subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._said, start_new_session=True
        )  # in a session of its own Ctrl-C does not reach it, which ends this process first

    def _failure(self) -> UserError:
        self._ffmpeg.wait()
        self._said.seek(0)
        reason = self._said.read().decode(errors="replace").strip().partition("\n")[0]
        return UserError(f"cannot write '{self._path}': FFmpeg has stopped{': ' if reason else ''}{reason}")


@contextmanager
def _open_mp4(path: Path, fps: int) -> Iterator[_Mp4Writer]:
    if imageio_ffmpeg is None:
        raise UserError(f"'{path}': an MP4 needs imageio-ffmpeg: pip install imageio-ffmpeg, or write a {GIF}")
    unfinished = partial_path(path)
    try:
        with writing(path):  # a refusal before the film is made, not after it
            unfinished.touch()
        with TemporaryFile() as said:
            writer = _Mp4Writer(path, unfinished, fps, said)
            try:
                yield writer
                writer.finish()
            finally:
                writer.stop()
        with writing(path):
            replace_by(unfinished, path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


class _GifWriter:
    """Keeps frames, packed, until their colours are known."""

    def __init__(self):
        self.frames: list[tuple[bytes, int]] = []
        self.shape: tuple[int, ...] = ()

    def add(self, frame: np.ndarray, count: int) -> None:
        self.shape = frame.shape
        self.frames.append((zlib.compress(frame.tobytes(), 1), count))

    def image(self, number: int) -> Image.Image:
        pixels = np.frombuffer(zlib.decompress(self.frames[number][0]), np.uint8)
        return Image.fromarray(pixels.reshape(self.shape))


@contextmanager
def _open_gif(path: Path, fps: int) -> Iterator[_GifWriter]:
    unfinished = partial_path(path)
    try:
        with writing(path):  # a refusal before the film is made, not after it
            unfinished.touch()
        writer = _GifWriter()
        yield writer
        write_atomic(path, _gif(writer, fps))
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _gif(writer: _GifWriter, fps: int) -> bytes:
    """Returns a GIF that begins again at its end; all frames have the same colours, so what rests takes no room."""
    palette = _palette(writer)
    images = (
        writer.image(number).quantize(palette=palette, dither=Image.Dither.NONE) for number in range(len(writer.frames))
    )
    file = io.BytesIO()
    next(images).save(
        file, "gif", save_all=True, append_images=images, duration=_durations(writer, fps), loop=0, optimize=False
    )
    return file.getvalue()


def _palette(writer: _GifWriter) -> Image.Image:
    """Returns the colours of all frames, as an image that has them as its palette."""
    numbers = np.unique(np.linspace(0, len(writer.frames) - 1, SAMPLES).astype(int))
    samples = np.concatenate([np.asarray(writer.image(number)) for number in numbers])
    found = Image.fromarray(samples).quantize(COLORS, Image.Quantize.MEDIANCUT, kmeans=1)
    colors = np.array(found.getpalette()[: 3 * COLORS]).reshape(-1, 3)
    free = np.ones(len(colors), bool)
    for exact in (PAPER, BACKGROUND):  # wide areas, whose colour one would see to be off
        distances = np.where(free, np.abs(colors - exact).max(axis=1), np.inf)
        near = distances <= max(NEAR, distances.min())
        colors[near], free[near] = exact, False
    found.putpalette(colors.ravel().tolist())
    return found


def _durations(writer: _GifWriter, fps: int) -> list[int]:
    """Returns how long each frame stands, ms: whole hundredths of a second, which add up to real time."""
    ends = np.cumsum([count for _, count in writer.frames]) * 100 / fps
    return (np.diff(np.rint(ends).astype(int), prepend=0) * 10).tolist()
