"""Files of films: MP4 by FFmpeg and GIF by Pillow, each whole or not there at all."""

import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from experiments.errors import UserError
from experiments.run_folder.atomic_write import partial_path, replace_by, write_atomic, writing

MP4, GIF = ".mp4", ".gif"
SUFFIXES = (MP4, GIF)
MOST_FPS = {MP4: 50, GIF: 25}  # unless more are asked for; what most screens, and most pages, show smoothly
FASTEST_GIF = 50  # frames per second; programs slow down what is faster
QUALITY = ["-crf", "20", "-preset", "medium"]  # of H.264: no loss that one would see
PLAYABLE = ["-movflags", "+faststart", "-fflags", "+bitexact", "-flags:v", "+bitexact"]  # in pages; alike every time
COLORS = 64  # of a GIF: enough for a body, a floor and two colours of spikes
SAMPLES = 24  # frames that the colours of a GIF are taken from


class VideoWriter(Protocol):
    """Takes the frames of a film."""

    def add(self, frame: np.ndarray, count: int) -> None:
        """Adds a (height, width, 3) uint8 frame, so many times."""


@contextmanager
def open_video(path: Path, width: int, height: int, fps: int) -> Iterator[VideoWriter]:
    """Writes a film, which is at its place when the block ends; if an error ends it, what was there before stays.

    Args:
        path: Path of the film, with one of `SUFFIXES`.
        width: Width of its frames, pixels; even for MP4.
        height: Height of its frames, pixels; even for MP4.
        fps: Frames per second.

    Raises:
        UserError: If it cannot be written, or FFmpeg is not installed for an MP4.
    """
    if path.suffix == GIF:
        with _open_gif(path, fps) as writer:
            yield writer
    else:
        with _open_mp4(path, width, height, fps) as writer:
            yield writer


class _Mp4Writer:
    def __init__(self, path: Path, send):
        self._path, self._send = path, send

    def add(self, frame: np.ndarray, count: int) -> None:
        for _ in range(count):
            try:
                self._send(np.ascontiguousarray(frame))
            except OSError as error:  # whose text is all that FFmpeg has said
                raise UserError(f"cannot write '{self._path}': FFmpeg has stopped") from error


@contextmanager
def _open_mp4(path: Path, width: int, height: int, fps: int) -> Iterator[_Mp4Writer]:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise UserError(
            f"'{path}': an MP4 needs imageio-ffmpeg (pip install imageio-ffmpeg); a name that ends in {GIF} does not"
        ) from error
    unfinished = partial_path(path)
    with writing(path):
        unfinished.touch()
    try:
        frames = imageio_ffmpeg.write_frames(
            str(unfinished),
            (width, height),
            fps=fps,
            codec="libx264",
            macro_block_size=2,
            quality=None,
            output_params=[*QUALITY, *PLAYABLE, "-f", "mp4"],
        )
        frames.send(None)
        try:
            yield _Mp4Writer(path, frames.send)
        finally:
            frames.close()
        with writing(path):
            replace_by(unfinished, path)
    finally:
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
    with writing(path):  # a refusal before the film is made, not after it
        partial_path(path).touch()
    try:
        writer = _GifWriter()
        yield writer
        write_atomic(path, _gif(writer, fps))
    finally:
        partial_path(path).unlink(missing_ok=True)


def _gif(writer: _GifWriter, fps: int) -> bytes:
    """Returns a GIF that begins again at its end. All frames have the same colours, so that what rests takes no room."""
    numbers = np.unique(np.linspace(0, len(writer.frames) - 1, SAMPLES).astype(int))
    samples = np.concatenate([np.asarray(writer.image(number)) for number in numbers])
    palette = Image.fromarray(samples).quantize(COLORS, Image.Quantize.MEDIANCUT, kmeans=1)
    images = (
        writer.image(number).quantize(palette=palette, dither=Image.Dither.NONE) for number in range(len(writer.frames))
    )
    file = io.BytesIO()
    next(images).save(
        file, "gif", save_all=True, append_images=images, duration=_durations(writer, fps), loop=0, optimize=False
    )
    return file.getvalue()


def _durations(writer: _GifWriter, fps: int) -> list[int]:
    """Returns how long each frame stands, ms: whole hundredths of a second, which add up to real time."""
    ends = np.cumsum([count for _, count in writer.frames]) * 100 / fps
    return (np.diff(np.rint(ends).astype(int), prepend=0) * 10).tolist()
