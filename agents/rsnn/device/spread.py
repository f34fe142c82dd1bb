"""Solutions of the connections that can exist, brought to all connections on a device."""

import numpy as np

from agents.device import row_kernels
from agents.device.row_kernels import num_words, wp
from native.warp_device import check_array, launch


class Spread:
    """What `ConnectionMask.spread` does: connections that cannot exist are 0.

    Args:
        agent: An `RSNN` with a `connection_mask`.
        num_networks: N.
        device: Device of Warp.
    """

    def __init__(self, agent, num_networks: int, device):
        self._device, self._num_networks, self._length = device, num_networks, agent.solution_length
        self._is_packed = agent.connections == "boolean"
        places = np.concatenate([part.ravel() for part in agent.places().values()])
        self._places = wp.array(places, dtype=wp.int32, device=device)
        width, dtype = (num_words(len(places)), wp.uint32) if self._is_packed else (len(places), wp.float32)
        self._spread = wp.zeros((num_networks, width), dtype=dtype, device=device)

    def launch(self, solutions, renewed):
        """Spreads networks.

        Args:
            solutions: (N, ⌈L / 32⌉) words of packed bits or (N, L) numbers, of the L connections that can exist.
            renewed: (N,) array of bool of Warp, the networks to look at; the others stay.

        Returns:
            The same for all connections, an array of Warp that the next call overwrites.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        if self._is_packed:
            name, dtype, width, kernel = "packed", wp.uint32, num_words(self._length), row_kernels.spread_words
        else:
            name, dtype, width, kernel = "rows", wp.float32, self._length, row_kernels.spread_rows
        check_array(name, solutions, dtype, (self._num_networks, width), self._device)
        check_array("renewed", renewed, wp.bool, (self._num_networks,), self._device)
        launch(kernel, self._spread.shape, [solutions, renewed, self._places], [self._spread], self._device)
        return self._spread
