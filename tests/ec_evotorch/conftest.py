"""Golden arrays, a measure of memory and one thread for torch, shared by the tests of the search."""

from pathlib import Path

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def golden_update():
    """Fifteen generations of the published JAX code: theta, fitness, gradient and ρ before, between and after."""
    with np.load(Path(__file__).parents[1] / "golden" / "ec_update.npz") as arrays:
        return dict(arrays)


@pytest.fixture(autouse=True, scope="module")
def one_torch_thread():
    """Arrays this small gain nothing from a second thread, and on a busy machine lose much by waiting for it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def peak_memory():
    """A function that calls another and returns by how many bytes memory grew meanwhile, at its peak."""

    def kibibytes(field):
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1])

    def measure(function):
        try:
            Path("/proc/self/clear_refs").write_text("5")  # sets the peak of resident memory back to its present size
        except OSError:
            pytest.skip("needs Linux's /proc to measure the peak of resident memory")
        before = kibibytes("VmRSS:")
        function()
        return 1024 * (kibibytes("VmHWM:") - before)

    return measure
