"""What is between environment and network on a device: observations are normalised, and outputs rescaled to actions."""

import numpy as np
import torch

from ec_evotorch.rollout.device import kernels
from ec_evotorch.rollout.device.kernels import wp
from ec_evotorch.rollout.normalizer import ObservationNormalizer
from native.warp_device import launch


class Interface:
    """Hands observations to the networks, and their outputs to the environment.

    Args:
        env: What the environment has `on_device`.
        networks: What the agent has `on_device`.
        middle: (act_length,) float32 middle of the action space.
        half_range: (act_length,) float32 half range of the action space.
    """

    def __init__(self, env, networks, middle: np.ndarray, half_range: np.ndarray):
        self._env, self._networks, self._device = env, networks, env.device
        with wp.ScopedDevice(self._device):
            self._inputs = wp.zeros(env.observations.shape, dtype=wp.float32)
            self._outputs = wp.zeros(env.actions.shape, dtype=wp.float32)
            self._middle, self._half_range = (wp.array(part, dtype=wp.float32) for part in (middle, half_range))
        shape = env.observations.shape[1:]
        self._statistics = [torch.zeros(shape, dtype=torch.float64, device=str(self._device)) for _ in range(2)]
        self._mean, self._stdev = map(wp.from_torch, self._statistics)

    def set(self, normalizer: ObservationNormalizer) -> None:
        """Takes over the statistics by which observations are normalised."""
        for tensor, array in zip(self._statistics, (normalizer.mean, normalizer.stdev), strict=True):
            tensor.copy_(torch.from_numpy(array))

    def launch_act(self, episode_of, results, *, normalizes: bool) -> None:
        """Lets the networks act: from the environment's observations to its actions.

        Args:
            episode_of: (B,) int32 array of Warp, of the queue.
            results: `Results`, which count observations and failures.
            normalizes: Whether observations are normalised and counted.
        """
        observations = self._env.observations
        if normalizes:
            inputs = [episode_of, observations, self._mean, self._stdev]
            outputs = [results.found, results.sums, results.sums_of_squares, self._inputs]
            launch(kernels.normalize, observations.shape, inputs, outputs, self._device)
        else:
            outputs = [results.found, self._inputs]
            launch(kernels.pass_on, observations.shape, [episode_of, observations], outputs, self._device)
        self._networks.launch_step(self._inputs, self._outputs)
        inputs = [episode_of, self._outputs, self._middle, self._half_range]
        outputs = [results.found, results.nonfinite, results.failed, self._env.actions]
        launch(kernels.rescale, episode_of.shape, inputs, outputs, self._device)
