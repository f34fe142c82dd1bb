"""The spiking networks of B slots on a device: what is launched there in a step of the environment."""

from math import prod

import numpy as np
import torch

from agents.arguments import as_float32
from agents.device.row_kernels import num_words
from agents.rsnn.device import kernels
from agents.rsnn.device.connections import BooleanConnections, RealConnections, SignConnections
from agents.rsnn.device.kernels import wp
from agents.rsnn.device.spread import Spread
from native.warp_device import check_array, launch, launch_blocks, on_torch_stream

BLOCK_DIM = 256  # lanes of a slot


class Networks:
    """The networks of B slots. Methods that begin with `launch_` only launch kernels, and a graph can capture them.

    They launch on Warp's current stream of the device, wait for nothing and make no memory. What they are given are
    arrays of Warp, and what they change is seen through every view of the same memory, all of which is PyTorch's.

    Attributes:
        state: State of the slots, `RSNNState` of tensors on the device.
        members: (B,) int32 tensor, the network that acts in each slot; a slot with a negative one rests.
        device: Device of Warp.

    Args:
        agent: The `RSNN`.
        state: State of B slots, whose memory is used.
        connections: Networks of the agent's kind of connections.
        spread: What brings solutions to all connections; None if they are of all.
        block_dim: Lanes of a slot on a CUDA device.
    """

    def __init__(
        self,
        agent,
        state,
        connections: BooleanConnections | RealConnections,
        *,
        spread: Spread | None = None,
        block_dim: int = BLOCK_DIM,
    ):
        self.device, self.state, self._connections, self._spread = connections.device, state, connections, spread
        self._constants, self._block_dim = agent.constants, block_dim
        self.members = torch.full((len(state.output),), -1, dtype=torch.int32, device=state.output.device)
        self._members = wp.from_torch(self.members)
        parts = (state.v_mem, state.i_syn, state.rate, state.spikes, state.output)
        self._v_mem, self._i_syn, self._rate, self._spikes, self._output = map(wp.from_torch, parts)
        self._i_in = wp.from_torch(torch.empty_like(state.v_mem))
        self._spike_rates = wp.from_torch(torch.from_numpy(agent.constants.spike_rates).to(state.v_mem.device))
        self._sizes = agent.obs_length, agent.act_length

    def launch_load(self, solutions, renewed) -> None:
        """Takes over networks, see `launch_load` of the connections; with a mask, those that can exist are given.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        if self._spread is not None:
            solutions = self._spread.launch(solutions, renewed)
        self._connections.launch_load(solutions, renewed)

    def launch_reset(self, starting, starts, rows) -> None:
        """Begins an episode in some slots: silent, with given membrane potentials.

        Args:
            starting: (B,) array of bool.
            starts: (E, n) array of float32, as `RSNN.draw_starts` returns them.
            rows: (B,) array of int32, rows of `starts` for the slots in which an episode begins.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        num_slots, neurons = self._v_mem.shape
        check_array("starting", starting, wp.bool, (num_slots,), self.device)
        check_array("starts", starts, wp.float32, (None, neurons), self.device)
        check_array("rows", rows, wp.int32, (num_slots,), self.device)
        outputs = [self._v_mem, self._i_syn, self._rate, self._spikes, self._output]
        launch(kernels.begin, self._v_mem.shape, [starting, rows, starts], outputs, self.device)

    def launch_step(self, observations, actions) -> None:
        """Acts for one environment step in every slot that does not rest.

        Args:
            observations: (B, obs_length) array of float32.
            actions: (B, act_length) array of float32 in [−1, 1], overwritten; 0 for resting slots.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        for name, array, size in zip(("observations", "actions"), (observations, actions), self._sizes, strict=True):
            check_array(name, array, wp.float32, (len(self.members), size), self.device)
        c, connections = self._constants, self._connections
        connections.launch_input(self._members, observations, c.r_in, self._i_in)
        constants = [c.decay_syn, c.decay_mem, float(c.gain_mem), c.decay_rate, c.r_hidden, c.threshold]
        launch_blocks(
            connections.substeps,
            len(self.members),
            [self._members, connections.kernel_h, self._i_in, self._spike_rates, *constants],
            [self._v_mem, self._i_syn, self._rate, self._spikes],
            self.device,
            self._block_dim,
        )
        connections.launch_readout(self._members, self._rate, c.r_out, self._output, actions)


def make_networks(agent, state, device, *, block_dim: int = BLOCK_DIM) -> Networks:
    """Makes the networks of B slots, one for each; all slots rest until `members` says otherwise.

    Args:
        agent: The `RSNN`.
        state: State of B slots on the device.
        device: Device of Warp.
        block_dim: Lanes of a slot on a CUDA device.
    """
    num_slots = len(state.output)
    if agent.connections == "real":
        length = sum(map(prod, agent.parameter_shapes.values()))
        rows = torch.zeros((num_slots, length), dtype=torch.float32, device=str(device))
        connections = RealConnections(agent, rows, device)
    else:
        kind = SignConnections if agent.connections == "sign" else BooleanConnections
        connections = kind(agent, num_slots, device)
    spread = None if agent.connection_mask is None else Spread(agent, num_slots, device)
    return Networks(agent, state, connections, spread=spread, block_dim=block_dim)


def step(agent, rows: torch.Tensor, members: np.ndarray, obs, state, device) -> torch.Tensor:
    """Acts for one environment step, given networks and state as tensors.

    Args:
        agent: The `RSNN`.
        rows: (N, L) networks on the device: bool, or float32 with real connections.
        members: (B,) row of each slot; a slot with a negative one rests.
        obs: (B, obs_length) observations, a tensor or an array.
        state: State of B slots on the device, changed in place.
        device: Device of Warp.

    Returns:
        (B, act_length) float32 actions on the device.
    """
    with on_torch_stream(device):
        if agent.connections == "real":
            connections = RealConnections(agent, rows.contiguous(), device)
        else:
            connections = BooleanConnections(agent, len(rows), device)
            renewed = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
            connections.launch_load(pack(rows, device), wp.from_torch(renewed))
        networks = Networks(agent, state, connections)
        networks.members.copy_(torch.from_numpy(members))
        observations = as_float32(obs).to(str(device)).contiguous()
        actions = torch.empty_like(state.output)
        networks.launch_step(wp.from_torch(observations), wp.from_torch(actions))
    return actions


def pack(rows: torch.Tensor, device):
    """Packs (N, L) boolean rows on a device into (N, ⌈L / 32⌉) words of Warp, as `launch_load` takes them."""
    words = torch.empty((len(rows), num_words(rows.shape[1])), dtype=torch.int32, device=rows.device)
    packed = wp.from_torch(words, dtype=wp.uint32)
    launch(kernels.pack_rows, packed.shape, [wp.from_torch(rows)], [packed], device)
    return packed
