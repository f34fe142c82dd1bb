"""The networks of ordinary units of B slots on a device: Warp brings solutions, PyTorch computes the steps of all."""

from contextlib import ExitStack
from dataclasses import fields

import torch

from agents.device import row_kernels
from agents.device.row_kernels import num_words, wp
from native.warp_device import check_array, launch, launch_function

_LOADERS = {
    "boolean": row_kernels.unpack_rows,
    "real": row_kernels.copy_rows,
    "sign": row_kernels.copy_positive,
}


class DenseNetworks:
    """The networks of B slots, whose weights are float32 numbers; those of bits are 0 and 1.

    Methods that begin with `launch_` only launch, on Warp's current stream of the device, and wait for nothing. The
    step is the agent's definition in PyTorch, with a network in each slot. `native.warp_device.capture` makes a graph
    of it; on the CPU a graph of Warp's own holds kernels alone, and refuses it.

    Attributes:
        state: State of the slots, tensors on the device.
        members: (B,) int32 tensor; a slot with a negative number rests, and each other acts with its own network.
        device: Device of Warp.

    Args:
        agent: An agent of ordinary units.
        num_slots: B.
        device: Device of Warp.
    """

    def __init__(self, agent, num_slots: int, device):
        self.device, self._agent = device, agent
        self.state = agent.initial_state(num_slots)
        rows = torch.zeros((num_slots, agent.solution_length), dtype=torch.float32, device=str(device))
        self.members = torch.full((num_slots,), -1, dtype=torch.int32, device=str(device))
        self._rows, self._parameters = wp.from_torch(rows), agent.split(rows)
        self._parts = [getattr(self.state, field.name) for field in fields(self.state)]
        self._cleared = [wp.from_torch(part) for part in self._parts]
        self._pool = None
        if device.is_cuda:  # what a graph has allocated is its own: nobody else may write there between its replays
            with torch.cuda.device(str(device)):  # where a pool is made
                self._pool = torch.cuda.MemPool()

    def launch_load(self, solutions, renewed) -> None:
        """Takes over networks.

        Args:
            solutions: (B, ⌈L / 32⌉) array of uint32 of Warp with boolean connections: bit j % 32 of word j // 32 is
                connection j. (B, L) array of float32 with others.
            renewed: (B,) array of bool of Warp, the networks to take over; the others stay.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        num_slots, length = self._rows.shape
        if self._agent.connections == "boolean":
            check_array("packed", solutions, wp.uint32, (num_slots, num_words(length)), self.device)
        else:
            check_array("rows", solutions, wp.float32, (num_slots, length), self.device)
        check_array("renewed", renewed, wp.bool, (num_slots,), self.device)
        launch(_LOADERS[self._agent.connections], self._rows.shape, [solutions, renewed], [self._rows], self.device)

    def launch_reset(self, starting, starts, rows) -> None:
        """Begins an episode in some slots, whose state becomes zero.

        Args:
            starting: (B,) array of bool of Warp.
            starts: What `draw_starts` returns, which holds nothing.
            rows: (B,) array of int32, rows of `starts`.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        num_slots = len(self.members)
        check_array("starting", starting, wp.bool, (num_slots,), self.device)
        check_array("starts", starts, wp.float32, (None, 0), self.device)
        check_array("rows", rows, wp.int32, (num_slots,), self.device)
        for part in self._cleared:
            launch(row_kernels.clear_rows, part.shape, [starting], [part], self.device)

    def launch_step(self, observations, actions) -> None:
        """Acts for one environment step in every slot that does not rest.

        Args:
            observations: (B, obs_length) array of float32 of Warp.
            actions: (B, act_length) array of float32 in [−1, 1], overwritten; 0 for resting slots.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        sizes = {"observations": self._agent.obs_length, "actions": self._agent.act_length}
        for (name, size), array in zip(sizes.items(), (observations, actions), strict=True):
            check_array(name, array, wp.float32, (len(self.members), size), self.device)
        x, clipped = wp.to_torch(observations), wp.to_torch(actions)
        launch_function(lambda: self._step(x, clipped), self.device)

    def _step(self, x: torch.Tensor, actions: torch.Tensor) -> None:
        with ExitStack() as stack:
            if self.device.is_cuda:
                stack.enter_context(torch.cuda.stream(wp.stream_to_torch(self.device)))
                stack.enter_context(torch.cuda.use_mem_pool(self._pool))
            playing = (self.members >= 0)[:, None]
            output, memory = self._agent.pure_step(self._parameters, x, self._agent.memory(self.state))
            for part, value in zip(self._parts, (*memory, output), strict=True):
                torch.where(playing, value, part, out=part)
            torch.clamp(output, -1.0, 1.0, out=actions)
            actions.masked_fill_(~playing, 0.0)
