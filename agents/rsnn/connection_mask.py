"""Connections that cannot exist: they are no part of a solution, so that no search ever sees them."""

import base64
import binascii
import math
from collections.abc import Mapping

import numpy as np
import torch

from agents.rsnn.anatomy import BLOCKS, block_views
from native.arguments import check_in_range, check_whole

_PURPOSE = 0x4D61736B  # keeps these random numbers apart from others drawn from the same seed
_FEW_RUNS = 16
_PACKED = "bits_"  # begins a kernel that is written as text


class ConnectionMask:
    """Which entries of the kernels can be connections.

    Attributes:
        possible: Name -> bool array in the shape of the kernel, for every kernel: True where a connection can exist.
        solution_length: How many can, L.

    Args:
        mask: Either `density` and `seed`, see `draw_mask`; or a mapping from the names of some kernels to arrays in
            their shapes of booleans (or of 0 and 1), or to such an array as `pack_mask` writes it. All connections of
            the other kernels can exist.
        shapes: Shapes of all kernels by name, in the order in which they stand in a solution.
        num_excitatory: As for `draw_mask`.

    Raises:
        ValueError: If the mask is something else, or no connection is left.
    """

    def __init__(self, mask: Mapping, shapes: Mapping[str, tuple[int, ...]], num_excitatory: int | None = None):
        keys = set(mask) if isinstance(mask, Mapping) else set()
        if not keys or not (keys <= {"density", "seed"} or keys <= set(shapes)):
            got = f"the keys {', '.join(map(str, mask))}" if keys else repr(mask)
            raise ValueError(
                "connection_mask: expected the keys density and seed, or an array of truth values for some of "
                f"{', '.join(shapes)}; got {got}"
            )
        if "density" in mask or "seed" in mask:
            self.possible = draw_mask(shapes, mask.get("density"), mask.get("seed", 0), num_excitatory)
        else:
            self.possible = {name: _kernel(name, mask.get(name), shape) for name, shape in shapes.items()}
        self._length = sum(kernel.size for kernel in self.possible.values())
        places = np.flatnonzero(np.concatenate([kernel.ravel() for kernel in self.possible.values()]))
        if not len(places):
            raise ValueError("connection_mask: expected connections that can exist, got none")
        self._places, self.solution_length = torch.from_numpy(places), len(places)
        self._runs = _find_runs(places)

    def spread(self, solutions: torch.Tensor) -> torch.Tensor:
        """Returns (N, L) solutions as all kernels one after the other, with 0 for what cannot exist; differentiable."""
        kernels = torch.zeros(len(solutions), self._length, dtype=solutions.dtype, device=solutions.device)
        solutions = solutions.as_subclass(torch.Tensor)
        if len(self._runs) > _FEW_RUNS:
            kernels[:, self._places.to(solutions.device)] = solutions
        else:  # as where whole kernels are left out: copying them is several times faster
            for place, first, length in self._runs:
                kernels[:, place : place + length] = solutions[:, first : first + length]
        return kernels

    def gather(self, kernels: torch.Tensor) -> torch.Tensor:
        """Returns the (N, L) solutions that are in all kernels, one after the other: the reverse of `spread`."""
        return kernels[:, self._places.to(kernels.device)]


def _find_runs(places: np.ndarray) -> list[tuple[int, int, int]]:
    """Returns the runs of places that follow one another: the first place, its number, and how many there are."""
    firsts = np.flatnonzero(np.diff(places, prepend=-2) != 1)
    lengths = np.diff(firsts, append=len(places))
    return list(zip(places[firsts].tolist(), firsts.tolist(), lengths.tolist(), strict=True))


