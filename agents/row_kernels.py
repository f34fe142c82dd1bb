"""Kernels of solutions in the memory of a device of NVIDIA Warp: rows that are taken over or begun anew by some slots.

A row of L bits is packed into words: bit j % 32 of word j // 32 is number j, and bits beyond L are 0.
"""

from native.warp_device import EXACT, load_warp

wp = load_warp()
wp.set_module_options(EXACT)

WORD = 32  # bits


def num_words(bits: int) -> int:
    """Returns the number of words that hold some bits."""
    return -(-bits // WORD)


@wp.kernel
def copy_rows(rows: wp.array2d[float], renewed: wp.array[bool], copies: wp.array2d[float]):
    """Copies the rows that are renewed."""
    row, j = wp.tid()
    if renewed[row]:
        copies[row, j] = rows[row, j]


@wp.kernel
def copy_positive(rows: wp.array2d[float], renewed: wp.array[bool], copies: wp.array2d[float]):
    """Makes the rows that are renewed 1 where a number is positive, and 0 elsewhere."""
    row, j = wp.tid()
    if renewed[row]:
        copies[row, j] = wp.where(rows[row, j] > 0.0, 1.0, 0.0)


@wp.kernel
def unpack_rows(packed: wp.array2d[wp.uint32], renewed: wp.array[bool], copies: wp.array2d[float]):
    """Makes the rows that are renewed the numbers 0 and 1 of packed bits."""
    row, j = wp.tid()
    if renewed[row]:
        copies[row, j] = float((packed[row, j >> 5] >> wp.uint32(j & 31)) & wp.uint32(1))


@wp.kernel
def clear_rows(starting: wp.array[bool], numbers: wp.array2d[float]):
    """Makes the rows of slots in which an episode begins 0."""
    slot, j = wp.tid()
    if starting[slot]:
        numbers[slot, j] = 0.0
