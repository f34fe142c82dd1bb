"""Boolean networks as packed bits on a device of NVIDIA Warp, and their gradient, without an array of all networks.

The bits are those of `sample_theta` and the gradient is that of `rho_gradient`, on the CPU to the last bit. A row is a
function of (key, generation, row) and ρ: slots take it when they need it, and the gradient makes all rows once more.

Solutions are packed: bit j % 32 of word j // 32 is connection j. Imported only where it is asked for.
"""

import torch

from ec_evotorch.distributions.bernoulli import (
    ALWAYS,
    SAMPLING_PURPOSE,
    check_probabilities,
    check_rows,
    mean_gradient,
    threshold_words,
)
from ec_evotorch.distributions.warp_philox import Four, Generation, philox4x32
from ec_evotorch.tensors import check_tensor
from native.arguments import check_whole
from native.warp_device import EXACT, check_array, find_device, launch, load_warp, on_torch_stream

wp = load_warp()
wp.set_module_options(EXACT)

_ALWAYS, _PURPOSE = wp.constant(wp.uint32(ALWAYS)), wp.constant(wp.uint32(SAMPLING_PURPOSE))


@wp.func
def is_set(word: wp.uint32, threshold: wp.uint32):
    """Whether a connection exists, given its random word."""
    return word < threshold or threshold == _ALWAYS


@wp.kernel
def sample_rows(
    rows: wp.array[wp.int64],  # (N,) numbers of rows in the generation
    renewed: wp.array[bool],  # (N,) rows to sample
    thresholds: wp.array[wp.uint32],  # (L,)
    key: wp.array[wp.uint32],  # (2,)
    generation: wp.array[wp.uint32],  # (1,)
    packed: wp.array2d[wp.uint32],  # (N, words)
):
    """Samples rows as bits; those beyond L are 0."""
    k, w = wp.tid()
    if not renewed[k]:
        return
    word = wp.uint32(0)
    for c in range(8):
        counter = 8 * w + c
        drawn = philox4x32(Four(wp.uint32(counter), wp.uint32(rows[k]), generation[0], _PURPOSE), key)
        for i in range(4):
            j = 4 * counter + i
            if j < thresholds.shape[0]:  # noqa: SIM102 - Warp looks at both sides of an "and"
                if is_set(drawn[i], thresholds[j]):
                    word = word | (wp.uint32(1) << wp.uint32(4 * c + i))
    packed[k, w] = word


@wp.kernel
def weigh_rows(
    weights: wp.array[wp.float64],  # (N,)
    first_row: wp.int64,
    thresholds: wp.array[wp.uint32],
    key: wp.array[wp.uint32],
    generation: wp.array[wp.uint32],
    total: wp.array[wp.float64],  # (L,)
):
    """Computes Σ_k w_k θ_k in the order of k, and makes each θ_k anew."""
    counter = wp.tid()
    sums = wp.vec4d()
    bounds = Four()
    for i in range(4):
        bounds[i] = thresholds[wp.min(4 * counter + i, thresholds.shape[0] - 1)]
    for k in range(weights.shape[0]):
        row = wp.uint32(first_row + wp.int64(k))
        drawn = philox4x32(Four(wp.uint32(counter), row, generation[0], _PURPOSE), key)
        for i in range(4):
            sums[i] = sums[i] + weights[k] * wp.float64(int(is_set(drawn[i], bounds[i])))
    for i in range(4):
        if 4 * counter + i < total.shape[0]:
            total[4 * counter + i] = sums[i]


