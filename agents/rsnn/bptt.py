"""Sequences of the spiking network on the CPU, with a gradient.

On the way forward the agent's own kernel plays the sequences, and its state before every step is kept. On the way
back `agents.rsnn.bptt_kernel` plays each step once more from there and goes back through it.
"""

import numpy as np
import torch

from agents.rsnn.bptt_kernel import CONSTANTS, SEQUENCES_AT_ONCE, SURROGATES, backpropagate, play
from agents.rsnn.matrix_product import pack


def unroll(agent, solution, kernels, signs, observations, memory, lengths) -> torch.Tensor:
    """Does what `agents.RSNN.unroll` does, with arguments that have been checked.

    The outputs are those of the agent's kernel to the last bit. The gradient does not depend on the number of threads.

    Args:
        agent: The agent, an `agents.RSNN`.
        solution: (L,) float32 parameters, which the kernel plays.
        kernels: The same parameters as kernel_in, kernel_h and kernel_out, through which the gradient flows.
        signs: (n,) signs of the neurons: 1 for excitatory, −1 for inhibitory.
        observations: (T, S, obs_length) float32 observations.
        memory: v_mem, i_syn, rate and spikes, each (S, n).
        lengths: (S,) int64 numbers of steps.

    Returns:
        (T, S, act_length) float32 outputs before clipping.
    """
    # On the way back the kernels have these factors, and x is the input.
    kernel_in, kernel_h, kernel_out = kernels["kernel_in"], kernels["kernel_h"], kernels["kernel_out"]
    if len(kernel_in) == 2 * agent.obs_length:
        kernel_in = kernel_in[: agent.obs_length] - kernel_in[agent.obs_length :]
    signs = signs.float()[:, None]
    constants = agent.constants
    kernels = (constants.r_in * kernel_in, signs * kernel_h, constants.r_out * kernel_out)
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
            constants[0][name] = getattr(surrogate if name in ("beta", "gamma") else agent.constants, name)
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
            agent.constants.spike_rates,
            constants,
            SURROGATES.index(surrogate.name),
            surrogate.detach_reset,
            sums,
        )
        by_kernel_in, by_kernel_h, by_kernel_out = (torch.from_numpy(s.sum(axis=0)) for s in sums)
        return None, None, None, None, None, None, by_kernel_in, by_kernel_h, by_kernel_out
