"""Where neurons are, and how likely two of them are connected: `prob_init` of `EvolvingConnectivity`."""

import math
from collections.abc import Mapping

import numpy as np

from native.arguments import check_in_range, check_positive, check_whole

_PURPOSE = 0x506F7369  # keeps these random numbers apart from others drawn from the same seed
BLOCKS = {  # block -> kernel; from its presynaptic kind to its postsynaptic one, E and I for kinds of neurons
    "in_E": "kernel_in",
    "in_I": "kernel_in",
    "E_E": "kernel_h",
    "E_I": "kernel_h",
    "I_E": "kernel_h",
    "I_I": "kernel_h",
    "E_out": "kernel_out",
    "I_out": "kernel_out",
}


def draw_positions(num_neurons: int, dimensions: int = 2, seed: int = 0) -> np.ndarray:
    """Draws the positions of neurons, uniform in a cube of side 1.

    Args:
        num_neurons: Number of neurons n.
        dimensions: Of the cube: 1 for a line, 2 for a sheet, 3 for a volume.
        seed: Chooses them; a whole number of at least 0.

    Returns:
        (n, dimensions) float64 in [0, 1).

    Raises:
        ValueError: If an argument is no such number.
    """
    shape = (check_whole("num_neurons", num_neurons), check_whole("dimensions", dimensions))
    return np.random.default_rng([check_whole("seed", seed, minimum=0), _PURPOSE]).random(shape)


def distances(positions: np.ndarray) -> np.ndarray:
    """Returns the Euclidean distances between all neurons.

    Args:
        positions: (n, dimensions) positions, in any unit.

    Returns:
        (n, n) float64 in the same unit, 0 from a neuron to itself.

    Raises:
        ValueError: If they are no such numbers.
    """
    given = np.asarray(positions)
    if given.ndim != 2 or 0 in given.shape or given.dtype.kind not in "fiu" or not np.isfinite(given).all():
        got = f"{given.dtype} of shape {given.shape}"
        raise ValueError(f"positions: expected finite numbers of shape (n, dimensions), got {got}")
    steps = given[:, None, :].astype(np.float64) - given[None, :, :]
    return np.sqrt((steps**2).sum(axis=-1))


def distance_rule(positions: np.ndarray, p, length: float) -> np.ndarray:
    """Returns connection probabilities that fall with distance: ρ = p · exp(−d / λ).

    Args:
        positions: (n, dimensions) positions of the neurons, in any unit.
        p: Probability at distance 0, in [0, 1]: a number, or (n, n) numbers, such as those of `block_rule`.
        length: Length constant λ in the same unit, positive.

    Returns:
        (n, n) float32 probabilities for kernel_h, presynaptic index first.

    Raises:
        ValueError: If an argument is out of range or has another shape.

    Source: Ercsey-Ravasz et al. (2013), "A predictive network model of cerebral cortical connectivity based on a
    distance rule", https://doi.org/10.1016/j.neuron.2013.07.036.
    """
    between, length = distances(positions), check_positive("length", length)
    at_zero = np.asarray(p)
    if at_zero.shape not in ((), between.shape) or at_zero.dtype.kind not in "fiu":
        got = f"{p!r}" if at_zero.ndim == 0 else f"{at_zero.dtype} of shape {at_zero.shape}"
        raise ValueError(f"p: expected a number or numbers of shape {between.shape}, got {got}")
    if not ((at_zero >= 0) & (at_zero <= 1)).all():
        raise ValueError(f"p: expected probabilities in [0, 1], got {at_zero.min()} to {at_zero.max()}")
    return (at_zero * np.exp(-between / length)).astype(np.float32)


def arrow(block: str) -> str:
    """Returns the name of one of `BLOCKS` as tables and figures write it: "E→I" of "E_I"."""
    return block.replace("_", "→")


def block_views(kernels: Mapping[str, np.ndarray], num_excitatory: int) -> dict[str, np.ndarray]:
    """Returns the parts of kernels that connect one kind with another, by the names of `BLOCKS`, as views.

    Args:
        kernels: Some of kernel_in, kernel_h and kernel_out, presynaptic index first.
        num_excitatory: How many neurons are excitatory; they are the first.
    """
    kinds = {"E": slice(None, num_excitatory), "I": slice(num_excitatory, None)}
    views = {}
    for block, kernel in BLOCKS.items():
        if kernel in kernels:
            before, after = (kinds.get(kind, slice(None)) for kind in block.split("_"))
            views[block] = kernels[kernel][before, after]
    return views


def block_rule(
    table: Mapping[str, float], shapes: Mapping[str, tuple[int, int]], num_excitatory: int
) -> dict[str, np.ndarray]:
    """Returns connection probabilities that depend on the kinds of the two ends alone, as connectomes report them.

    Args:
        table: Probability in [0, 1] of each block: "in_E" and "in_I" for kernel_in; "E_E", "E_I", "I_E" and "I_I" for
            kernel_h; "E_out" and "I_out" for kernel_out. The presynaptic kind comes first. A block without a neuron, as
            of a network without inhibitory ones, may be left out.
        shapes: Shapes of the kernels to make, by name: `agent.parameter_shapes`, or some of them.
        num_excitatory: How many neurons are excitatory, `agent.num_excitatory`; they are the first.

    Returns:
        Name -> (presynaptic, postsynaptic) float32 for each of `shapes`.

    Raises:
        ValueError: If a block is missing, unknown, or no probability.
    """
    wanted = [block for block, kernel in BLOCKS.items() if kernel in shapes]
    if unknown := [str(block) for block in table if block not in wanted]:
        raise ValueError(f"blocks: expected some of {', '.join(wanted)}; got {', '.join(unknown)}")
    kernels = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
    for block, part in block_views(kernels, num_excitatory).items():
        if block in table:
            part[:] = check_in_range(f"blocks.{block}", table[block], 0.0, 1.0)
        elif part.size:
            raise ValueError(f"blocks: expected a probability for each of {', '.join(wanted)}; {block} is missing")
    return kernels


def wire_length(kernel_h: np.ndarray, positions: np.ndarray) -> float:
    """Returns the total length of the connections between neurons, in the unit of the positions.

    Args:
        kernel_h: (n, n) bool, which connections there are; or probabilities, for the expected length.
        positions: (n, dimensions) positions of the neurons.

    Raises:
        ValueError: If the shapes do not fit.
    """
    between, kernel_h = distances(positions), np.asarray(kernel_h)
    if kernel_h.shape != between.shape:
        raise ValueError(f"kernel_h: expected shape {between.shape}, got {kernel_h.shape}")
    return math.fsum((between * kernel_h).ravel())
