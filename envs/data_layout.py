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


def field_offsets(model: mujoco.MjModel) -> dict[str, int]:
    """Returns the offset in `mjData` of each of `FIELDS`, in bytes; 0 for a field that is empty in this model.

    Raises:
        RuntimeError: If the address of a field is not in the struct, as in an unknown build of MuJoCo.
    """
    data = mujoco.MjData(model)
    sizes = {name: np.asarray(getattr(data, name)).size for name in FIELDS}
    wanted = {getattr(data, name).ctypes.data: name for name in FIELDS if sizes[name]}
    offsets = dict.fromkeys(FIELDS, 0)
    missing = set(wanted.values())
    for offset in range(0, _SEARCH_LIMIT, _WORD):
        name = wanted.get(ctypes.c_uint64.from_address(data._address + offset).value)
        if name in missing:
            offsets[name] = offset
            missing.remove(name)
            if not missing:
                return offsets
    raise RuntimeError(f"cannot find {sorted(missing)} in mjData of MuJoCo {mujoco.__version__}")
