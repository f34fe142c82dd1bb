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
def spread_rows(
    rows: wp.array2d[float],  # (N, L)
    renewed: wp.array[bool],
    places: wp.array[int],  # (connections,) number of each in a row, or −1 for one that cannot exist
    spread: wp.array2d[float],  # (N, connections)
):
    """Brings the numbers of rows that are renewed to their connections; the others become 0."""
    row, connection = wp.tid()
    if renewed[row]:
        place = places[connection]
        if place < 0:
            spread[row, connection] = 0.0
        else:
            spread[row, connection] = rows[row, place]


@wp.kernel
def spread_words(
    packed: wp.array2d[wp.uint32],
    renewed: wp.array[bool],
    places: wp.array[int],
    spread: wp.array2d[wp.uint32],
):
    """Brings the packed bits of rows that are renewed to their connections, like `spread_rows`."""
    row, w = wp.tid()
    if not renewed[row]:
        return
    word = wp.uint32(0)
    for b in range(32):
        connection = 32 * w + b
        if connection < places.shape[0]:
            place = places[connection]
            if place >= 0:
                word = word | (((packed[row, place >> 5] >> wp.uint32(place & 31)) & wp.uint32(1)) << wp.uint32(b))
    spread[row, w] = word


@wp.kernel
def clear_rows(starting: wp.array[bool], numbers: wp.array2d[float]):
    """Makes the rows of slots in which an episode begins 0."""
    slot, j = wp.tid()
    if starting[slot]:
        numbers[slot, j] = 0.0
