"""NVIDIA Warp, an extra: kernels in Python that run on the CPU and on CUDA devices.

Nothing imports Warp unless it is asked for, and everything else works without it. A file of kernels begins with
`wp = load_warp()` and is itself imported where it is needed.
"""

import gc
import logging
import tempfile
import threading
from collections.abc import Callable
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import cache
from types import ModuleType

LOGGER = logging.getLogger(__name__)
_PATIENCE = 10.0  # seconds of launches, after which a user wants to know what takes so long

EXACT = {"fuse_fp": False, "enable_backward": False}
"""Options of modules whose results are those of other code to the last bit: each operation is rounded by itself.

Without `fuse_fp=False` a CUDA device contracts a multiplication and an addition to one that rounds once.
"""


@cache
def load_warp() -> ModuleType:
    """Imports Warp and quiets it: it reports warnings, and no longer each kernel that it loads.

    Returns:
        The module `warp`.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import warp
    except ImportError as error:
        raise ImportError("NVIDIA Warp is not installed: pip install 'ec-evotorch[gpu]'") from error
    if warp.config.log_level == warp.LOG_INFO:  # else somebody has chosen it
        warp.config.log_level = warp.LOG_WARNING
    return warp


def find_device(name: object):
    """Returns the device of Warp that has a name.

    Args:
        name: "cpu", "cuda" for the current CUDA device, or "cuda:0", "cuda:1" and so on.

    Raises:
        ImportError: If Warp is not installed.
        ValueError: If there is no such device.
    """
    wp = load_warp()
    there = [str(device) for device in wp.get_devices()]
    if name in there or (name == "cuda" and wp.is_cuda_available()):
        return wp.get_device(name)
    cards = [one for one in there if one != "cpu"]
    expected = ["'cpu'"] if "cpu" in there else []  # a Warp without its compiler for the CPU has none
    expected += ["'cuda' or one of " + ", ".join(cards)] if cards else ["nothing else, for want of CUDA"]
    raise ValueError(f"device: expected {' or '.join(expected)}; got {name!r}")


def on_torch_stream(device):
    """Returns a context in which launches on a device wait for, and are waited for by, what PyTorch does on it."""
    wp = load_warp()
    return wp.ScopedStream(wp.stream_from_torch(str(device)) if device.is_cuda else None)


def on_warp_stream(device):
    """Returns a context in which PyTorch launches on the stream of Warp, which, unlike its own, a graph can capture."""
    if not device.is_cuda:
        return nullcontext()
    import torch

    return torch.cuda.stream(load_warp().stream_to_torch(device))


def check_array(name: str, array: object, dtype: type, shape: tuple[int | None, ...], device) -> None:
    """Checks an array before a kernel reads its memory by its shape alone.

    Args:
        name: Name of the argument, for the message.
        array: An array of Warp.
        dtype: Type of its elements, one of Warp's.
        shape: Its shape; None in the place of any size.
        device: Device of Warp where it is expected.

    Raises:
        ValueError: If it is something else.
    """
    wp = load_warp()
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    expected = f"an array of {dtype.__name__} of shape ({sizes}) on {device}"
    if not isinstance(array, wp.array):
        raise ValueError(f"{name}: expected {expected}, got a {type(array).__name__}")
    fits = len(array.shape) == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if not fits or not wp.types.types_equal(array.dtype, dtype) or array.device != device:
        got = f"{array.dtype.__name__} of shape {array.shape} on {array.device}"
        raise ValueError(f"{name}: expected {expected}, got {got}")


def launch(kernel, dim: int | tuple[int, ...], inputs: list, outputs: list, device) -> None:
    """Launches a kernel on the current stream of a device, without waiting for it, so that a graph can capture it.

    Args:
        kernel: The kernel.
        dim: Numbers of threads.
        inputs: Its first arguments.
        outputs: The others, which it writes.
        device: Device of Warp where all arrays are.
    """
    load_warp().launch(kernel, dim=dim, inputs=inputs, outputs=outputs, device=device)


def launch_blocks(kernel, blocks: int, inputs: list, outputs: list, device, block_dim: int) -> None:
    """Launches a kernel like `launch`, with a block of threads for each of some indices.

    Args:
        kernel: The kernel, whose thread is at `(index, lane)`.
        blocks: Number of blocks.
        inputs: Its first arguments.
        outputs: The others, which it writes.
        device: Device of Warp where all arrays are.
        block_dim: Lanes of a block. The CPU has one lane unless `warp.config.enable_cpu_blocks` is set.
    """
    load_warp().launch_tiled(kernel, dim=blocks, inputs=inputs, outputs=outputs, device=device, block_dim=block_dim)


class Graph:
    """Launches that `capture` has recorded, which are replayed without most of Python.

    Args:
        device: Device of Warp.
    """

    def __init__(self, device):
        self._device, self._parts = device, []

    def replay(self) -> None:
        """Launches all of it once more, without waiting for it."""
        for part in self._parts:
            part()

    def record(self, launch_all: Callable[[], None]) -> None:
        """Records what a function launches; see `capture`."""
        wp, token = load_warp(), _RECORDING.set(self)
        with _garbage_waits():
            wp.capture_begin(device=self._device)
            try:
                launch_all()
            except BaseException:
                with suppress(Exception):  # what was raised says more than that the graph is incomplete
                    self._end()
                raise
            finally:
                _RECORDING.reset(token)
            self._end()

    def interrupt(self, function: Callable[[], None]) -> None:
        """Ends the graph of Warp that is being recorded, and begins another; a replay calls a function between them."""
        self._end()
        self._parts.append(function)
        load_warp().capture_begin(device=self._device)

    def _end(self) -> None:
        wp = load_warp()
        graph = wp.capture_end(device=self._device)
        self._parts.append(lambda: wp.capture_launch(graph))


@contextmanager
def _garbage_waits():
    """Keeps Python from collecting garbage: a CUDA graph is lost if memory of PyTorch is freed while it is recorded."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


