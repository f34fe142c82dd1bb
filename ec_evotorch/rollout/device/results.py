"""What episodes on a device have come to: counted for each slot, and handed in for each episode as it ends."""

import numpy as np

from ec_evotorch.rollout.device import kernels
from ec_evotorch.rollout.device.kernels import NO_SENSOR, wp
from ec_evotorch.rollout.finite_observations import FINITE
from ec_evotorch.rollout.slots import Episodes
from native.warp_device import launch


class Results:
    """Returns, lengths, flags and sums of observations.

    Attributes:
        found: (B,) int32 array of Warp: lowest index of a sensor that was not finite in this step.
        nonfinite: (B,) int32, first sensor of the episode that was not finite.
        failed: (B,) bool, whether an output of the network was not finite in the episode.
        sums: (B, obs_length) float64, sums of observations in the episode.
        sums_of_squares: (B, obs_length) float64, sums of their squares.

    Args:
        num_slots: B.
        capacity: Most episodes.
        obs_length: Length of an observation.
        device: Device of Warp.
    """

    def __init__(self, num_slots: int, capacity: int, obs_length: int, device):
        self._device = device
        with wp.ScopedDevice(device):
            self.found = wp.full(num_slots, NO_SENSOR, dtype=wp.int32)
            self.nonfinite, self._length = (wp.zeros(num_slots, dtype=wp.int32) for _ in range(2))
            self.failed, self._return = wp.zeros(num_slots, dtype=wp.bool), wp.zeros(num_slots, dtype=wp.float64)
            self.sums, self.sums_of_squares, *self._all_sums = (
                wp.zeros((rows, obs_length), dtype=wp.float64) for rows in (num_slots, num_slots, capacity, capacity)
            )
            types = (wp.float64, wp.int32, wp.bool, wp.bool, wp.bool, wp.int32)
            self._all = [wp.zeros(capacity, dtype=dtype) for dtype in types]

    @property
    def of_slots(self) -> list:
        """The arrays that are set back where an episode begins."""
        return [self._return, self._length, self.failed, self.nonfinite]

    def forget(self) -> None:
        """Forgets sensors that a step has found which was interrupted."""
        self.found.fill_(NO_SENSOR)

    def launch_clear(self, starting) -> None:
        """Begins the sums of slots in which an episode begins."""
        launch(kernels.clear_sums, self.sums.shape, [starting], [self.sums, self.sums_of_squares], self._device)

    def launch_hand_in(self, env, queue, members) -> None:
        """Counts a step of all slots; those whose episode has ended with it hand in its results, and are free.

        Args:
            env: What the environment has `on_device`.
            queue: `Queue` of the slots.
            members: (B,) int32 array of Warp, networks of the slots.
        """
        launch(
            kernels.hand_in_sums,
            self.sums.shape,
            [queue.episode_of, env.finished, env.observations, self.sums, self.sums_of_squares],
            [self.found, *self._all_sums],
            self._device,
        )
        inputs = [env.finished, env.rewards, env.diverged, env.overflowed, self.found, self.nonfinite, self.failed]
        overwritten = [queue.episode_of, members, self._return, self._length, queue.free, queue.unfinished]
        launch(kernels.hand_in, self.found.shape, inputs, [*overwritten, *self._all], self._device)

    def to_episodes(self, num_episodes: int) -> tuple[Episodes, np.ndarray]:
        """Reads the results of the first episodes.

        Args:
            num_episodes: How many.

        Returns:
            `Episodes`, and (episodes,) bool: where arrays of the physics were too small.
        """
        arrays = [array.numpy()[:num_episodes].copy() for array in (*self._all, *self._all_sums)]
        returns, lengths, failed, diverged, overflowed, nonfinite, sums, sums_of_squares = arrays
        returns[failed | (nonfinite != FINITE)] = np.nan
        sums_of_squares[nonfinite != FINITE] = np.nan
        diverged |= overflowed
        lengths, nonfinite = lengths.astype(np.int64), nonfinite.astype(np.int64)
        return Episodes(returns, lengths, sums, sums_of_squares, diverged, nonfinite), overflowed
