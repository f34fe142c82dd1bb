"""Golden arrays shared by the tests of the search."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def golden_update():
    """Fifteen generations of the published JAX code: theta, fitness, gradient and ρ before, between and after."""
    with np.load(Path(__file__).parents[1] / "golden" / "ec_update.npz") as arrays:
        return dict(arrays)
