"""Sequences of the spiking network on the CPU, with a gradient.

Forward, the agent's own kernel plays them, and its state before every step is kept. Backward,
:mod:`agents.rsnn.bptt_kernel` plays each step once more from there and goes back through it.
"""

import numpy as np
import torch

from agents.rsnn.bptt_kernel import CONSTANTS, SEQUENCES_AT_ONCE, SURROGATES, backpropagate, play
from agents.rsnn.matrix_product import pack


def unroll(agent, solution, kernels, signs, observations, memory, lengths) -> torch.Tensor:
    """:meth:`agents.rsnn.agent.RSNN.unroll` with arguments that have been checked.

    Outputs are those of the agent's kernel, to the last bit; the gradient does not depend on the number of threads.

    Args:
        agent: The :class:`~agents.rsnn.agent.RSNN`.
        solution: (L,) float32, which the kernel plays.
        kernels: The same as kernel_in, kernel_h and kernel_out, through which the gradient flows.
        signs: (n,) 1 where a neuron is excitatory, −1 where inhibitory.
        observations: (T, S, obs_length) float32.
        memory: v_mem, i_syn, rate and spikes, each (S, n).
        lengths: (S,) int64.
    """
    # On the way back the kernels have these factors, and x is the input.
    kernel_in, kernel_h, kernel_out = kernels["kernel_in"], kernels["kernel_h"], kernels["kernel_out"]
    if len(kernel_in) == 2 * agent.obs_length:
        kernel_in = kernel_in[: agent.obs_length] - kernel_in[agent.obs_length :]
    signs = signs.float()[:, None]
    kernels = (agent.r_in * kernel_in, signs * kernel_h, agent.r_out * kernel_out)
    return _Unroll.apply(agent, solution.detach(), signs, observations, memory, lengths, *kernels)


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(ctx, agent, solution, signs, observations, memory, lengths, kernel_in, kernel_h, kernel_out):
        steps, count, _ = observations.shape
        state = agent.initial_state(v_mem=memory[0])
        for part, before in zip((state.i_syn, state.rate, state.spikes), memory[1:], strict=True):
            part.copy_(before)
        native = agent.native(solution[None], np.zeros(count, dtype=np.int64), state)
        _, arrays, _ = native.keepalive
        current = tuple(arrays[name] for name in ("v_mem", "i_syn", "spikes", "i_in", "rate", "output"))
        record = tuple(np.zeros((steps, *array.shape), dtype=array.dtype) for array in current)
        observations = np.ascontiguousarray(observations.detach().numpy(), dtype=np.float32)
        lengths = np.ascontiguousarray(lengths.numpy())
        play(native.function, native.context, lengths, observations, current, record)
        ctx.save_for_backward(kernel_h, signs * kernel_out)
        ctx.agent, ctx.observations, ctx.lengths, ctx.record = agent, observations, lengths, record[:-1]
        return torch.from_numpy(record[-1])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, by_output):
        kernel_h, kernel_out = (kernel.numpy() for kernel in ctx.saved_tensors)
        agent, surrogate, observations = ctx.agent, ctx.agent.surrogate, ctx.observations
        constants = np.zeros(1, dtype=CONSTANTS)
        for name in CONSTANTS.names:
            constants[0][name] = getattr(surrogate if name in ("beta", "gamma") else agent, name)
        chunks = -(-observations.shape[1] // SEQUENCES_AT_ONCE)
        shapes = [(agent.obs_length, agent.num_neurons), kernel_h.shape, kernel_out.shape]
        sums = tuple(np.zeros((chunks, *shape), dtype=np.float32) for shape in shapes)
        backpropagate(
            observations,
            ctx.lengths,
            np.ascontiguousarray(by_output.numpy(), dtype=np.float32),
            ctx.record,
            kernel_h,
            pack(kernel_h.T),
            np.ascontiguousarray(kernel_out.T),
            agent.spike_rates,
            constants,
            SURROGATES.index(surrogate.name),
            surrogate.detach_reset,
            sums,
        )
        by_kernel_in, by_kernel_h, by_kernel_out = (torch.from_numpy(s.sum(axis=0)) for s in sums)
        return None, None, None, None, None, None, by_kernel_in, by_kernel_h, by_kernel_out
