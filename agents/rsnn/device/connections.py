"""The connections of N networks in the device's memory, as the kernels read them."""

from math import prod

import torch

from agents.device import row_kernels
from agents.device.row_kernels import num_words
from agents.rsnn.device import kernels
from agents.rsnn.device.kernels import make_substeps, wp
from native.warp_device import check_array, launch


class BooleanConnections:
    """Connections of N networks as bits, an eighth of a byte each.

    Attributes:
        kernel_h: Recurrent connections, as `substeps` reads them.
        substeps: The kernel of all substeps.
        device: Device of Warp.

    Args:
        agent: The `RSNN`.
        num_networks: N.
        device: Device of Warp.
    """

    def __init__(self, agent, num_networks: int, device):
        self.device = device
        self._shapes, self._num_networks = list(agent.parameter_shapes.values()), num_networks
        self.substeps, words = make_substeps(agent.num_neurons, agent.num_excitatory, real=False)

        def make(pre, post):
            return torch.zeros((num_networks, post, num_words(pre)), dtype=torch.int32, device=str(device))

        kernel_in, kernel_h, kernel_out = (make(*shape) for shape in self._shapes)
        kernel_in = kernel_in.transpose(1, 2).contiguous().transpose(1, 2)  # lanes read neighbours
        self._turned = [wp.from_torch(part, dtype=wp.uint32) for part in (kernel_in, kernel_h, kernel_out)]
        self.kernel_h = wp.from_torch(kernel_h, dtype=words)

    def launch_load(self, packed, renewed) -> None:
        """Takes over networks.

        Args:
            packed: (N, ⌈L / 32⌉) array of uint32 of Warp, solutions as bits: bit j % 32 of word j // 32 is connection
                j.
            renewed: (N,) array of bool of Warp, the networks to take over; the others stay.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        length = sum(pre * post for pre, post in self._shapes)
        check_array("packed", packed, wp.uint32, (self._num_networks, num_words(length)), self.device)
        check_array("renewed", renewed, wp.bool, (self._num_networks,), self.device)
        first = 0
        for (pre, post), turned in zip(self._shapes, self._turned, strict=True):
            dim = (self._num_networks, post, num_words(pre))
            launch(kernels.turn_kernel, dim, [packed, renewed, first, pre, post], [turned], self.device)
            first += pre * post

    def launch_input(self, members, observations, r_in: float, i_in) -> None:
        """Computes the input currents of all slots."""
        inputs = [members, self._turned[0], observations, r_in]
        launch(kernels.boolean_input, i_in.shape, inputs, [i_in], self.device)

    def launch_readout(self, members, rate, r_out: float, output, actions) -> None:
        """Computes the outputs and actions of all slots."""
        inputs = [members, self._turned[2], rate, r_out]
        launch(kernels.boolean_readout, output.shape, inputs, [output, actions], self.device)


class SignConnections(BooleanConnections):
    """Connections of N networks that exist where a number is positive; they are kept as bits.

    Args:
        agent: The `RSNN`.
        num_networks: N.
        device: Device of Warp.
    """

    def __init__(self, agent, num_networks: int, device):
        super().__init__(agent, num_networks, device)
        words = num_words(sum(pre * post for pre, post in self._shapes))
        self._packed = wp.zeros((num_networks, words), dtype=wp.uint32, device=device)

    def launch_load(self, rows, renewed) -> None:
        """Takes over networks.

        Args:
            rows: (N, L) array of float32 of Warp, solutions.
            renewed: (N,) array of bool of Warp, the networks to take over; the others stay.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        length = sum(pre * post for pre, post in self._shapes)
        check_array("rows", rows, wp.float32, (self._num_networks, length), self.device)
        check_array("renewed", renewed, wp.bool, (self._num_networks,), self.device)
        launch(kernels.pack_positive, self._packed.shape, [rows, renewed], [self._packed], self.device)
        super().launch_load(self._packed, renewed)


class RealConnections:
    """Connections of N networks as float32 numbers.

    Attributes:
        kernel_h: Recurrent connections, as `substeps` reads them.
        substeps: The kernel of all substeps.
        device: Device of Warp.

    Args:
        agent: The `RSNN`.
        solutions: (N, L) float32 tensor on the device, whose memory is used.
        device: Device of Warp.
    """

    def __init__(self, agent, solutions: torch.Tensor, device):
        self.device = device
        self.substeps, _ = make_substeps(agent.num_neurons, agent.num_excitatory, real=True)
        shapes = list(agent.parameter_shapes.values())
        parts = solutions.split([prod(shape) for shape in shapes], dim=1)
        views = [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]
        self._kernel_in, self.kernel_h, self._kernel_out = (wp.from_torch(view) for view in views)
        self._solutions = wp.from_torch(solutions)

    def launch_load(self, rows, renewed) -> None:
        """Takes over networks.

        Args:
            rows: (N, L) array of float32 of Warp, solutions.
            renewed: (N,) array of bool of Warp, the networks to take over; the others stay.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        check_array("rows", rows, wp.float32, self._solutions.shape, self.device)
        check_array("renewed", renewed, wp.bool, self._solutions.shape[:1], self.device)
        launch(row_kernels.copy_rows, self._solutions.shape, [rows, renewed], [self._solutions], self.device)

    def launch_input(self, members, observations, r_in: float, i_in) -> None:
        """Computes the input currents of all slots."""
        inputs = [members, self._kernel_in, observations, r_in]
        launch(kernels.real_input, i_in.shape, inputs, [i_in], self.device)

    def launch_readout(self, members, rate, r_out: float, output, actions) -> None:
        """Computes the outputs and actions of all slots."""
        inputs = [members, self._kernel_out, rate, r_out]
        launch(kernels.real_readout, output.shape, inputs, [output, actions], self.device)
