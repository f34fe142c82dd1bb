"""Recurrent spiking neural network (RSNN) as an agent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from agents.arguments import as_float32, check_generator, name_device
from agents.compiled_agent import CompiledAgent
from agents.rsnn.anatomy import arrow, block_views
from agents.rsnn.bptt import unroll
from agents.rsnn.connection_mask import ConnectionMask
from agents.rsnn.constants import LIFConstants, decay
from agents.rsnn.differentiable_step import advance, make_neuron
from agents.rsnn.dynamics import lerp, lif_step, weighted_sum
from agents.rsnn.response import mean_slopes
from agents.rsnn.step_kernel import CONSTANTS, CONTEXT, FLAGS_AT_ONCE, boolean_step, real_step
from agents.rsnn.surrogate import Surrogate
from native.arguments import check_in_range, check_positive, check_whole
from native.warp_device import find_device

_PURPOSE_V_MEM = 0x7652534E  # keeps these random numbers apart from others drawn from the same episode's seed


@dataclass
class RSNNState:
    """State of B slots, updated in place; `output` is the readout of the last step before clipping."""

    v_mem: torch.Tensor  # (B, n) float32 membrane potential, threshold 1
    i_syn: torch.Tensor  # (B, n) float32 synaptic current
    rate: torch.Tensor  # (B, n) float32 filtered firing rate, spikes per ms, signed by Dale's law
    spikes: torch.Tensor  # (B, n) int8 spikes of the last substep: −1 inhibitory, 0, 1
    output: torch.Tensor  # (B, act_length) float32


class RSNN(CompiledAgent):
    """Leaky integrate-and-fire neurons with exponential synapses, an input and a readout layer.

    `connections="boolean"`: 1-bit connections. The input is [x, −x]. The first neurons are excitatory and the rest
    inhibitory; the sign of a neuron holds in the recurrent kernel and in the readout (Dale's law).
    `connections="real"`: Float32 weights, input x and no signs.
    `connections="sign"`: The boolean network, searched over real numbers; a connection exists where its number is
    positive (paper, Appendix C).

    A solution is kernel_in, kernel_h and kernel_out, each flattened row-major with the presynaptic index first.
    Connections that `connection_mask` excludes are no part of it.

    Attributes:
        constants: Constants of the dynamics.
        num_excitatory: Number of excitatory neurons.
        surrogate: Derivative of a spike.

    Args:
        obs_length: Number of observations.
        act_length: Number of actions.
        num_neurons: Number of neurons n.
        connections: Kind of connections: "boolean", "real" or "sign".
        excitatory_ratio: Share of excitatory neurons, in [0, 1]. Real connections have no signs.
        step_duration: Simulated time of an environment step, ms.
        dt: Simulated time of a substep, ms; an environment step has round(step_duration / dt) substeps.
        tau_syn: Synaptic time constant, ms.
        tau_mem: Membrane time constant, ms.
        tau_out: Time constant of the firing rate that is read out, ms.
        threshold: Membrane potential above which a neuron fires.
        gain_in: Scale of the input resistance.
        gain_hidden: Scale of the recurrent resistance.
        gain_out: Scale of the readout.
        density: Expected density of connections for which the resistances preserve variance; None for 1 with real
            connections and 0.5 with others, times the share of a kernel's connections that can exist.
        surrogate: Derivative of a spike that `unroll` uses: the arguments of `agents.rsnn.surrogate.Surrogate` by name,
            `name` and `beta` at least. None for SuperSpike with β = 10.
        connection_mask: Which connections can exist: {"density": 0.25, "seed": 0} draws them, with a density for all,
            or for some kernels or blocks, as in {"kernel_in": 0.5, "E_E": 0.25}; a mapping from the names of some
            kernels to arrays in their shapes says it, True where a connection can exist. None: all can. See
            `agents.rsnn.connection_mask.ConnectionMask`.
        backend: "numba", "torch", "warp", or "auto" for numba where tensors are on the CPU. "warp" gives what "numba"
            gives, in the tests to the last bit, on the CPU and on a CUDA device, for which it is; it needs the extra
            `gpu`.
        device: Where "warp" acts, and where it expects solutions and state: "cpu", "cuda", "cuda:1" and so on; None for
            the CPU. Where it is given, "auto" means "warp", and other backends are refused.

    Raises:
        ValueError: If an argument is out of range, there is no such device, or NVIDIA Warp is asked for and not
            installed.

    Source: paper, Eq. 3 to 7 and Table 6. Deviation: Table 6's resistances, with the published code's factor for the
    density and its R_out = gain_out √(1 / (density · n)).
    """

    CONTEXT = CONTEXT
    BACKENDS = (*CompiledAgent.BACKENDS, "warp")

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
        connection_mask: Mapping | None = None,
        backend: str = "auto",
        device: str | None = None,
    ):
        super().__init__(obs_length, act_length, num_neurons, connections, backend)
        real = connections == "real"
        obs_length, act_length, n = self.obs_length, self.act_length, self.num_neurons
        excitatory_ratio = check_in_range("excitatory_ratio", excitatory_ratio, 0.0, 1.0)
        step_duration, dt = check_positive("step_duration", step_duration), check_positive("dt", dt)
        if dt > step_duration:
            raise ValueError(f"dt: expected at most step_duration = {step_duration} ms, got {dt}")
        tau_syn, tau_mem = check_positive("tau_syn", tau_syn), check_positive("tau_mem", tau_mem)
        self.parameter_shapes = {
            "kernel_in": (obs_length if real else 2 * obs_length, n),
            "kernel_h": (n, n),
            "kernel_out": (n, act_length),
        }
        self.num_excitatory = n if real else round(excitatory_ratio * n)
        self._mask = None
        if connection_mask is not None:
            kinds = None if real else self.num_excitatory
            self._mask = ConnectionMask(connection_mask, self.parameter_shapes, kinds)
        self.connection_mask = None if self._mask is None else self._mask.possible
        of_in, of_hidden, of_out = self._densities(density)
        self.constants = LIFConstants(
            dt=dt,
            substeps=round(step_duration / dt),
            decay_syn=decay(dt, tau_syn),
            decay_mem=decay(dt, tau_mem),
            decay_out=decay(dt, check_positive("tau_out", tau_out)),
            r_in=check_positive("gain_in", gain_in) * tau_mem * math.sqrt(2 / (of_in * obs_length)),
            r_hidden=check_positive("gain_hidden", gain_hidden) * (tau_mem / tau_syn) * math.sqrt(2 / (of_hidden * n)),
            r_out=check_positive("gain_out", gain_out) * math.sqrt(1 / (of_out * n)),
            threshold=check_positive("threshold", threshold),
        )
        self.surrogate = Surrogate.of(surrogate)
        self._signs = torch.ones(n, dtype=torch.int8)
        self._signs[self.num_excitatory :] = -1

        self._width = -(-n // FLAGS_AT_ONCE) * FLAGS_AT_ONCE
        self._device = self._name_device(device)

    def _name_device(self, device: str | None) -> str | None:
        if self._backend == "auto" and device is not None:
            self._backend = "warp"
        if self._backend != "warp":
            if device is not None:
                raise ValueError(f"device: expected none with backend={self._backend!r}, got {device!r}")
            return None
        try:
            return name_device("cpu" if device is None else device)
        except ImportError as error:
            raise ValueError(f"backend: expected 'numba' or 'torch', got 'warp', but {error}") from error

    @property
    def solution_length(self) -> int:
        """The number of connections that can exist, L."""
        return super().solution_length if self._mask is None else self._mask.solution_length

    @property
    def dt(self) -> float:
        """Simulated time of a substep, ms."""
        return self.constants.dt

    @property
    def substeps(self) -> int:
        """Number of substeps in an environment step."""
        return self.constants.substeps

    def initial_state(
        self, batch_size: int | None = None, *, generator: torch.Generator | None = None, v_mem=None
    ) -> RSNNState:
        """Makes a silent state.

        Args:
            batch_size: Number of slots B.
            generator: Source of membrane potentials uniform in [0, 1), on whose device the state is made. If it is
                None, the potentials are 0 and the state is on the agent's device, which is the CPU by default.
            v_mem: (B, n) membrane potentials, given in place of `batch_size`.

        Raises:
            ValueError: If neither or both of `batch_size` and `v_mem` are given, or one is of a wrong size.
        """
        if (v_mem is None) == (batch_size is None):
            raise ValueError("initial_state: expected either batch_size or v_mem")
        if v_mem is None:
            shape = (check_whole("batch_size", batch_size), self.num_neurons)
            if generator is not None:
                check_generator(generator)
            if generator is None:
                v_mem = torch.zeros(shape, dtype=torch.float32, device=self._device)
            else:
                v_mem = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float32)
        else:
            v_mem = torch.as_tensor(v_mem, dtype=torch.float32).clone(memory_format=torch.contiguous_format)
            if v_mem.ndim != 2 or v_mem.shape[1] != self.num_neurons:
                raise ValueError(f"v_mem: expected shape (B, {self.num_neurons}), got {tuple(v_mem.shape)}")
        return RSNNState(
            v_mem=v_mem,
            i_syn=torch.zeros_like(v_mem),
            rate=torch.zeros_like(v_mem),
            spikes=torch.zeros_like(v_mem, dtype=torch.int8),
            output=v_mem.new_zeros(len(v_mem), self.act_length),
        )

    def join(self, arrays: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Returns the (B, L) solutions of kernels by name: the reverse of `split`. What cannot exist is left out."""
        kernels = super().join(arrays)
        return kernels if self._mask is None else self._mask.gather(kernels)

    def solution_blocks(self) -> dict[str, np.ndarray]:
        """Returns the places of connections between kinds of neurons, "in→E" to "I→out"; of real ones, by kernel."""
        if self.connections == "real":
            return super().solution_blocks()
        views = block_views(self.places(), self.num_excitatory)
        return {arrow(block): places[places >= 0] for block, places in views.items()}

    def initial_solutions(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draws (count, L) solutions: fair bits, or numbers from N(0, 1), which gives every "sign" an even chance."""
        count = self._check_count(count, generator)
        shape, device = (count, self.solution_length), generator.device
        if self.dtype == torch.bool:
            return torch.rand(shape, generator=generator, device=device, dtype=torch.float32) < 0.5
        return torch.randn(shape, generator=generator, device=device, dtype=torch.float32)

    def reset(self, state: RSNNState, slots, seeds) -> None:
        """Begins an episode in some slots: silent, with membrane potentials uniform in [0, 1).

        Args:
            state: The state of all slots, changed in place in these slots only.
            slots: Indices of the slots.
            seeds: The seeds of their episodes, non-negative integers, which alone determine the potentials.
        """
        slots, seeds = self._check_reset(state, slots, seeds)
        state.v_mem[slots] = self.draw_starts(seeds).to(state.v_mem.device)
        for array in (state.i_syn, state.rate, state.spikes, state.output):
            array[slots] = 0

    def draw_starts(self, seeds) -> torch.Tensor:
        """Draws the membrane potentials with which episodes begin, (n episodes, num_neurons) float32 in [0, 1).

        Args:
            seeds: The seeds of the episodes, non-negative integers, each of which alone determines a row.
        """
        v_mem = np.empty((len(seeds), self.num_neurons), dtype=np.float32)
        for row, seed in zip(v_mem, seeds, strict=True):
            np.random.default_rng([seed, _PURPOSE_V_MEM]).random(out=row, dtype=np.float32)
        return torch.from_numpy(v_mem)

    def current_sources(self) -> list[list[tuple[str, slice, str, float]]]:
        """Returns what the units add up, see `ec_evotorch.protocols.SynapticAgent`: neurons, and then outputs."""
        if self.connections == "real":
            inputs = [("kernel_in", slice(None), "input", 1.0)]
        else:
            n = self.obs_length  # the input is [x, −x]
            inputs = [("kernel_in", slice(0, n), "input", 1.0), ("kernel_in", slice(n, None), "input", -1.0)]
        return [[*inputs, ("kernel_h", slice(None), "recurrent", 1.0)], [("kernel_out", slice(None), "rate", 1.0)]]

    def transmitted(self, obs, state: RSNNState) -> dict[str, torch.Tensor]:
        """Returns what the last step transmitted: currents of the input and, at a steady rate, of the recurrence.

        Args:
            obs: (B, obs_length) observations of the step.
            state: The state after it.

        Returns:
            "input" (B, obs_length), "recurrent" (B, n) and "rate" (B, n), float32, of a connection or a weight of 1.
        """
        constants = self.constants
        steady = constants.r_hidden * self.dt / (1.0 - constants.decay_syn)  # of one spike per ms
        return {"input": constants.r_in * as_float32(obs), "recurrent": steady * state.rate, "rate": state.rate.clone()}

    def membranes(self, state: RSNNState) -> torch.Tensor:
        """Returns a copy of the membrane potentials, (B, n) float32."""
        return state.v_mem.clone()

    def responses(self, membranes: torch.Tensor, means: torch.Tensor, stdevs: torch.Tensor) -> tuple[str, torch.Tensor]:
        """Returns by how much more neurons fire for each unit of current more, as `agents.rsnn.response` measures it.

        Args:
            membranes: (R, n) float32, membrane potentials before an environment step.
            means: (R, n) float32, means of the currents.
            stdevs: (R, n) float32, their standard deviations.

        Returns:
            "rate", and (R, n) float32, the slopes of the firing rates, with the sign of the neuron.
        """
        return "rate", self._signs.to(membranes.device) * mean_slopes(membranes, means, stdevs, self.constants)

    def on_device(self, num_slots: int):
        """Makes slots on the agent's device for a loop that stays there: it launches steps, and a graph captures them.

        Args:
            num_slots: Number of slots B. Each has a network of its own, none until one is loaded, and rests.

        Returns:
            `agents.rsnn.device.networks.Networks`.

        Raises:
            ValueError: If the backend is not "warp", or B is not a positive whole number.
        """
        if self._backend != "warp":
            raise ValueError(f"on_device: expected an agent with backend='warp', got {self._backend!r}")
        from agents.rsnn.device.networks import make_networks  # Warp is an extra

        return make_networks(self, self.initial_state(num_slots), find_device(self._device))

    def unroll(self, solution: torch.Tensor, observations: torch.Tensor, memory, lengths: torch.Tensor) -> torch.Tensor:
        """Computes what `Agent.unroll` does, with surrogate derivatives of spikes.

        The function `agents.rsnn.differentiable_step.advance` defines it. "sign" connections are those of the boolean
        network, and the gradient of a connection is passed on unchanged to its number (straight-through estimator,
        https://arxiv.org/abs/1308.3432).
        """
        self._check_sequences(solution, observations, memory, lengths)
        memory = tuple(part.detach() for part in memory)
        if self._backend == "torch" or (self._backend != "numba" and solution.device.type != "cpu"):
            return super().unroll(solution, observations, memory, lengths)
        if solution.device.type != "cpu":
            raise ValueError(f"solution: expected a tensor on the CPU with backend='numba', got {solution.device}")
        return unroll(self, solution, self._trainable(solution), self._signs, observations, memory, lengths)

    def _whole(self, solutions: torch.Tensor) -> torch.Tensor:
        return solutions if self._mask is None else self._mask.spread(solutions)

    def _densities(self, density: float | None) -> list[float]:
        """Returns the expected density of each kernel, in their order."""
        if density is not None:
            return [check_positive("density", density)] * len(self.parameter_shapes)
        expected = 1.0 if self.connections == "real" else 0.5
        if self.connection_mask is None:
            return [expected] * len(self.parameter_shapes)
        shares = [float(kernel.mean()) for kernel in self.connection_mask.values()]
        return [expected * (share or 1.0) for share in shares]  # a kernel without connections has no variance

    @cached_property
    def _neuron(self):
        return make_neuron(self.constants.decay_mem, self.constants.threshold, self.surrogate)

    def _advance_one(self, parameters, x, memory):
        return advance(
            self._neuron,
            parameters,
            x if self.connections == "real" else torch.cat([x, -x], dim=1),
            memory,
            self.constants,
            signs=self._signs.to(x.device),
            detach_reset=self.surrogate.detach_reset,
        )

    def _act(self, solutions: torch.Tensor, members, obs, state) -> torch.Tensor:
        if self._backend != "warp":
            return super()._act(solutions, members, obs, state)
        from agents.rsnn.device.networks import step  # Warp is an extra

        for name, tensor in (("solutions", solutions), ("state", state.output)):
            if str(tensor.device) != self._device:
                raise ValueError(f"{name}: expected tensors on the agent's device {self._device}, got {tensor.device}")
        used, rows = np.unique(members, return_inverse=True)
        resting = int((used < 0).sum())  # negative members are the first that are used
        networks = self._whole(self._connect(solutions.detach()[torch.from_numpy(used[resting:])]))
        return step(self, networks, rows - resting, obs, state, find_device(self._device))

    def _native_function(self):
        return real_step if self.connections == "real" else boolean_step

    def _native_arrays(self, batch_size: int) -> dict[str, np.ndarray]:
        n, width = self.num_neurons, self._width
        return {
            "sums": np.empty((batch_size, n)),
            "i_in": np.empty((batch_size, n), dtype=np.float32),
            "counts": np.empty((batch_size, n), dtype=np.int16),
            "fired": np.zeros((batch_size, width), dtype=np.uint8),
            "excitatory_rows": np.empty((batch_size, width), dtype=np.int64),
            "inhibitory_rows": np.empty((batch_size, width), dtype=np.int64),
            "no_row": np.zeros(n, dtype=np.float32),
            "totals": np.empty((batch_size, self.act_length)),
            "spike_rates": self.constants.spike_rates,
        }

    def _native_numbers(self) -> dict[str, float]:
        sizes = {"num_excitatory": self.num_excitatory, "substeps": self.substeps, "width": self._width}
        constants = {name: getattr(self.constants, name) for name in CONSTANTS}
        return super()._native_numbers() | sizes | constants

    def count_spikes(self, solutions: torch.Tensor, members, obs, state: RSNNState) -> torch.Tensor:
        """Counts the spikes of the step that `step` would take next, over all its substeps.

        The definition computes them, so they are those of every backend; it is about as slow as the torch backend.

        Args:
            solutions: (N, L) solutions.
            members: (B,) rows of `solutions` that act in the slots; none may rest.
            obs: (B, obs_length) observations.
            state: State of the B slots, which is not changed.

        Returns:
            (B, n) int64 numbers of spikes, from 0 to `substeps`.
        """
        return self.spike_trains(solutions, members, obs, state).abs().sum(dim=0)

    def spike_trains(self, solutions: torch.Tensor, members, obs, state: RSNNState) -> torch.Tensor:
        """Returns the spikes of the step that `step` would take next.

        Args:
            solutions: (N, L) solutions.
            members: (B,) rows of `solutions` that act in the slots; none may rest.
            obs: (B, obs_length) observations.
            state: State of the B slots, which is not changed.

        Returns:
            (substeps, B, n) int8: 1 where an excitatory neuron fires, −1 where an inhibitory one does, 0 elsewhere.
        """
        members, obs = self._check_step(solutions, members, obs, state)
        if (members < 0).any():
            raise ValueError(f"members: expected none that rests, got {members.tolist()}")
        parameters = self.split(self._connect(solutions[torch.tensor(members)]))
        parameters["kernel_h"] = parameters["kernel_h"].double()  # once, not in every substep
        substeps = self._substeps(parameters, as_float32(obs), state.v_mem, state.i_syn, state.spikes)
        return torch.stack([spikes for _, _, spikes in substeps])

    def pure_step(self, parameters, x, memory):
        """Computes what `CompiledAgent.pure_step` does; rates are rounded as the compiled step rounds them."""
        v_mem, i_syn, rate, spikes = memory
        rate = rate * self.constants.decay_rate
        substeps = self._substeps(parameters, x, v_mem, i_syn, spikes)
        left = self.constants.spike_rates.tolist()  # of the spikes of each substep at the end of the step
        for substep, spike_rate in zip(substeps, left, strict=True):
            v_mem, i_syn, spikes = substep
            rate = rate + spike_rate * spikes.float()
        output = self.constants.r_out * weighted_sum(rate, parameters["kernel_out"])
        return output, (v_mem, i_syn, rate, spikes)

    def _advance(self, parameters, x, v_mem, i_syn, rate, spikes, output):
        for substep in self._substeps(parameters, x, v_mem, i_syn, spikes):
            v_mem, i_syn, spikes = substep
            rate = lerp(spikes.float() / self.dt, rate, self.constants.decay_out)
        return v_mem, i_syn, rate, spikes, self.constants.r_out * weighted_sum(rate, parameters["kernel_out"])

    def _substeps(self, parameters, x, v_mem, i_syn, spikes):
        """Yields membranes, currents and signed spikes after each substep of a step."""
        if self.connections != "real":
            x = torch.cat([x, -x], dim=1)
        i_in = self.constants.r_in * weighted_sum(x, parameters["kernel_in"])
        signs = self._signs.to(x.device)
        for _ in range(self.substeps):
            v_mem, i_syn, fired = lif_step(v_mem, i_syn, spikes, i_in, parameters["kernel_h"], self.constants)
            spikes = fired * signs
            yield v_mem, i_syn, spikes
