"""Vanilla recurrent neural network (RNN) of tanh units as an agent."""

import math

import numpy as np
import torch
from numba import carray, from_dtype

from agents.dense_agent import STEP_SIGNATURE, HiddenAgent, context_dtype, multiply
from agents.dense_kernel import add_boolean_rows, add_rows, clip_into, tanh
from native.arguments import check_in_range, check_positive
from native.compiled import callback
from native.pointers import copy_row, float32_row, int64_row, pointer_cast

CONTEXT = context_dtype("sums", "signed", "signs", constants=("r_in", "r_hidden", "r_out"))
_as_context = pointer_cast(from_dtype(CONTEXT))


class RNN(HiddenAgent):
    """Units h ← tanh(input + recurrence) with a linear readout.

    `connections="real"`: h ← tanh(x W + h U + b), output = h V + d. A solution holds kernel_in (obs, n) = W, kernel_h
    (n, n) = U, kernel_out (n, act) = V, bias (n,) = b, bias_out (act,) = d.

    `connections="boolean"`: 1-bit connections without biases. The input is [x, −x]; the first units are excitatory
    (s = 1), the rest inhibitory (s = −1): h ← tanh(r_in [x, −x] W + r_hidden (s h) U), output = r_out (s h) V. A
    solution holds kernel_in (2 obs, n), kernel_h (n, n), kernel_out (n, act).
    `connections="sign"`: The boolean network, searched over real numbers; a connection exists where its number is
    positive.

    Attributes:
        signs: (n,) float32, 1 for excitatory units and −1 for inhibitory ones. Real connections do not heed it.

    Args:
        obs_length: Number of observations.
        act_length: Number of actions.
        num_neurons: Number of hidden units n.
        connections: Kind of connections: "boolean", "real" or "sign".
        excitatory_ratio: Share of excitatory units, in [0, 1]. Real connections have no signs.
        gain_in: Gain of the input: r_in = gain_in √(1 / (density · obs)).
        gain_hidden: Gain of the recurrence: r_hidden = gain_hidden √(1 / (density · n)).
        gain_out: Gain of the readout: r_out = gain_out √(1 / (density · n)). With 1 the output of a random network
            spreads as its units do, mostly within [−1, 1].
        density: Expected density of boolean connections, for which these scales preserve variance. Gains and density
            make no difference to real connections.
        backend: "numba", "torch", or "auto" for numba where tensors are on the CPU.
        device: Where `on_device` makes networks and `initial_state` makes states: "cpu", "cuda", "cuda:1" and so on;
            None for the CPU, without `on_device`. It needs the extra `gpu`, and has not been tried on CUDA devices.

    Raises:
        ValueError: If an argument is out of range, there is no such device, or NVIDIA Warp is needed and not installed.

    Source: paper, section 6.4 (256 tanh units; 0-1 connections, signs by presynaptic group). Deviation: the paper does
    not say how it scales them; the scales here are those of its spiking network without time constants.
    """

    CONTEXT = CONTEXT

    def __init__(
        self,
        obs_length: int,
        act_length: int,
        num_neurons: int = 256,
        connections: str = "real",
        *,
        excitatory_ratio: float = 0.5,
        gain_in: float = 1.0,
        gain_hidden: float = 1.0,
        gain_out: float = 1.0,
        density: float = 0.5,
        backend: str = "auto",
        device: str | None = None,
    ):
        super().__init__(obs_length, act_length, num_neurons, connections, backend, device)
        obs_length, act_length, n = self.obs_length, self.act_length, self.num_neurons
        excitatory_ratio = check_in_range("excitatory_ratio", excitatory_ratio, 0.0, 1.0)
        density = check_positive("density", density)
        if connections == "real":
            self.parameter_shapes = {
                "kernel_in": (obs_length, n),
                "kernel_h": (n, n),
                "kernel_out": (n, act_length),
                "bias": (n,),
                "bias_out": (act_length,),
            }
        else:
            self.parameter_shapes = {
                "kernel_in": (2 * obs_length, n),
                "kernel_h": (n, n),
                "kernel_out": (n, act_length),
            }
        self.r_in = check_positive("gain_in", gain_in) * math.sqrt(1 / (density * obs_length))
        self.r_hidden = check_positive("gain_hidden", gain_hidden) * math.sqrt(1 / (density * n))
        self.r_out = check_positive("gain_out", gain_out) * math.sqrt(1 / (density * n))
        self.signs = torch.ones(n, dtype=torch.float32, device=self._device)
        self.signs[round(excitatory_ratio * n) :] = -1

    def _take_in(self, parameters, x):
        if self.connections == "real":
            return multiply(x, parameters["kernel_in"]) + parameters["bias"]
        return self.r_in * multiply(torch.cat([x, -x], dim=-1), parameters["kernel_in"].float())

    def _recur(self, parameters, from_in, h):
        if self.connections == "real":
            return (torch.tanh(from_in + multiply(h, parameters["kernel_h"])),)
        signed = self.signs.to(h.device) * h
        return (torch.tanh(from_in + self.r_hidden * multiply(signed, parameters["kernel_h"].float())),)

    def _read_out(self, parameters, h):
        if self.connections == "real":
            return multiply(h, parameters["kernel_out"]) + parameters["bias_out"]
        return self.r_out * multiply(self.signs.to(h.device) * h, parameters["kernel_out"].float())

    def _native_function(self):
        return real_rnn_step if self.connections == "real" else boolean_rnn_step

    def _native_arrays(self, batch_size: int) -> dict[str, np.ndarray]:
        return super()._native_arrays(batch_size) | {"signs": self.signs.cpu().numpy()}

    def _native_numbers(self) -> dict[str, float]:
        scales = {"r_in": self.r_in, "r_hidden": self.r_hidden, "r_out": self.r_out}
        return super()._native_numbers() | scales

    def _scratch_widths(self) -> dict[str, int]:
        return {"sums": self.num_neurons, "signed": max(self.num_neurons, 2 * self.obs_length)}


