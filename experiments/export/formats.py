"""The formats of `ec-evotorch export` by name, each as the bytes of a file."""

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from ec_evotorch import Policy
from experiments.export.nir_graph import nir_graph
from experiments.export.npz_arrays import npz_arrays
from experiments.export.torch_program import torch_program


class Format(NamedTuple):
    """A format of files.

    Attributes:
        suffix: With which the name of a file ends.
        write: Writes a policy, with the first state of the episode of a seed, into a binary stream.
    """

    suffix: str
    write: Callable[[io.BytesIO, Policy, int], None]


def _write_nir(stream: io.BytesIO, policy: Policy, seed: int) -> None:
    graph = nir_graph(policy, seed)
    import nir  # which an extra brings; `nir_graph` says so

    nir.write(stream, graph)


def _write_torch(stream: io.BytesIO, policy: Policy, seed: int) -> None:
    torch.export.save(torch_program(policy, seed), stream)


def _write_npz(stream: io.BytesIO, policy: Policy, seed: int) -> None:
    np.savez_compressed(stream, **npz_arrays(policy, seed))


FORMATS = {
    "nir": Format(".nir", _write_nir),
    "torch": Format(".pt2", _write_torch),
    "npz": Format(".npz", _write_npz),
}


def export_bytes(policy: Policy, name: str, seed: int = 0) -> bytes:
    """Returns the content of a file that holds a policy.

    Args:
        policy: The policy.
        name: One of `FORMATS`.
        seed: Seed of the episode with whose first state the file begins.

    Raises:
        UserError: If the format cannot hold the agent of the policy, or needs a package that is not installed.
    """
    stream = io.BytesIO()
    FORMATS[name].write(stream, policy, seed)
    return stream.getvalue()
