"""Episodes that wait for a slot, on a device: a slot that has ended one takes the next one at once."""

import numpy as np

from ec_evotorch.rollout.device import kernels
from ec_evotorch.rollout.device.kernels import IDLE, wp
from native.warp_device import launch


class Queue:
    """Which episode each slot plays. Free slots take the next ones in the order of their numbers.

    Which slot takes which episode is found by counting the free slots before it, and not by who asks first: it is the
    same in each run, also on a GPU.

    Attributes:
        capacity: Most episodes.
        episode_of: (B,) int32 array of Warp, as the others: number of the episode in each slot; `IDLE` for none.
        rows: (B,) int64, row of the solution that plays it.
        starting: (B,) bool, whether it has just begun.
        free: (B,) int32, 1 where a slot can take an episode.
        unfinished: (1,) int32, episodes that have not ended.

    Args:
        num_slots: B.
        capacity: Most episodes.
        device: Device of Warp.
    """

    def __init__(self, num_slots: int, capacity: int, device):
        self.capacity, self._device = capacity, device
        with wp.ScopedDevice(device):
            self.episode_of, self.free, self._before = (wp.empty(num_slots, dtype=wp.int32) for _ in range(3))
            self.rows, self.starting = wp.zeros(num_slots, dtype=wp.int64), wp.zeros(num_slots, dtype=wp.bool)
            self.unfinished, self._head, self._num_episodes = (wp.zeros(1, dtype=wp.int32) for _ in range(3))
            self._row_of = wp.zeros(capacity, dtype=wp.int64)

    def set(self, rows: np.ndarray) -> None:
        """Puts episodes into the queue; all slots are free then.

        Args:
            rows: (episodes,) row of the solution that plays each.
        """
        self.episode_of.fill_(IDLE)
        self.free.fill_(1)
        self._head.zero_()
        for count in (self._num_episodes, self.unfinished):
            count.fill_(len(rows))
        wp.copy(self._row_of, wp.array(rows, dtype=wp.int64, device=self._device), count=len(rows))

    def launch_take(self, members, results) -> None:
        """Lets free slots take the next episodes.

        Args:
            members: (B,) int32 array of Warp, the network that acts in each slot, which is its own.
            results: `Results`, which count the new episodes from zero.
        """
        with wp.ScopedDevice(self._device):  # where a scan is launched, wherever its arrays are
            wp.utils.array_scan(self.free, self._before, inclusive=False)
        launch(
            kernels.take,
            self.free.shape,
            [self.free, self._before, self._head, self._num_episodes, self._row_of],
            [self.episode_of, members, self.rows, self.starting, *results.of_slots],
            self._device,
        )
        launch(kernels.advance, 1, [self.free, self._before, self._num_episodes], [self._head], self._device)
        results.launch_clear(self.starting)
