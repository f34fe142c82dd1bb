"""The container of everything that a run saves: a description in JSON, arrays in safetensors, and a checksum of both.

A checkpoint is one file of it, a policy two (`policy.json` holds the description, `policy.safetensors` the arrays).
Nothing is pickled, so that reading a file never runs code from it.

A checkpoint holds a nested dictionary of arrays and plain values: the arrays under their path in the dictionary, joined
by "/", and as metadata

    format, format_version    "ec-evotorch checkpoint", "1"
    values                    JSON: path -> number, string, true, false, null or {}
    sha256                    of all the above and of names, types, shapes and bytes of the arrays
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import safetensors
import torch
from safetensors.numpy import load, save

from experiments.run_folder.atomic_write import write_atomic

FORMAT, FORMAT_VERSION = "ec-evotorch checkpoint", "1"
SHA256 = "sha256"  # key of a description


def save_checkpoint(path: Path, tree: dict) -> None:
    """Writes a checkpoint, whole or not at all.

    Args:
        path: Path of the file.
        tree: Dictionaries with string keys, without "/" in them; leaves are tensors, NumPy arrays, numbers, strings,
            booleans and None.

    Raises:
        UserError: If the file cannot be written.
    """
    arrays, values = {}, {}
    for name, leaf in _leaves(tree):
        if isinstance(leaf, torch.Tensor | np.ndarray):
            arrays[name] = np.ascontiguousarray(torch.as_tensor(leaf).detach().cpu().numpy())  # at least 1-d
        else:
            values[name] = leaf
    metadata = {"format": FORMAT, "format_version": FORMAT_VERSION, "values": json.dumps(values)}
    metadata[SHA256] = checksum(metadata, *_contents(arrays))
    write_atomic(path, pack(arrays, metadata))


def load_checkpoint(path: Path) -> dict:
    """Reads the dictionary of a checkpoint, with NumPy arrays.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is damaged or not ours. The message says what is wrong with it.
    """
    content = path.read_bytes()
    arrays, metadata = unpack(content)
    check_format(metadata, FORMAT, FORMAT_VERSION)
    if metadata.get(SHA256) != checksum(metadata, *_contents(arrays)):
        raise ValueError("damaged: the checksum does not fit")
    values = json.loads(metadata.get("values", "null"))
    if not isinstance(values, dict):
        raise ValueError("damaged: expected values by their paths")
    tree: dict = {}
    for name, leaf in {**values, **arrays}.items():
        *parents, key = name.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ValueError(f"damaged: '{name}' and '{parent}' cannot both be values")
        node[key] = leaf
    return tree


def pack(arrays: Mapping[str, np.ndarray], metadata: dict[str, str] | None = None) -> bytes:
    """Returns the content of a safetensors file."""
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata)


def unpack(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Returns the arrays of a safetensors file, sorted by name, and its metadata.

    Raises:
        ValueError: If it is damaged, or no such file.
    """
    try:
        arrays = load(content)
    except (safetensors.SafetensorError, KeyError) as error:
        raise ValueError(f"damaged, or no safetensors file: {error}") from error
    header_size = int.from_bytes(content[:8], "little")  # the format: size of the header, header in JSON, arrays
    return dict(sorted(arrays.items())), json.loads(content[8 : 8 + header_size]).get("__metadata__", {})


def check_format(description: Mapping, name: str, *versions: object) -> None:
    """Checks that a description is one of a format that can be read, in one of the versions that can be.

    Raises:
        ValueError: If it is not.
    """
    if description.get("format") != name:
        raise ValueError(f"foreign: expected an {name}, whose key 'format' says so")
    version = description.get("format_version")
    if version not in versions:
        is_newer = isinstance(version, int) and all(isinstance(known, int) and known < version for known in versions)
        advice = "; a newer version of ec-evotorch wrote it, and can read it" if is_newer else ""
        raise ValueError(f"expected format_version {' or '.join(map(str, versions))}; got {version!r}{advice}")


def checksum(description: Mapping, *contents: bytes) -> str:
    """Returns the SHA-256 of a description, without its own checksum, and of what it describes; in hex."""
    described = {key: value for key, value in description.items() if key != SHA256}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for content in contents:
        digest.update(content)
    return digest.hexdigest()


def _leaves(node: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, child in node.items():
        if isinstance(child, dict) and child:
            yield from _leaves(child, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", child


def _contents(arrays: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    for name, array in sorted(arrays.items()):
        yield f"\n{name} {array.dtype} {array.shape}\n".encode()
        yield array.tobytes()
