"""A nested dictionary of arrays and plain values in one checksummed file. Nothing is pickled.

The file is safetensors: arrays under their path in the dictionary, joined by "/", and as metadata

    format, format_version    "ec-evotorch checkpoint", "1"
    values                    JSON: path -> number, string, true, false, null or {}
    sha256                    of all the above and of names, types, shapes and bytes of the arrays
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import safetensors
import torch
from safetensors.numpy import save

from experiments.run_folder.atomic_write import write_atomic

FORMAT, FORMAT_VERSION = "ec-evotorch checkpoint", "1"


def save_checkpoint(path: Path, tree: dict) -> None:
    """Writes a checkpoint, whole or not at all.

    Args:
        path: Of the file.
        tree: Dictionaries with string keys, without "/" in them; leaves are tensors, NumPy arrays, numbers, strings,
            booleans and None.

    Raises:
        UserError: If the file cannot be written.
    """
    arrays, values = {}, {}
    for name, leaf in _leaves(tree):
        if isinstance(leaf, torch.Tensor | np.ndarray):
            arrays[name] = np.ascontiguousarray(torch.as_tensor(leaf).detach().cpu().numpy())
        else:
            values[name] = leaf
    metadata = {"format": FORMAT, "format_version": FORMAT_VERSION, "values": json.dumps(values)}
    metadata["sha256"] = _checksum(metadata, arrays)
    write_atomic(path, save(arrays, metadata))


def load_checkpoint(path: Path) -> dict:
    """Reads the dictionary of a checkpoint, arrays as NumPy's.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is damaged or not ours: what is wrong with it.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (safetensors.SafetensorError, KeyError) as error:
        raise ValueError(f"damaged, or no safetensors file: {error}") from error
    if metadata.get("format") != FORMAT:
        raise ValueError(f"foreign: its metadata does not say that it is an {FORMAT}")
    if metadata.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"of format_version {metadata.get('format_version')}; expected {FORMAT_VERSION}")
    if metadata.pop("sha256", None) != _checksum(metadata, arrays):
        raise ValueError("damaged: the checksum does not fit")
    tree: dict = {}
    for name, leaf in {**json.loads(metadata["values"]), **arrays}.items():
        *parents, key = name.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[key] = leaf
    return tree


def _leaves(node: dict, prefix: str = ""):
    for key, child in node.items():
        if isinstance(child, dict) and child:
            yield from _leaves(child, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", child


def _checksum(metadata: dict[str, str], arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"\n{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
