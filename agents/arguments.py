"""Checks of the arrays that agents are given, before a kernel reads their memory.

Each names the argument, what was expected and what came. Kernels read memory by its shape alone: what these checks let
through has that shape.
"""

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from native.arguments import check_whole
from native.warp_device import find_device


def describe(value: object) -> str:
    """Says what was given, in few words."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return "None" if value is None else f"a {type(value).__name__}"


def check_tensor(name: str, value: object, dtype: torch.dtype, shape: str) -> None:
    """Checks that something is a tensor of a data type.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(value, torch.Tensor):
        raise ValueError(f"{name}: expected a {dtype} tensor of shape {shape}, got {describe(value)}")
    if value.dtype != dtype:
        raise ValueError(f"{name}: expected {dtype}, got {value.dtype}")


def name_device(device: object) -> str:
    """Returns the name that a device of Warp gives itself, if tensors of PyTorch can be there too.

    Raises:
        ImportError: If NVIDIA Warp is not installed.
        ValueError: If there is no such device, or PyTorch cannot use it.
    """
    found = find_device(device)
    if found.is_cuda and not torch.cuda.is_available():
        raise ValueError(f"device: expected 'cpu', because PyTorch {torch.__version__} finds no CUDA, got {device!r}")
    return str(found)


def check_members(members: object, batch_size: int, num_solutions: int) -> np.ndarray:
    """Returns the rows that act in the slots, as (B,) int64.

    Args:
        members: B integers, a tensor, an array or a list.
        batch_size: Number of slots B.
        num_solutions: Number of rows N that there are.

    Raises:
        ValueError: If they are not B integers below N.
    """
    expected = f"members: expected {batch_size} rows, one for each slot"
    try:
        rows = members.numpy(force=True) if isinstance(members, torch.Tensor) else np.asarray(members)
    except ValueError:  # lists of different lengths
        raise ValueError(f"{expected}, got {describe(members)} of other things") from None
    if rows.shape != (batch_size,) or rows.dtype.kind not in "iu":
        raise ValueError(
            f"{expected}, got {len(rows) if rows.ndim == 1 and rows.dtype.kind in 'iu' else describe(rows)}"
        )
    if batch_size and (highest := rows.max()) >= num_solutions:
        raise ValueError(f"members: expected rows below {num_solutions}, got {highest}")
    return np.ascontiguousarray(rows, dtype=np.int64)


def check_observations(obs: object, shape: tuple[int, int]) -> torch.Tensor | np.ndarray:
    """Returns observations without a gradient.

    Args:
        obs: A tensor or an array of real numbers.
        shape: (B, obs_length).

    Raises:
        ValueError: If they are something else or have another shape.
    """
    is_tensor = isinstance(obs, torch.Tensor)
    is_real = not obs.is_complex() if is_tensor else isinstance(obs, np.ndarray) and obs.dtype.kind in "fiub"
    if not is_real:
        raise ValueError(f"obs: expected a tensor or an array of numbers of shape {shape}, got {describe(obs)}")
    if tuple(obs.shape) != shape:
        raise ValueError(f"obs: expected shape {shape}, got {tuple(obs.shape)}")
    return obs.detach() if is_tensor else obs


def as_float32(obs: torch.Tensor | np.ndarray) -> torch.Tensor:
    """Returns observations as a float32 tensor, which shares no memory with an array."""
    return obs.float() if isinstance(obs, torch.Tensor) else torch.from_numpy(np.array(obs, dtype=np.float32))


def check_slots(slots: object, seeds: object, batch_size: int) -> tuple[torch.Tensor, list[int]]:
    """Returns the slots in which episodes begin, (n,) int64, and the seeds of these.

    Raises:
        ValueError: If the slots are not whole numbers in [0, B), or there is not one seed for each, which is a
            non-negative whole number.
    """
    try:
        slots, seeds = list(slots), list(seeds)
    except TypeError:
        raise ValueError(f"slots, seeds: expected two lists, got {describe(slots)} and {describe(seeds)}") from None
    slots = [
        check_whole(f"slots[{i}]", _plain(slot), minimum=0, maximum=batch_size - 1) for i, slot in enumerate(slots)
    ]
    seeds = [check_whole(f"seeds[{i}]", _plain(seed), minimum=0) for i, seed in enumerate(seeds)]
    if len(seeds) != len(slots):
        raise ValueError(f"seeds: expected {len(slots)}, one for each slot, got {len(seeds)}")
    return torch.tensor(slots, dtype=torch.int64), seeds


def check_generator(generator: object) -> None:
    """Checks that something is a source of random numbers.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(generator, torch.Generator):
        raise ValueError(f"generator: expected a torch.Generator, got {describe(generator)}")


def form_of(parts: object) -> list[tuple[torch.dtype, tuple[int, ...]]]:
    """Returns data type and shape, without the slots, of each tensor in something that has a row for each slot."""
    return [(leaf.dtype, tuple(leaf.shape[1:])) for leaf in tree_leaves(parts)]


def check_form(name: str, parts: object, form: list, batch_size: int, made_by: str) -> None:
    """Checks that something consists of tensors of a form with a row for each slot.

    Args:
        name: Name of the argument, for the message.
        parts: Tensors in any nesting.
        form: What `form_of` returns of such tensors; None in the place of a data type allows any real one.
        batch_size: Number of slots.
        made_by: What returns such tensors, for the message.

    Raises:
        ValueError: If it does not.
    """
    leaves = tree_leaves(parts)
    tensors = all(isinstance(leaf, torch.Tensor) for leaf in leaves)
    if tensors and all(leaf.ndim and len(leaf) == batch_size for leaf in leaves):
        got_form = form_of(leaves)
        same_types = all(
            dtype == expected or (expected is None and not dtype.is_complex)
            for (dtype, _), (expected, _) in zip(got_form, form, strict=False)
        )
        if same_types and [shape for _, shape in got_form] == [shape for _, shape in form]:
            return
    expected = f"what {made_by} returns of {batch_size} slots, parts of shapes {[(batch_size, *s) for _, s in form]}"
    got = [tuple(leaf.shape) for leaf in leaves] if leaves and tensors else describe(parts)
    raise ValueError(f"{name}: expected {expected}, got {got}")


def _plain(number: object) -> object:
    """Returns the number in a tensor of one element, and anything else as it is."""
    is_whole = isinstance(number, torch.Tensor) and number.ndim == 0 and not number.is_floating_point()
    return number.item() if is_whole else number
