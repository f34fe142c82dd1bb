"""A MuJoCo model and the worlds that simulate it, in a device's memory."""

import copy
from dataclasses import is_dataclass
from functools import partial
from types import ModuleType

import mujoco

from envs.warp.contact_frames import align_capsules
from envs.warp.sizes import Sizes, bound_sizes
from native.memory import check_memory
from native.warp_device import load_warp

ITERATIONS = 20  # most ones of Newton's method; a world that has diverged would keep the others waiting
_NOT_LOST = ("ITERATIONS", "LS_ITERATIONS", "CONTACT_MATCH", "TACTILE")  # solved less exactly, or sensors' alone


def load_mujoco_warp() -> ModuleType:
    """Imports MuJoCo Warp.

    Returns:
        The module `mujoco_warp`.

    Raises:
        ImportError: If it or Warp is not installed.
    """
    load_warp()
    try:
        import mujoco_warp
    except ImportError as error:
        raise ImportError("MuJoCo Warp is not installed: pip install 'ec-evotorch[gpu]'") from error
    return mujoco_warp


def make_worlds(model: mujoco.MjModel, num_worlds: int, device, deterministic: bool, sizes: Sizes | None = None):
    """Puts a model and its simulations on a device.

    Deviation: Newton's method replaces the solver PGS, which MuJoCo Warp does not have. Where PGS converges the two
    agree up to rounding; of a humanoid that has fallen 50 of its iterations are not always enough.

    Args:
        model: The model, which stays as it is.
        num_worlds: Number of simulations.
        device: Device of Warp.
        deterministic: Whether a CUDA device adds up in an order that repeats. MuJoCo Warp 4.0.0 does not yet put
            contacts and rows of constraints in order (`_sort_contacts` and `_sort_constraints` are empty there), so
            worlds with several of them may differ in their last bits from run to run all the same.
        sizes: Room for contacts and constraints; None for as much as there can ever be.

    Returns:
        MuJoCo Warp's `Model` and `Data`, the room that there is, and the bits of `Data.overflow` that say that contacts
        or constraints of a world were lost.

    Raises:
        ImportError: If MuJoCo Warp is not installed.
        ValueError: If it cannot simulate the model.
        TooManyError: If so many simulations cannot be in the host's memory.
    """
    mjw = load_mujoco_warp()
    _check_state(model)
    model = copy.copy(model)
    if model.opt.solver == mujoco.mjtSolver.mjSOL_PGS:
        model.opt.solver = mujoco.mjtSolver.mjSOL_NEWTON
    if sizes is None:
        sizes = bound_sizes(model)
    try:
        with load_warp().ScopedDevice(device):
            m = mjw.put_model(model)
            make_data = partial(mjw.make_data, model, nconmax=sizes.contacts, njmax=sizes.rows)
            if device.is_cpu:  # a CUDA device refuses by itself
                one, two = (_count_bytes(make_data(nworld=n)) for n in (1, 2))
                check_memory("num_envs", num_worlds, two - one)
            d = make_data(nworld=num_worlds)
    except (NotImplementedError, ValueError) as error:
        raise ValueError(f"physics: MuJoCo Warp cannot simulate this model: {error}") from error
    m.opt.warn_overflow = 0  # kernels would print; `Data.overflow` tells
    if model.opt.solver == mujoco.mjtSolver.mjSOL_NEWTON:
        m.opt.iterations = min(m.opt.iterations, ITERATIONS)
    m.opt.deterministic = int(mjw.DeterminismType.ALL if deterministic else mjw.DeterminismType.NONE)
    m.callback.contactfilter = align_capsules
    lost = int(mjw.OverflowType.ALL) & ~sum(int(mjw.OverflowType[name]) for name in _NOT_LOST)
    return m, d, sizes, lost


def _count_bytes(data) -> int:
    """Returns the memory of all arrays of a `Data` and of its parts."""
    wp, parts = load_warp(), vars(data).values()
    own = sum(part.size * wp.types.type_size_in_bytes(part.dtype) for part in parts if isinstance(part, wp.array))
    return own + sum(_count_bytes(part) for part in parts if is_dataclass(part))


def _check_state(model: mujoco.MjModel) -> None:
    """Refuses models of which MuJoCo keeps more from step to step than `envs.warp.episode_kernels.begin` writes.

    Raises:
        ValueError: If the model is one.
    """
    kept = {
        "delayed actuators or sensors": model.nhistory,
        "plastic joints or tendons": model.nplastic,
        "sleeping bodies": model.opt.enableflags & mujoco.mjtEnableBit.mjENBL_SLEEP,
    }
    for what, number in kept.items():
        if number:
            raise ValueError(f"physics: expected a model without {what} with physics='warp'")
