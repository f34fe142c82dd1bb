"""Gated recurrent unit (GRU) as an agent."""

import numpy as np
import torch
from numba import carray, from_dtype

from agents.dense_agent import STEP_SIGNATURE, HiddenAgent, context_dtype, multiply
from agents.dense_kernel import add_rows, clip_into, sigmoid, tanh
from native.compiled import callback
from native.pointers import copy_row, float32_row, int64_row, pointer_cast

CONTEXT = context_dtype("gates_in", "gates_h")
_as_context = pointer_cast(from_dtype(CONTEXT))


class GRU(HiddenAgent):
    """Gated recurrent units with a linear readout.

    r = σ(x W_r + b_r + h U_r),  z = σ(x W_z + b_z + h U_z),  ĥ = tanh(x W_n + b_n + r (h U_n + c)),
    h ← (1 − z) ĥ + z h,  output = h V + d.

    A solution holds kernel_in (obs, 3n) = [W_r, W_z, W_n], kernel_h (n, 3n) = [U_r, U_z, U_n], kernel_out (n, act) = V,
    bias_in (3n,) = [b_r, b_z, b_n], bias_h (n,) = c and bias_out (act,) = d.

    Args:
        obs_length: Number of observations.
        act_length: Number of actions.
        num_neurons: Number of hidden units n.
        backend: "numba", "torch", or "auto" for numba where tensors are on the CPU.
        device: Where `on_device` makes networks and `initial_state` makes states: "cpu", "cuda", "cuda:1" and so on;
            None for the CPU, without `on_device`. It needs the extra `gpu`, and has not been tried on CUDA devices.

    Raises:
        ValueError: If an argument is out of range, there is no such device, or NVIDIA Warp is needed and not installed.

    Source: Cho et al. (2014), https://arxiv.org/abs/1406.1078, in the form of flax's `GRUCell`, which the paper's
    code uses: 386,321 numbers with 240 observations and 17 actions (paper, Table 1).
    """

    CONTEXT = CONTEXT

    def __init__(
        self,
        obs_length: int,
        act_length: int,
        num_neurons: int = 256,
        *,
        backend: str = "auto",
        device: str | None = None,
    ):
        super().__init__(obs_length, act_length, num_neurons, "real", backend, device)
        obs_length, act_length, n = self.obs_length, self.act_length, self.num_neurons
        self.parameter_shapes = {
            "kernel_in": (obs_length, 3 * n),
            "kernel_h": (n, 3 * n),
            "kernel_out": (n, act_length),
            "bias_in": (3 * n,),
            "bias_h": (n,),
            "bias_out": (act_length,),
        }

    def _take_in(self, parameters, x):
        return multiply(x, parameters["kernel_in"]) + parameters["bias_in"]

    def _recur(self, parameters, from_in, h):
        r_in, z_in, n_in = from_in.chunk(3, dim=1)
        r_h, z_h, n_h = multiply(h, parameters["kernel_h"]).chunk(3, dim=1)
        r, z = torch.sigmoid(r_in + r_h), torch.sigmoid(z_in + z_h)
        candidate = torch.tanh(n_in + r * (n_h + parameters["bias_h"]))
        return ((1 - z) * candidate + z * h,)

    def _read_out(self, parameters, h):
        return multiply(h, parameters["kernel_out"]) + parameters["bias_out"]

    def _native_function(self):
        return gru_step

    def _scratch_widths(self) -> dict[str, int]:
        return {"gates_in": 3 * self.num_neurons, "gates_h": 3 * self.num_neurons}


@callback(STEP_SIGNATURE)
def gru_step(context_address, slot, observation_address, action_address):
    """Steps one slot."""
    context = carray(_as_context(context_address), (1,))[0]
    d, n, a = context.obs_length, context.num_neurons, context.act_length
    member = int64_row(context.members, slot, 1)[0]
    kernel_in = context.solutions + member * context.solution_length * 4
    kernel_h = kernel_in + 3 * d * n * 4
    kernel_out = kernel_h + 3 * n * n * 4
    bias_in = kernel_out + n * a * 4
    bias_h = float32_row(bias_in + 3 * n * 4, 0, n)
    h = float32_row(context.h, slot, n)
    output = float32_row(context.output, slot, a)
    gates_in = float32_row(context.gates_in, slot, 3 * n)
    gates_h = float32_row(context.gates_h, slot, 3 * n)

    copy_row(float32_row(bias_in, 0, 3 * n), gates_in)
    add_rows(float32_row(observation_address, 0, d), kernel_in, gates_in)
    gates_h[:] = np.float32(0.0)
    add_rows(h, kernel_h, gates_h)
    for j in range(n):
        r = sigmoid(gates_in[j] + gates_h[j])
        z = sigmoid(gates_in[n + j] + gates_h[n + j])
        candidate = tanh(gates_in[2 * n + j] + r * (gates_h[2 * n + j] + bias_h[j]))
        h[j] = (np.float32(1.0) - z) * candidate + z * h[j]
    copy_row(float32_row(bias_in + 4 * n * 4, 0, a), output)
    add_rows(h, kernel_out, output)
    clip_into(output, float32_row(action_address, 0, a))
