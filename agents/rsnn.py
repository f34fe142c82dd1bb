"""Recurrent spiking neural network (RSNN) as an agent."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from agents.native_step import NativeStep
from agents.rsnn_dynamics import lerp, lif_step, weighted_sum
from agents.rsnn_kernel import CONTEXT, FLAGS_AT_ONCE, boolean_step, real_step, step_slots

_CONNECTIONS = {"boolean": torch.bool, "real": torch.float32}
_PURPOSE_V_MEM = 0x7652534E  # keeps these random numbers apart from others drawn from the same episode's seed


@dataclass
class RSNNState:
    """State of B slots, updated in place; ``output`` is the readout of the last step before clipping."""

    v_mem: torch.Tensor  # (B, n) float32 membrane potential, threshold 1
    i_syn: torch.Tensor  # (B, n) float32 synaptic current
    rate: torch.Tensor  # (B, n) float32 filtered firing rate, spikes per ms, signed by Dale's law
    spikes: torch.Tensor  # (B, n) int8 spikes of the last substep: −1 inhibitory, 0, 1
    output: torch.Tensor  # (B, act_length) float32


class RSNN:
    """Leaky integrate-and-fire neurons with exponential synapses, an input and a readout layer.

    ``connections="boolean"``: 1-bit connections. The input is [x, −x]; the first neurons are excitatory, the rest
    inhibitory, and a neuron's sign holds in the recurrent kernel and in the readout (Dale's law).
    ``connections="real"``: float32 weights, input x, no signs.

    A solution is kernel_in, kernel_h and kernel_out flattened row-major, presynaptic index first.

    Args:
        obs_length: Observations.
        act_length: Actions.
        num_neurons: Neurons n.
        connections: "boolean" or "real".
        excitatory_ratio: Share of excitatory neurons (boolean only).
        step_duration: Simulated time of one environment step, ms.
        dt: Substep, ms; there are round(step_duration / dt) in a step.
        tau_syn: Synaptic time constant, ms.
        tau_mem: Membrane time constant, ms.
        tau_out: Time constant of the firing rate that is read out, ms.
        threshold: Membrane potential above which a neuron fires.
        gain_in: Scale of the input resistance.
        gain_hidden: Scale of the recurrent resistance.
        gain_out: Scale of the readout.
        density: Expected density of connections for which the resistances preserve variance; None means 0.5 for
            boolean and 1 for real connections.
        backend: "numba", "torch", or "auto": numba where tensors are on the CPU.

    Raises:
        ValueError: an argument out of range.

    Source: paper, Eq. 3 to 7 and Table 6. Deviation: Table 6's resistances, with the published code's factor for the
    density and its R_out = gain_out √(1 / (density · n)).
    """

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
        backend: str = "auto",
    ):
        for name, value in (("obs_length", obs_length), ("act_length", act_length), ("num_neurons", num_neurons)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: expected a positive whole number, got {value!r}")
        if connections not in _CONNECTIONS:
            raise ValueError(f"connections: expected one of {sorted(_CONNECTIONS)}, got {connections!r}")
        if backend not in ("auto", "numba", "torch"):
            raise ValueError(f"backend: expected 'auto', 'numba' or 'torch', got {backend!r}")
        real = connections == "real"
        density = (1.0 if real else 0.5) if density is None else density
        positive = {
            "step_duration": step_duration,
            "dt": dt,
            "tau_syn": tau_syn,
            "tau_mem": tau_mem,
            "tau_out": tau_out,
            "threshold": threshold,
            "gain_in": gain_in,
            "gain_hidden": gain_hidden,
            "gain_out": gain_out,
            "density": density,
        }
        for name, value in positive.items():
            if not isinstance(value, int | float) or not 0 < value < math.inf:
                raise ValueError(f"{name}: expected a positive number, got {value!r}")
        if not 0 <= excitatory_ratio <= 1:
            raise ValueError(f"excitatory_ratio: expected a number in [0, 1], got {excitatory_ratio!r}")
        if dt > step_duration:
            raise ValueError(f"dt: expected at most step_duration = {step_duration} ms, got {dt}")

        n = num_neurons
        self.obs_length, self.act_length, self.num_neurons, self.connections = obs_length, act_length, n, connections
        self.num_excitatory = n if real else round(excitatory_ratio * n)
        self.dtype = _CONNECTIONS[connections]
        self.parameter_shapes = {
            "kernel_in": (obs_length if real else 2 * obs_length, n),
            "kernel_h": (n, n),
            "kernel_out": (n, act_length),
        }
        self.solution_length = sum(rows * columns for rows, columns in self.parameter_shapes.values())
        self.substeps = round(step_duration / dt)
        self.decay_syn = float(np.float32(math.exp(-dt / tau_syn)))
        self.decay_mem = float(np.float32(math.exp(-dt / tau_mem)))
        self.decay_out = float(np.float32(math.exp(-dt / tau_out)))
        self.r_in = gain_in * tau_mem * math.sqrt(2 / (density * obs_length))
        self.r_hidden = gain_hidden * (tau_mem / tau_syn) * math.sqrt(2 / (density * n))
        self.r_out = gain_out * math.sqrt(1 / (density * n))
        self.dt, self.threshold = dt, threshold
        self._real = real
        self._backend = backend
        # What a spike in each substep leaves in the firing rate at the end of the step.
        left = self.decay_out ** np.arange(self.substeps - 1, -1, -1)
        self._spike_rates = (left * (1 - self.decay_out) / dt).astype(np.float32)
        signs = torch.ones(n, dtype=torch.int8)
        signs[self.num_excitatory :] = -1
        self._signs = signs

    def initial_state(self, batch_size: int | None = None, *, v_mem=None, generator=None) -> RSNNState:
        """A silent state of B slots.

        Args:
            batch_size: B; membranes are then uniform in [0, 1) from ``generator`` (a ``torch.Generator``).
            v_mem: (B, n) membrane potentials instead.

        Raises:
            ValueError: neither or both given, or v_mem of a wrong shape.
        """
        if (v_mem is None) == (batch_size is None):
            raise ValueError("initial_state: expected either batch_size (with a generator) or v_mem")
        if v_mem is None:
            if generator is None:
                raise ValueError("generator: expected a torch.Generator with batch_size, got None")
            v_mem = torch.rand(batch_size, self.num_neurons, generator=generator, device=generator.device)
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

    def reset(self, state: RSNNState, slots, seeds) -> None:
        """Begin an episode in some slots: silent, membranes uniform in [0, 1), a function of the episode's seed alone.

        Args:
            state: Changed in place, in these slots only.
            slots: Indices.
            seeds: As many non-negative integers.
        """
        for slot, seed in zip(slots, seeds, strict=True):
            generator = np.random.default_rng([int(seed), _PURPOSE_V_MEM])
            v_mem = generator.random(self.num_neurons, dtype=np.float32)
            slot = int(slot)
            state.v_mem[slot] = torch.from_numpy(v_mem).to(state.v_mem.device)
            for array in (state.i_syn, state.rate, state.spikes, state.output):
                array[slot] = 0

    def readout(self, state: RSNNState) -> torch.Tensor:
        """(B, act_length) output of the last step, before it was clipped to [−1, 1]."""
        return state.output

    def step(self, solutions: torch.Tensor, members, obs, state: RSNNState) -> torch.Tensor:
        """Act: one environment step of every slot.

        Args:
            solutions: (N, L) in the agent's dtype.
            members: (B,) integers, row of each slot; a slot with a negative member rests.
            obs: (B, obs_length) tensor or array; float32, or converted to it.
            state: Updated in place.

        Returns:
            (B, act_length) float32 in [−1, 1]; 0 for a resting slot.

        Raises:
            ValueError: a wrong shape or dtype.
        """
        self._check_solutions(solutions)
        batch_size = len(state.v_mem)
        if tuple(obs.shape) != (batch_size, self.obs_length):
            raise ValueError(f"obs: expected shape ({batch_size}, {self.obs_length}), got {tuple(obs.shape)}")
        if len(members) != batch_size:
            raise ValueError(f"members: expected {batch_size} rows, one for each slot, got {len(members)}")
        on_cpu = solutions.device.type == "cpu"
        if self._backend == "torch" or (self._backend == "auto" and not on_cpu):
            return self._step_torch(solutions, torch.as_tensor(members), torch.as_tensor(obs), state)
        members = np.ascontiguousarray(members, dtype=np.int64)
        if members.max(initial=-1) >= len(solutions):
            raise ValueError(f"members: expected rows below {len(solutions)}, got {members.max()}")
        observations = np.ascontiguousarray(obs, dtype=np.float32)
        actions = np.empty((batch_size, self.act_length), dtype=np.float32)
        native = self.native(solutions, members, state)
        step_slots(native.context, self._real, members, observations, actions)
        return torch.from_numpy(actions)

    def native(self, solutions: torch.Tensor, members: np.ndarray, state: RSNNState) -> NativeStep | None:
        """This agent's step as a C function on these arrays, or None when they are not on the CPU.

        ``members``, (B,) int64, is read at every call: the caller may change it in place between calls.
        """
        if self._backend == "torch" or solutions.device.type != "cpu":
            return None
        self._check_solutions(solutions)
        batch_size, n = state.v_mem.shape
        width = -(-n // FLAGS_AT_ONCE) * FLAGS_AT_ONCE
        arrays = {
            "solutions": solutions.detach().contiguous().as_subclass(torch.Tensor).numpy(),
            "members": members,
            "v_mem": state.v_mem.numpy(),
            "i_syn": state.i_syn.numpy(),
            "rate": state.rate.numpy(),
            "spikes": state.spikes.numpy(),
            "output": state.output.numpy(),
            "sums": np.empty((batch_size, n)),
            "i_in": np.empty((batch_size, n), dtype=np.float32),
            "counts": np.empty((batch_size, n), dtype=np.int16),
            "fired": np.zeros((batch_size, width), dtype=np.uint8),
            "excitatory_rows": np.empty((batch_size, width), dtype=np.int64),
            "inhibitory_rows": np.empty((batch_size, width), dtype=np.int64),
            "no_row": np.zeros(n, dtype=np.float32),
            "totals": np.empty((batch_size, self.act_length)),
            "spike_rates": self._spike_rates,
        }
        context = np.zeros(1, dtype=CONTEXT)
        record = context[0]
        for name, array in arrays.items():
            record[name] = array.ctypes.data
        for name in ("obs_length", "act_length", "num_neurons", "num_excitatory", "substeps", "solution_length"):
            record[name] = getattr(self, name)
        for name in ("decay_syn", "decay_mem", "r_in", "r_hidden", "r_out", "threshold"):
            record[name] = getattr(self, name)
        record["width"] = width
        record["gain_mem"] = np.float32(1) - np.float32(self.decay_mem)
        record["decay_rate"] = self.decay_out**self.substeps
        function = real_step if self._real else boolean_step
        return NativeStep(function.address, context.ctypes.data, (context, arrays, function))

    def _check_solutions(self, solutions: torch.Tensor) -> None:
        if solutions.dtype != self.dtype:
            raise ValueError(
                f"solutions: expected {self.dtype} for connections={self.connections!r}, got {solutions.dtype}"
            )
        if solutions.ndim != 2 or solutions.shape[1] != self.solution_length:
            raise ValueError(f"solutions: expected shape (N, {self.solution_length}), got {tuple(solutions.shape)}")

    def _step_torch(self, solutions, members, obs, state: RSNNState) -> torch.Tensor:
        active = torch.nonzero(members >= 0)[:, 0]
        chosen = solutions[members[active]]
        sizes = [rows * columns for rows, columns in self.parameter_shapes.values()]
        kernel_in, kernel_h, kernel_out = (
            part.reshape(-1, *shape)
            for part, shape in zip(chosen.split(sizes, dim=1), self.parameter_shapes.values(), strict=True)
        )
        x = obs[active].float()
        if not self._real:
            x = torch.cat([x, -x], dim=1)
        i_in = self.r_in * weighted_sum(x, kernel_in)
        signs = self._signs.to(x.device)
        v_mem, i_syn, rate = state.v_mem[active], state.i_syn[active], state.rate[active]
        spikes = state.spikes[active]
        for _ in range(self.substeps):
            v_mem, i_syn, fired = lif_step(
                v_mem,
                i_syn,
                spikes,
                i_in,
                kernel_h,
                decay_mem=self.decay_mem,
                decay_syn=self.decay_syn,
                r_hidden=self.r_hidden,
                threshold=self.threshold,
            )
            spikes = fired * signs
            rate = lerp(spikes.float() / self.dt, rate, self.decay_out)
        output = self.r_out * weighted_sum(rate, kernel_out)
        for array, value in zip(
            (state.v_mem, state.i_syn, state.rate, state.spikes, state.output),
            (v_mem, i_syn, rate, spikes, output),
            strict=True,
        ):
            array[active] = value
        actions = x.new_zeros(len(members), self.act_length)
        actions[active] = output.clamp(-1.0, 1.0)
        return actions
