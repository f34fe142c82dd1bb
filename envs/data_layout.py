"""Where the pointers to the arrays of an `mjData` stand in its C struct.

A batch callback receives a bare `mjData*`. The layout of the struct is not part of MuJoCo's Python interface, but the
address of every array is. The offset of a field is the place in the struct that holds this address.
"""

import ctypes

import mujoco
import numpy as np

FIELDS = (
    "qpos",
    "qvel",
    "ctrl",
    "xpos",
    "xipos",
    "cinert",
    "cvel",
    "cfrc_ext",
    "qfrc_actuator",
    "qfrc_constraint",
    "site_xpos",
    "ten_length",
    "ten_velocity",
)
_WORD = 8
_SEARCH_LIMIT = 1 << 20  # bytes; mjData of MuJoCo 4.0 is about 160 kB long


_known: dict[str, int] = {}  # offsets found so far: all models have the same struct


def field_offsets(model: mujoco.MjModel) -> dict[str, int]:
    """Returns the offset in `mjData` of each of `FIELDS`, in bytes; 0 for a field that is empty in this model.

    Raises:
        RuntimeError: If the address of a field is not in the struct, as in an unknown build of MuJoCo.
    """
    data = mujoco.MjData(model)
    arrays = {name: np.asarray(getattr(data, name)) for name in FIELDS}
    addresses = {name: array.ctypes.data for name, array in arrays.items() if array.size}
    wanted = {
        address: name
        for name, address in addresses.items()
        if name not in _known or _word_at(data, _known[name]) != address
    }
    if wanted:
        _known.update(_search(data, wanted))
    return {name: _known[name] if name in addresses else 0 for name in FIELDS}


def _search(data: mujoco.MjData, wanted: dict[int, str]) -> dict[str, int]:
    """Returns the first offset at which each of the addresses stands, by the name of its field."""
    offsets: dict[str, int] = {}
    for offset in range(0, _SEARCH_LIMIT, _WORD):
        name = wanted.get(_word_at(data, offset))
        if name is not None and name not in offsets:
            offsets[name] = offset
            if len(offsets) == len(wanted):
                return offsets
    missing = sorted(set(wanted.values()) - set(offsets))
    raise RuntimeError(f"cannot find {missing} in mjData of MuJoCo {mujoco.__version__}")


def _word_at(data: mujoco.MjData, offset: int) -> int:
    return ctypes.c_uint64.from_address(data._address + offset).value