def draw_mask(
    shapes: Mapping[str, tuple[int, ...]], density, seed: int, num_excitatory: int | None = None
) -> dict[str, np.ndarray]:
    """Draws which connections can exist, each with the same chance within its kernel or block.

    Args:
        shapes: Shapes of the kernels by name.
        density: Share of the connections of each kernel that can exist, in [0, 1]: a number, or one for each of some
            kernels, with 1 for the others. Exactly round(density · size) can. In the place of a kernel or besides it,
            the blocks of `agents.rsnn.anatomy.BLOCKS`, such as "E_I", may have numbers of their own.
        seed: Chooses them; a whole number of at least 0.
        num_excitatory: How many neurons are excitatory; they are the first. None where there are no kinds of neurons,
            and so no blocks.

    Returns:
        Name -> bool array in the shape of the kernel.

    Raises:
        ValueError: If a density or the seed is out of range, or a kernel or block is unknown.
    """
    seed = check_whole("connection_mask.seed", seed, minimum=0)
    name = "connection_mask.density"
    blocks = () if num_excitatory is None else [block for block, kernel in BLOCKS.items() if kernel in shapes]
    is_mapping = isinstance(density, Mapping)
    if is_mapping and not set(density) <= {*shapes, *blocks}:
        known = ", ".join([*shapes, *blocks])
        raise ValueError(f"{name}: expected a number, or one for some of {known}; got {dict(density)!r}")
    shares = dict(density) if is_mapping else dict.fromkeys(shapes, density)
    shares = {part: check_in_range(f"{name}.{part}" if is_mapping else name, shares[part], 0.0, 1.0) for part in shares}
    orders = {
        kernel: np.random.default_rng([seed, _PURPOSE, number]).permutation(math.prod(shape)).reshape(shape)
        for number, (kernel, shape) in enumerate(shapes.items())
    }
    drawn = {kernel: _first(order, shares.get(kernel, 1.0)) for kernel, order in orders.items()}
    if blocks:
        parts, views = block_views(orders, num_excitatory), block_views(drawn, num_excitatory)
        for block in shares.keys() & views.keys():
            views[block][:] = _first(parts[block], shares[block])
    return drawn


def _first(order: np.ndarray, share: float) -> np.ndarray:
    """Returns which of some different numbers are among the smallest, of which there are round(share · size)."""
    ranks = np.empty(order.size, dtype=np.int64)
    ranks[np.argsort(order, axis=None)] = np.arange(order.size)
    return (ranks < round(share * order.size)).reshape(order.shape)


def pack_mask(mask: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Returns the kernels of a mask as texts, for a configuration: bits_4x3_… with the bits in URL-safe Base64.

    Raises:
        ValueError: If one holds something else than truth values, or 0 and 1.
    """
    packed = {}
    for name, given in mask.items():
        kernel = _kernel(name, given, np.shape(given))
        bits = base64.urlsafe_b64encode(np.packbits(kernel).tobytes()).decode().rstrip("=")
        packed[name] = f"{_PACKED}{_size(kernel.shape)}_{bits}"
    return packed


def _kernel(name: str, given, shape: tuple[int, ...]) -> np.ndarray:
    """Returns a kernel of the mask as a bool array."""
    if given is None:
        return np.ones(shape, dtype=bool)
    expected = f"connection_mask.{name}: expected truth values, or 0 and 1, of shape {tuple(shape)}"
    if isinstance(given, str):
        return _unpack(given, shape, expected)
    try:
        kernel = np.asarray(given)
    except ValueError:  # lists of different lengths
        raise ValueError(f"{expected}; got lists of different lengths") from None
    if kernel.shape != tuple(shape):
        raise ValueError(f"{expected}; got {kernel.dtype} of shape {kernel.shape}")
    if kernel.dtype.kind not in "biuf" or not ((kernel == 0) | (kernel == 1)).all():
        raise ValueError(f"{expected}; got other values of {kernel.dtype}")
    return kernel.astype(bool)


def _unpack(text: str, shape: tuple[int, ...], expected: str) -> np.ndarray:
    size, (said, _, encoded) = math.prod(shape), text.removeprefix(_PACKED).partition("_")
    try:
        packed = np.frombuffer(base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True), np.uint8)
    except (binascii.Error, ValueError):
        packed = np.empty(0, np.uint8)
    if not text.startswith(_PACKED) or said != _size(shape) or len(packed) != -(-size // 8):
        shown = text if len(text) < 40 else f"{text[:37]}..."
        raise ValueError(f"{expected}; got the text {shown!r}")
    return np.unpackbits(packed, count=size).reshape(shape).astype(bool)


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
