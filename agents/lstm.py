"""Long short-term memory (LSTM) as an agent."""

from dataclasses import dataclass

import torch
from numba import carray, from_dtype

from agents.dense_agent import STEP_SIGNATURE, HiddenAgent, context_dtype, multiply
from agents.dense_kernel import add_rows, clip_into, sigmoid, tanh
from native.compiled import callback
from native.pointers import copy_row, float32_row, int64_row, pointer_cast

CONTEXT = context_dtype("c", "gates")
_as_context = pointer_cast(from_dtype(CONTEXT))


@dataclass
class LSTMState:
    """State of B slots, updated in place; `output` is the readout of the last step before clipping."""

    h: torch.Tensor  # (B, n) float32 hidden units
    c: torch.Tensor  # (B, n) float32 memory cells
    output: torch.Tensor  # (B, act_length) float32


class LSTM(HiddenAgent):
    """Long short-term memory cells with a linear readout.

    [i, f, g, o] = x W + h U + b;  c ← σ(f) c + σ(i) tanh(g),  h ← σ(o) tanh(c),  output = h V + d.

    A solution holds kernel_in (obs, 4n) = W, kernel_h (n, 4n) = U, kernel_out (n, act) = V, bias (4n,) = b and
    bias_out (act,) = d.

    Args:
        obs_length: Number of observations.
        act_length: Number of actions.
        num_neurons: Number of memory cells n.
        backend: "numba", "torch", or "auto" for numba where tensors are on the CPU.
        device: Where `on_device` makes networks and `initial_state` makes states: "cpu", "cuda", "cuda:1" and so on;
            None for the CPU, without `on_device`. It needs the extra `gpu`, and has not been tried on CUDA devices.

    Raises:
        ValueError: If an argument is out of range, there is no such device, or NVIDIA Warp is needed and not installed.

    Source: Hochreiter and Schmidhuber (1997), https://doi.org/10.1162/neco.1997.9.8.1735, in the form of flax's
    `OptimizedLSTMCell`, which the paper's code uses: 191,121 numbers with 240 observations and 17 actions (paper,
    Table 1).
    """

    CONTEXT = CONTEXT
    STATE = LSTMState

    def __init__(
        self,
        obs_length: int,
        act_length: int,
        num_neurons: int = 128,
        *,
        backend: str = "auto",
        device: str | None = None,
    ):
        super().__init__(obs_length, act_length, num_neurons, "real", backend, device)
        obs_length, act_length, n = self.obs_length, self.act_length, self.num_neurons
        self.parameter_shapes = {
            "kernel_in": (obs_length, 4 * n),
            "kernel_h": (n, 4 * n),
            "kernel_out": (n, act_length),
            "bias": (4 * n,),
            "bias_out": (act_length,),
        }

    def _take_in(self, parameters, x):
        return multiply(x, parameters["kernel_in"]) + parameters["bias"]

    def _recur(self, parameters, from_in, h, c):
        i, f, g, o = (from_in + multiply(h, parameters["kernel_h"])).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def _read_out(self, parameters, h):
        return multiply(h, parameters["kernel_out"]) + parameters["bias_out"]

    def _unroll_hidden(self, parameters, observations, memory, active):
        # What torch.nn.LSTM calls: one operation for all steps. Gates are in the same order; its second bias is 0.
        weights = (parameters["kernel_in"].T, parameters["kernel_h"].T)
        biases = (parameters["bias"], torch.zeros_like(parameters["bias"]))
        first = tuple(part[None].contiguous() for part in memory)
        h, _, _ = torch.lstm(observations, first, (*weights, *biases), True, 1, 0.0, True, False, False)
        return h

    def _native_function(self):
        return lstm_step

    def _scratch_widths(self) -> dict[str, int]:
        return {"gates": 4 * self.num_neurons}


@callback(STEP_SIGNATURE)
def lstm_step(context_address, slot, observation_address, action_address):
    """Steps one slot."""
    context = carray(_as_context(context_address), (1,))[0]
    d, n, a = context.obs_length, context.num_neurons, context.act_length
    member = int64_row(context.members, slot, 1)[0]
    kernel_in = context.solutions + member * context.solution_length * 4
    kernel_h = kernel_in + 4 * d * n * 4
    kernel_out = kernel_h + 4 * n * n * 4
    bias = kernel_out + n * a * 4
    h = float32_row(context.h, slot, n)
    c = float32_row(context.c, slot, n)
    output = float32_row(context.output, slot, a)
    gates = float32_row(context.gates, slot, 4 * n)

    copy_row(float32_row(bias, 0, 4 * n), gates)
    add_rows(float32_row(observation_address, 0, d), kernel_in, gates)
    add_rows(h, kernel_h, gates)
    for j in range(n):
        c[j] = sigmoid(gates[n + j]) * c[j] + sigmoid(gates[j]) * tanh(gates[2 * n + j])
        h[j] = sigmoid(gates[3 * n + j]) * tanh(c[j])
    copy_row(float32_row(bias + 4 * n * 4, 0, a), output)
    add_rows(h, kernel_out, output)
    clip_into(output, float32_row(action_address, 0, a))