class DeviceBernoulli:
    """The networks of a generation, known by ρ, key and generation in the device's memory.

    Methods that begin with `launch_` only launch kernels on Warp's current stream, and a graph can capture them: what a
    graph does when it is replayed follows what `set` has written since.

    Args:
        solution_length: L.
        device: Device of Warp.
    """

    def __init__(self, solution_length: int, device):
        self.solution_length, self.device = check_whole("solution_length", solution_length), device
        self._thresholds = torch.zeros(self.solution_length, dtype=torch.int32, device=str(device))
        self._generation = Generation(device)
        self._arguments = [wp.from_torch(self._thresholds, dtype=wp.uint32), *self._generation.arrays]

    def set(self, rho: torch.Tensor, key: int, generation: int) -> None:
        """Says which networks the rows are.

        Args:
            rho: (L,) float32, connection probabilities in [0, 1].
            key: Integer in [0, 2**64).
            generation: Number of the generation, in [0, 2**32).

        Raises:
            ValueError: If a number is out of its range, or `rho` holds no L probabilities.
        """
        check_probabilities(rho)
        if len(rho) != self.solution_length:
            raise ValueError(f"rho: expected {self.solution_length} probabilities, got {len(rho)}")
        self._generation.set(key, generation)
        self._thresholds.copy_(threshold_words(rho).to(torch.int32))

    def launch_sample(self, rows, renewed, packed) -> None:
        """Samples some rows.

        Args:
            rows: (N,) array of int64 of Warp, numbers of rows in the generation, in [0, 2**32).
            renewed: (N,) array of bool of Warp, which of them to sample; the others stay.
            packed: (N, ⌈L / 32⌉) array of uint32 of Warp, overwritten where rows are renewed.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        check_array("rows", rows, wp.int64, (None,), self.device)
        check_array("renewed", renewed, wp.bool, rows.shape, self.device)
        check_array("packed", packed, wp.uint32, (*rows.shape, -(-self.solution_length // 32)), self.device)
        launch(sample_rows, packed.shape, [rows, renewed, *self._arguments], [packed], self.device)

    def launch_weighted_sum(self, weights, first_row: int, total) -> None:
        """Computes Σ_k w_k θ_k of consecutive rows.

        Args:
            weights: (N,) array of float64 of Warp, the w_k.
            first_row: Number of the first row in the generation.
            total: (L,) array of float64 of Warp, overwritten.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        check_array("weights", weights, wp.float64, (None,), self.device)
        check_array("total", total, wp.float64, (self.solution_length,), self.device)
        counters = -(-self.solution_length // 4)
        launch(weigh_rows, counters, [weights, first_row, *self._arguments], [total], self.device)


def sample_packed_theta(
    rho: torch.Tensor, num_rows: int, key: int, *, generation: int = 0, first_row: int = 0
) -> torch.Tensor:
    """Samples the networks of `sample_theta` as bits.

    Args:
        rho: (L,) float32, connection probabilities in [0, 1], on a device that Warp has.
        num_rows: Number of networks N.
        key: Integer in [0, 2**64).
        generation: Number of the generation, in [0, 2**32).
        first_row: Number of the first network within its generation; rows are numbered in [0, 2**32).

    Returns:
        (N, ⌈L / 32⌉) int32, of which bit j % 32 of word j // 32 is connection j, on the device of `rho`.

    Raises:
        ValueError: If a number is out of its range, or `rho` holds no probabilities.
    """
    rows = _make_rows(rho, key, generation)
    _, first_row = check_rows(generation, first_row, check_whole("num_rows", num_rows))
    packed = torch.empty((num_rows, -(-len(rho) // 32)), dtype=torch.int32, device=rho.device)
    numbers = torch.arange(first_row, first_row + num_rows, device=rho.device)
    every = torch.ones(num_rows, dtype=torch.bool, device=rho.device)
    with on_torch_stream(rows.device):
        rows.launch_sample(wp.from_torch(numbers), wp.from_torch(every), wp.from_torch(packed, dtype=wp.uint32))
    return packed


def seeded_rho_gradient(
    utilities: torch.Tensor, rho: torch.Tensor, key: int, *, generation: int = 0, first_row: int = 0, device=None
) -> torch.Tensor:
    """Estimates `rho_gradient` of networks that are known by their seeds; on the CPU it is that to the last bit.

    Args:
        utilities: (N,) utilities of N ≥ 1 networks, those of `sample_theta` with the same arguments.
        rho: (L,) float32, connection probabilities in [0, 1], on a device that Warp has.
        key: Integer in [0, 2**64).
        generation: Number of the generation, in [0, 2**32).
        first_row: Number of the first network within its generation; rows are numbered in [0, 2**32).
        device: Name of the device that makes and weighs the networks; None for that of `rho`.

    Returns:
        (L,) float32, on the device of `rho`.

    Raises:
        ValueError: If a number is out of its range, `rho` holds no probabilities, or there is no utility.
    """
    rows = _make_rows(rho, key, generation, device)
    check_tensor("utilities", utilities, "a tensor of real numbers, one for each row")
    if utilities.ndim != 1 or len(utilities) == 0:
        raise ValueError(f"utilities: expected shape (N,) with N ≥ 1, got {tuple(utilities.shape)}")
    _, first_row = check_rows(generation, first_row, len(utilities))
    utilities = utilities.detach().to(device=rho.device, dtype=torch.float64).contiguous()
    weights = utilities.to(str(rows.device))
    weighted = torch.empty(len(rho), dtype=torch.float64, device=weights.device)
    with on_torch_stream(rows.device):
        rows.launch_weighted_sum(wp.from_torch(weights), first_row, wp.from_torch(weighted))
    return mean_gradient(weighted.to(rho.device), utilities, rho.detach())


def _make_rows(rho: torch.Tensor, key: int, generation: int, device=None) -> DeviceBernoulli:
    check_probabilities(rho)
    rows = DeviceBernoulli(len(rho), find_device(str(rho.device) if device is None else device))
    rows.set(rho, key, generation)
    return rows