_RECORDING: ContextVar[Graph | None] = ContextVar("graph that is being recorded", default=None)


def launch_function(function: Callable[[], None], device) -> None:
    """Calls a function that launches by other means than Warp's, such as PyTorch, so that `capture` records it.

    A CUDA graph records what is launched on its stream, whoever does it, and the function must launch there. Warp's
    graphs on a CPU record kernels of Warp alone: `capture` then makes two, and a replay calls the function between
    them.

    Args:
        function: Function that launches and does nothing else. What it allocates on a CUDA device while a graph is
            recorded must not be given to others afterwards.
        device: Device of Warp.

    Raises:
        RuntimeError: If a graph of Warp is being recorded on a CPU otherwise than by `capture`, which would lose it.
    """
    if device.is_cuda or not device.is_capturing:
        function()
        return
    graph = _RECORDING.get()
    if graph is None:
        raise RuntimeError("expected native.warp_device.capture: a graph of Warp on a CPU records kernels alone")
    graph.interrupt(function)


def capture(launch_all: Callable[[], None], device) -> Graph:
    """Records launches as a graph.

    They are carried out once before, because kernels must be compiled and loaded when a graph records them. If that
    takes long, a warning says why.

    Args:
        launch_all: Function that launches, or lets `launch_function` do so, and does nothing else.
        device: Device of Warp.
    """
    words = "compiling kernels for the device %s: a minute or more, once only"
    waiting = threading.Timer(_PATIENCE, LOGGER.warning, [words, device])
    waiting.daemon = True
    waiting.start()
    try:
        launch_all()
    finally:
        waiting.cancel()
    graph = Graph(device)
    graph.record(launch_all)
    return graph


def ptx_of(kernel, arch: int = 90) -> str:
    """Compiles the module of a kernel for a CUDA architecture, which needs neither a driver nor a GPU.

    Args:
        kernel: The kernel.
        arch: Compute capability times ten: 90 is Hopper.

    Returns:
        The assembly text.
    """
    with tempfile.TemporaryDirectory() as folder:
        (path,) = load_warp().compile_aot_module(kernel.module, arch=arch, use_ptx=True, module_dir=folder)
        return path.read_text()
