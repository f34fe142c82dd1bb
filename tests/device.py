"""The device of Warp on which the tests of kernels run: the CPU, or another one for those who have it.

EC_EVOTORCH_TEST_DEVICE=cuda python -m pytest tests/native/test_warp_device.py tests/envs/test_warp_physics.py
"""

import os

import numpy as np
import pytest

from native.warp_device import find_device, load_warp

DEVICE = os.environ.get("EC_EVOTORCH_TEST_DEVICE", "cpu")


def on_cpu_alone(reason):
    """Marks a test that looks inside Warp's CPU device, or that says what is not so elsewhere."""
    return pytest.mark.skipif(DEVICE != "cpu", reason=reason)


def device_name():
    """Returns the name that the device gives itself in messages: "cuda" is "cuda:0" there."""
    return str(find_device(DEVICE))


def array(values, dtype):
    """Returns an array of Warp on the device."""
    return load_warp().array(np.asarray(values), dtype=dtype, device=DEVICE)


def zeros(shape, dtype=float, device=DEVICE):
    """Returns an array of Warp that holds 0, on the device unless another one is named."""
    return load_warp().zeros(shape, dtype=dtype, device=device)
