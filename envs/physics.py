"""The part of MuJoCo's batch C API (`mjbatch.h`) that this package uses.

`mujoco.batch` offers the thread pool to Python, but not `mjb_apply`, which runs a C callback on each simulation.
"""

import ctypes
import os
import weakref
from pathlib import Path

import mujoco
import numpy as np

from native.memory import check_memory
from native.threads import default_num_threads


class _BatchConfig(ctypes.Structure):
    _fields_ = (("nthread", ctypes.c_int), ("persistent", ctypes.c_bool))


def _load_library() -> ctypes.CDLL:
    folder = Path(mujoco.__file__).parent
    names = sorted(folder.glob("libmujoco*")) + sorted(folder.glob("mujoco.dll"))
    if not names:
        raise ImportError(f"no MuJoCo library in {folder}; reinstall the package 'mujoco' (>= 4.0)")
    library = ctypes.CDLL(str(names[0]))
    if not hasattr(library, "mjb_apply"):
        raise ImportError(f"MuJoCo {mujoco.__version__} has no batch C API; install mujoco >= 4.0")
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    library.mjb_makeBatch.restype = pointer
    library.mjb_makeBatch.argtypes = [pointer, integer, pointer, ctypes.c_char_p, integer]
    library.mjb_deleteBatch.restype = None
    library.mjb_deleteBatch.argtypes = [pointer]
    library.mjb_apply.restype = integer
    library.mjb_apply.argtypes = [pointer, pointer, integer, pointer, pointer, integer]
    library.mjb_error.restype = ctypes.c_char_p
    library.mjb_error.argtypes = [pointer, integer]
    library.mjb_stateComponent.restype = pointer
    library.mjb_stateComponent.argtypes = [pointer, integer, pointer]
    library.mjb_nstate.restype = integer
    library.mjb_nstate.argtypes = [pointer]
    return library


_LIBRARY = _load_library()


def function_address(name: str) -> int:
    """Returns the address of a function of MuJoCo's C library."""
    return ctypes.cast(getattr(_LIBRARY, name), ctypes.c_void_p).value


class Physics:
    """Simulations of one model on a pool of threads.

    Attributes:
        num_envs: Number of simulations.
        num_threads: Number of threads, including the caller's.

    Args:
        model: The model.
        num_envs: Number of simulations.
        num_threads: Number of threads; 0 for `default_num_threads`. It is no more than that of simulations.

    Raises:
        RuntimeError: If MuJoCo cannot make them.
        TooManyError: If so many cannot be in memory.
    """

    def __init__(self, model: mujoco.MjModel, num_envs: int, num_threads: int):
        if num_threads == 0:
            num_threads = default_num_threads()
        check_memory("num_envs", num_envs, mujoco.MjData(model).nbuffer)  # at least: their stacks come to it
        message = ctypes.create_string_buffer(1000)
        config = _BatchConfig(min(num_threads, num_envs), False)
        self._batch = _LIBRARY.mjb_makeBatch(model._address, num_envs, ctypes.byref(config), message, len(message))
        if not self._batch:
            raise RuntimeError(f"MuJoCo could not make a batch of {num_envs}: {message.value.decode()}")
        self._process = os.getpid()
        self._free = weakref.finalize(self, _free, self._batch, self._process)  # also if nobody closes it
        self._free.atexit = False
        self.num_envs = num_envs
        self.num_threads = config.nthread

    def state(self, component: mujoco.mjtState) -> np.ndarray:
        """Returns a live (num_envs, size) view of one component of the states of all simulations."""
        size = ctypes.c_int()
        address = _LIBRARY.mjb_stateComponent(self._batch, int(component), ctypes.byref(size))
        row = _LIBRARY.mjb_nstate(self._batch)
        count = (self.num_envs - 1) * row + size.value
        flat = np.ctypeslib.as_array((ctypes.c_double * count).from_address(address))
        return np.lib.stride_tricks.as_strided(flat, (self.num_envs, size.value), (row * 8, 8))

    def check_process(self) -> None:
        """Refuses to work in another process than the one that has made this.

        Raises:
            RuntimeError: If this was copied by a fork, which does not copy the threads: MuJoCo would wait for ever.
        """
        if os.getpid() != self._process:
            raise RuntimeError(
                "the environment was made by another process, and a fork does not copy its threads: make it anew in"
                " this process, or start processes by multiprocessing.get_context('spawn')"
            )

    def apply(self, ids: np.ndarray, function: int, argument: int) -> None:
        """Runs a C function on some simulations and keeps the states that it leaves.

        Args:
            ids: (n,) int32 indices of the simulations, sorted and unique.
            function: Address of `void function(mjModel*, mjData*, int id, void* argument)`.
            argument: Address that is passed to the function.

        Raises:
            RuntimeError: If MuJoCo reports an error. The simulations concerned keep the states they had before.
        """
        if _LIBRARY.mjb_apply(self._batch, ids.ctypes.data, ids.size, function, argument, 1):
            failed = {int(i): text for i in ids if (text := _LIBRARY.mjb_error(self._batch, int(i)).decode())}
            raise RuntimeError(f"MuJoCo failed in sub-environments {failed}")

    def close(self) -> None:
        """Frees the simulations, in the process that has made them; a second call does nothing."""
        self._free()
        self._batch = None


def _free(batch: int, process: int) -> None:
    """Frees simulations and their threads, unless a fork has copied the former to another process."""
    if os.getpid() == process:
        _LIBRARY.mjb_deleteBatch(batch)
