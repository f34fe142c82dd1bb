"""Trained policies for other software: a chip or simulator (NIR), PyTorch alone, or NumPy alone.

`FORMATS` lists what `ec-evotorch export` writes, `nir_graph`, `torch_program` and `npz_arrays` make each from a policy.
"""

from experiments.export.formats import FORMATS, export_bytes
from experiments.export.nir_graph import nir_graph
from experiments.export.npz_arrays import npz_arrays
from experiments.export.torch_program import torch_program

__all__ = ["FORMATS", "export_bytes", "nir_graph", "npz_arrays", "torch_program"]