@callback(STEP_SIGNATURE)
def real_rnn_step(context_address, slot, observation_address, action_address):
    """Steps one slot with real connections."""
    context = carray(_as_context(context_address), (1,))[0]
    d, n, a = context.obs_length, context.num_neurons, context.act_length
    member = int64_row(context.members, slot, 1)[0]
    kernel_in = context.solutions + member * context.solution_length * 4
    kernel_h = kernel_in + d * n * 4
    kernel_out = kernel_h + n * n * 4
    bias = kernel_out + n * a * 4
    h = float32_row(context.h, slot, n)
    output = float32_row(context.output, slot, a)
    sums = float32_row(context.sums, slot, n)

    copy_row(float32_row(bias, 0, n), sums)
    add_rows(float32_row(observation_address, 0, d), kernel_in, sums)
    add_rows(h, kernel_h, sums)
    for j in range(n):
        h[j] = tanh(sums[j])
    copy_row(float32_row(bias + n * 4, 0, a), output)
    add_rows(h, kernel_out, output)
    clip_into(output, float32_row(action_address, 0, a))


@callback(STEP_SIGNATURE)
def boolean_rnn_step(context_address, slot, observation_address, action_address):
    """Steps one slot with boolean connections and signs by presynaptic group."""
    context = carray(_as_context(context_address), (1,))[0]
    d, n, a = context.obs_length, context.num_neurons, context.act_length
    width = max(n, 2 * d)
    member = int64_row(context.members, slot, 1)[0]
    kernel_in = context.solutions + member * context.solution_length
    kernel_h = kernel_in + 2 * d * n
    kernel_out = kernel_h + n * n
    observation = float32_row(observation_address, 0, d)
    h = float32_row(context.h, slot, n)
    output = float32_row(context.output, slot, a)
    sums = float32_row(context.sums, slot, n)
    signs = float32_row(context.signs, 0, n)
    signed_input = float32_row(context.signed, slot, width)[: 2 * d]
    signed_h = float32_row(context.signed, slot, width)[:n]

    for i in range(d):
        signed_input[i] = context.r_in * observation[i]
        signed_input[d + i] = -signed_input[i]
    sums[:] = np.float32(0.0)
    add_boolean_rows(signed_input, kernel_in, sums)
    for j in range(n):
        signed_h[j] = context.r_hidden * signs[j] * h[j]
    add_boolean_rows(signed_h, kernel_h, sums)
    for j in range(n):
        h[j] = tanh(sums[j])
        signed_h[j] = context.r_out * signs[j] * h[j]
    output[:] = np.float32(0.0)
    add_boolean_rows(signed_h, kernel_out, output)
    clip_into(output, float32_row(action_address, 0, a))
