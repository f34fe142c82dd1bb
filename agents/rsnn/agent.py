"""Recurrent spiking neural network (RSNN) as an agent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from agents.agent import check_positive
from agents.compiled_agent import CompiledAgent
from agents.rsnn.bptt import unroll
from agents.rsnn.differentiable_step import advance, make_neuron
from agents.rsnn.dynamics import lerp, lif_step, weighted_sum
from agents.rsnn.step_kernel import CONTEXT, FLAGS_AT_ONCE, boolean_step, real_step
from agents.rsnn.surrogate import Surrogate

_PURPOSE_V_MEM = 0x7652534E  # keeps these random numbers apart from others drawn from the same episode's seed


@dataclass
class RSNNState:
    """State of B slots, updated in place; ``output`` is the readout of the last step before clipping."""

    v_mem: torch.Tensor  # (B, n) float32 membrane potential, threshold 1
    i_syn: torch.Tensor  # (B, n) float32 synaptic current
    rate: torch.Tensor  # (B, n) float32 filtered firing rate, spikes per ms, signed by Dale's law
    spikes: torch.Tensor  # (B, n) int8 spikes of the last substep: −1 inhibitory, 0, 1
    output: torch.Tensor  # (B, act_length) float32


class RSNN(CompiledAgent):
    """Leaky integrate-and-fire neurons with exponential synapses, an input and a readout layer.

    ``connections="boolean"``: 1-bit connections. The input is [x, −x]; the first neurons are excitatory, the rest
    inhibitory, and a neuron's sign holds in the recurrent kernel and in the readout (Dale's law).
    ``connections="real"``: float32 weights, input x, no signs.
    ``connections="sign"``: the boolean network, searched over real numbers: a connection exists where its number is
    positive (paper, Appendix C).

    A solution is kernel_in, kernel_h and kernel_out flattened row-major, presynaptic index first.

    Args:
        obs_length: Observations.
        act_length: Actions.
        num_neurons: Neurons n.
        connections: "boolean", "real" or "sign".
        excitatory_ratio: Share of excitatory neurons (not with real connections).
        step_duration: Simulated time of one environment step, ms.
        dt: Substep, ms; there are round(step_duration / dt) in a step.
        tau_syn: Synaptic time constant, ms.
        tau_mem: Membrane time constant, ms.
        tau_out: Time constant of the firing rate that is read out, ms.
        threshold: Membrane potential above which a neuron fires.
        gain_in: Scale of the input resistance.
        gain_hidden: Scale of the recurrent resistance.
        gain_out: Scale of the readout.
        density: Expected density of connections for which the resistances preserve variance; None means 1 for
            real connections and 0.5 for others.
        surrogate: What :meth:`unroll` uses for the derivative of a spike: ``name`` and ``beta``, and perhaps ``gamma``
            and ``detach_reset``, of :class:`~agents.rsnn.surrogate.Surrogate`. None means SuperSpike with β 10.
        backend: "numba", "torch", or "auto": numba where tensors are on the CPU.

    Raises:
        ValueError: an argument out of range.

    Source: paper, Eq. 3 to 7 and Table 6. Deviation: Table 6's resistances, with the published code's factor for the
    density and its R_out = gain_out √(1 / (density · n)).
    """

    CONTEXT = CONTEXT

    def __init__(
        self,
        obs_length: int,
        act_length: int,
        num_neurons: int = 256,
        connections: str = "boolean",
        *,
        excitatory_ratio: float = 0.5,
        step_duration: float = 16.6,
        dt: float = 0.5,
        tau_syn: float = 5.0,
        tau_mem: float = 10.0,
        tau_out: float = 10.0,
        threshold: float = 1.0,
        gain_in: float = 0.1,
        gain_hidden: float = 1.0,
        gain_out: float = 5.0,
        density: float | None = None,
        surrogate: Mapping | None = None,
        backend: str = "auto",
    ):
        super().__init__(obs_length, act_length, num_neurons, connections, backend)
        real = connections == "real"
        density = (1.0 if real else 0.5) if density is None else density
        check_positive(
            step_duration=step_duration,
            dt=dt,
            tau_syn=tau_syn,
            tau_mem=tau_mem,
            tau_out=tau_out,
            threshold=threshold,
            gain_in=gain_in,
            gain_hidden=gain_hidden,
            gain_out=gain_out,
            density=density,
        )
        if not 0 <= excitatory_ratio <= 1:
            raise ValueError(f"excitatory_ratio: expected a number in [0, 1], got {excitatory_ratio!r}")
        if dt > step_duration:
            raise ValueError(f"dt: expected at most step_duration = {step_duration} ms, got {dt}")
        self.surrogate = Surrogate.of(surrogate)

        n = num_neurons
        self.num_excitatory = n if real else round(excitatory_ratio * n)
        self.parameter_shapes = {
            "kernel_in": (obs_length if real else 2 * obs_length, n),
            "kernel_h": (n, n),
            "kernel_out": (n, act_length),
        }
        self.substeps = round(step_duration / dt)
        self.decay_syn = float(np.float32(math.exp(-dt / tau_syn)))
        self.decay_mem = float(np.float32(math.exp(-dt / tau_mem)))
        self.decay_out = float(np.float32(math.exp(-dt / tau_out)))
        self.r_in = gain_in * tau_mem * math.sqrt(2 / (density * obs_length))
        self.r_hidden = gain_hidden * (tau_mem / tau_syn) * math.sqrt(2 / (density * n))
        self.r_out = gain_out * math.sqrt(1 / (density * n))
        self.dt, self.threshold = dt, threshold
        self._signs = torch.ones(n, dtype=torch.int8)
        self._signs[self.num_excitatory :] = -1

        # The kernel lets rates decay once a step, and adds for each spike what will be left of it at the end.
        self.decay_rate = self.decay_out**self.substeps
        left = self.decay_out ** np.arange(self.substeps - 1, -1, -1)
        self.spike_rates = (left * (1 - self.decay_out) / dt).astype(np.float32)
        self.gain_mem = np.float32(1) - np.float32(self.decay_mem)
        self.width = -(-n // FLAGS_AT_ONCE) * FLAGS_AT_ONCE

    def initial_state(
        self, batch_size: int | None = None, *, generator: torch.Generator | None = None, v_mem=None
    ) -> RSNNState:
        """A silent state of B slots.

        Args:
            batch_size: B; membranes are then uniform in [0, 1) from ``generator``.
            generator: On the device where the state is to be.
            v_mem: (B, n) membrane potentials instead.

        Raises:
            ValueError: neither or both given, or v_mem of a wrong shape.
        """
        if (v_mem is None) == (batch_size is None):
            raise ValueError("initial_state: expected either batch_size (with a generator) or v_mem")
        if v_mem is None:
            if generator is None:
                raise ValueError("generator: expected a torch.Generator with batch_size, got None")
            shape, device = (batch_size, self.num_neurons), generator.device
            v_mem = torch.rand(shape, generator=generator, device=device, dtype=torch.float32)
        else:
            v_mem = torch.as_tensor(v_mem, dtype=torch.float32).clone()
            if v_mem.ndim != 2 or v_mem.shape[1] != self.num_neurons:
                raise ValueError(f"v_mem: expected shape (B, {self.num_neurons}), got {tuple(v_mem.shape)}")
        return RSNNState(
            v_mem=v_mem,
            i_syn=torch.zeros_like(v_mem),
            rate=torch.zeros_like(v_mem),
            spikes=torch.zeros_like(v_mem, dtype=torch.int8),
            output=v_mem.new_zeros(len(v_mem), self.act_length),
        )

    def initial_solutions(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """(count, L): weights from N(0, 1), which is also an even chance for every "sign"; or fair bits."""
        shape, device = (count, self.solution_length), generator.device
        if self.dtype == torch.bool:
            return torch.rand(shape, generator=generator, device=device, dtype=torch.float32) < 0.5
        return torch.randn(shape, generator=generator, device=device, dtype=torch.float32)

    def reset(self, state: RSNNState, slots, seeds) -> None:
        """Begin an episode in some slots: silent, membranes uniform in [0, 1), a function of the episode's seed alone.

        Args:
            state: Changed in place, in these slots only.
            slots: Indices.
            seeds: As many non-negative integers.
        """
        slots = torch.as_tensor(slots, dtype=torch.int64)
        v_mem = np.empty((len(slots), self.num_neurons), dtype=np.float32)
        for row, seed in zip(v_mem, seeds, strict=True):
            np.random.default_rng([int(seed), _PURPOSE_V_MEM]).random(out=row, dtype=np.float32)
        state.v_mem[slots] = torch.from_numpy(v_mem).to(state.v_mem.device)
        for array in (state.i_syn, state.rate, state.spikes, state.output):
            array[slots] = 0

    def unroll(self, solution: torch.Tensor, observations: torch.Tensor, memory, lengths: torch.Tensor) -> torch.Tensor:
        """As :meth:`Agent.unroll`, with surrogate derivatives of spikes.

        `agents.rsnn.differentiable_step.advance` defines it.

        "sign" connections are those of the boolean network, and the gradient by a connection is passed on to its number
        as it is (straight through, https://arxiv.org/abs/1308.3432).
        """
        self._check_sequences(solution, observations, lengths)
        memory, shape = tuple(part.detach() for part in memory), (len(lengths), self.num_neurons)
        if any(part.shape != shape for part in memory):
            raise ValueError(f"memory: expected parts of shape {shape}, got {[tuple(part.shape) for part in memory]}")
        if self._backend == "torch" or (self._backend == "auto" and solution.device.type != "cpu"):
            return super().unroll(solution, observations, memory, lengths)
        if solution.device.type != "cpu":
            raise ValueError(f"solution: expected a tensor on the CPU with backend='numba', got {solution.device}")
        return unroll(self, solution, self._trainable(solution), self._signs, observations, memory, lengths)

    @cached_property
    def _neuron(self):
        return make_neuron(self.decay_mem, self.threshold, self.surrogate)

    def _advance_one(self, parameters, x, memory):
        return advance(
            self._neuron,
            parameters,
            x if self.connections == "real" else torch.cat([x, -x], dim=1),
            memory,
            signs=self._signs.to(x.device),
            substeps=self.substeps,
            decay_mem=self.decay_mem,
            decay_syn=self.decay_syn,
            decay_out=self.decay_out,
            r_in=self.r_in,
            r_hidden=self.r_hidden,
            r_out=self.r_out,
            dt=self.dt,
            detach_reset=self.surrogate.detach_reset,
        )

    def _native_function(self):
        return real_step if self.connections == "real" else boolean_step

    def _native_arrays(self, batch_size: int) -> dict[str, np.ndarray]:
        n, width = self.num_neurons, self.width
        return {
            "sums": np.empty((batch_size, n)),
            "i_in": np.empty((batch_size, n), dtype=np.float32),
            "counts": np.empty((batch_size, n), dtype=np.int16),
            "fired": np.zeros((batch_size, width), dtype=np.uint8),
            "excitatory_rows": np.empty((batch_size, width), dtype=np.int64),
            "inhibitory_rows": np.empty((batch_size, width), dtype=np.int64),
            "no_row": np.zeros(n, dtype=np.float32),
            "totals": np.empty((batch_size, self.act_length)),
            "spike_rates": self.spike_rates,
        }

    def count_spikes(self, solutions: torch.Tensor, members, obs, state: RSNNState) -> torch.Tensor:
        """How often each neuron fires, over all substeps, in the step that :meth:`step` would take next.

        Computed by the definition, and so by every backend's spikes; about as slow as the torch backend.

        Args:
            solutions, members, obs: As for :meth:`step`, with no resting slot.
            state: Left as it is.

        Returns:
            (B, n) int64, from 0 to ``substeps``.
        """
        return self.spike_trains(solutions, members, obs, state).abs().sum(dim=0)

    def spike_trains(self, solutions: torch.Tensor, members, obs, state: RSNNState) -> torch.Tensor:
        """The spikes that :meth:`count_spikes` counts: (substeps, B, n) int8, −1 inhibitory, 0 or 1."""
        parameters = self.split(self._connect(solutions[torch.as_tensor(members)]))
        parameters["kernel_h"] = parameters["kernel_h"].double()  # once, not in every substep
        substeps = self._substeps(parameters, torch.as_tensor(obs).float(), state.v_mem, state.i_syn, state.spikes)
        return torch.stack([spikes for _, _, spikes in substeps])

    def _advance(self, parameters, x, v_mem, i_syn, rate, spikes, output):
        for substep in self._substeps(parameters, x, v_mem, i_syn, spikes):
            v_mem, i_syn, spikes = substep
            rate = lerp(spikes.float() / self.dt, rate, self.decay_out)
        return v_mem, i_syn, rate, spikes, self.r_out * weighted_sum(rate, parameters["kernel_out"])

    def _substeps(self, parameters, x, v_mem, i_syn, spikes):
        """Yields membranes, currents and signed spikes after each substep of a step."""
        if self.connections != "real":
            x = torch.cat([x, -x], dim=1)
        i_in = self.r_in * weighted_sum(x, parameters["kernel_in"])
        signs = self._signs.to(x.device)
        for _ in range(self.substeps):
            v_mem, i_syn, fired = lif_step(
                v_mem,
                i_syn,
                spikes,
                i_in,
                parameters["kernel_h"],
                decay_mem=self.decay_mem,
                decay_syn=self.decay_syn,
                r_hidden=self.r_hidden,
                threshold=self.threshold,
            )
            spikes = fired * signs
            yield v_mem, i_syn, spikes
