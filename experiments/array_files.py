"""Arrays for kernels in files of the user's own, which a configuration names: CSV, and NumPy's npz."""

from collections.abc import Collection

import numpy as np
from omegaconf import DictConfig, OmegaConf

from agents.rsnn.connection_mask import pack_mask
from experiments.errors import UserError

MASK = "agent.connection_mask"
FILES = (".csv", ".npz")


def read_arrays(key: str, name: str, required: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Reads the arrays of an npz file by name.

    Args:
        key: Dotted key that names the file, for messages.
        name: Path of the file.
        required: Arrays that must be there.

    Raises:
        UserError: If it cannot be read, or one is missing.
    """
    try:
        with np.load(name, allow_pickle=False) as arrays:
            found = {array: arrays[array] for array in arrays.files}
    except Exception as error:  # NumPy raises what the zip archive and the arrays in it raise
        raise UserError(f"{key}: '{name}': expected arrays of NumPy (npz): {reason(error)}") from error
    if missing := [array for array in required if array not in found]:
        got = ", ".join(found) or "none"
        raise UserError(
            f"{key}: '{name}': expected the arrays {', '.join(required)}; there is no {missing[0]}, but {got}"
        )
    return found


def read_matrix(key: str, name: object) -> np.ndarray:
    """Reads the rows of a CSV file without a header as (rows, columns) float64.

    Args:
        key: Dotted key that names the file, for messages.
        name: Path of the file.

    Raises:
        UserError: If it cannot be read.
    """
    if not isinstance(name, str) or not name.endswith(".csv"):
        raise UserError(f"{key}: expected the name of a CSV file; got {name!r}")
    try:
        with open(name, encoding="utf-8-sig") as file:
            rows = [line for line in file if line.strip()]
        if not rows:
            raise ValueError("it is empty")
        return np.loadtxt(rows, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise UserError(f"{key}: '{name}': expected rows of numbers with commas: {reason(error)}") from error


def embed_mask(config: DictConfig) -> None:
    """Puts what a file says in the place of its name in `agent.connection_mask`.

    So a run needs no file but its own, wherever it is moved, and its policy neither.

    Args:
        config: A whole configuration, changed in place: the name of an npz file becomes its kernels as text, and so
            does the name of a CSV file in the place of a kernel.

    Raises:
        UserError: If a file cannot be read, or holds something else than 0 and 1.
    """
    mask = OmegaConf.select(config, MASK)
    if isinstance(mask, str):
        if not mask.endswith(".npz"):
            raise UserError(f"{MASK}: expected density and seed, a mask for each kernel, or an npz file; got '{mask}'")
        config.agent.connection_mask = _packed(MASK, read_arrays(MASK, mask))
    elif isinstance(mask, DictConfig):
        for kernel, given in mask.items():
            if isinstance(given, str) and given.endswith(".csv"):
                key = f"{MASK}.{kernel}"
                mask[kernel] = _packed(key, {kernel: read_matrix(key, given)})[kernel]


def reason(error: Exception) -> object:
    """Returns why something failed, without the name of the file, which the message has already."""
    return getattr(error, "strerror", None) or error


def _packed(key: str, arrays: dict[str, np.ndarray]) -> dict[str, str]:
    try:
        return pack_mask(arrays)
    except ValueError as error:
        raise UserError(str(error).replace("connection_mask", key.removesuffix(f".{next(iter(arrays))}"), 1)) from error
