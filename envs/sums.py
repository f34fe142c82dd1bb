"""NumPy's reductions in numba, to the last bit.

Gymnasium computes its costs with `np.sum(np.square(x))`. NumPy adds pairwise (eight running sums for up to 128 terms,
halves beyond: https://numpy.org/doc/stable/reference/generated/numpy.sum.html), and a plain loop rounds differently.
"""

import numpy as np

from native.compiled import compiled

_BLOCK = 128


@compiled
def _pairwise_sum(x, start, size):
    if size < 8:
        total = x.dtype.type(0)
        for i in range(start, start + size):
            total += x[i]
        return total
    if size <= _BLOCK:
        r0, r1, r2, r3 = x[start], x[start + 1], x[start + 2], x[start + 3]
        r4, r5, r6, r7 = x[start + 4], x[start + 5], x[start + 6], x[start + 7]
        whole = start + size - size % 8
        for i in range(start + 8, whole, 8):
            r0 += x[i]
            r1 += x[i + 1]
            r2 += x[i + 2]
            r3 += x[i + 3]
            r4 += x[i + 4]
            r5 += x[i + 5]
            r6 += x[i + 6]
            r7 += x[i + 7]
        total = ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7))
        for i in range(whole, start + size):
            total += x[i]
        return total
    half = size // 2
    half -= half % 8
    return _pairwise_sum(x, start, half) + _pairwise_sum(x, start + half, size - half)


@compiled
def sum_squares(x, squares):
    """Returns `np.sum(np.square(x))` of a contiguous vector, to the last bit.

    Args:
        x: (n,) numbers.
        squares: (n,) scratch of the precision (float32 or float64) in which to square and add.
    """
    for i in range(x.size):
        value = squares.dtype.type(x[i])
        squares[i] = value * value
    return _pairwise_sum(squares, np.int64(0), squares.size)
