"""Products of a few rows and a matrix in compiled code, by one thread, so that no number of threads changes them.

The matrix is packed once into panels of 16 columns. Four rows times one panel are sums in registers, also where a
register holds only eight numbers.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from native.compiled import compiled

ROWS_AT_ONCE = 4
COLUMNS_AT_ONCE = 16


def pack(matrix: np.ndarray) -> np.ndarray:
    """Returns a (depth, columns) float32 matrix as (count, depth, 16) panels, filled up with columns of zeros."""
    depth, columns = matrix.shape
    count = -(-columns // COLUMNS_AT_ONCE)
    padded = np.zeros((depth, count * COLUMNS_AT_ONCE), dtype=np.float32)
    padded[:, :columns] = matrix
    return np.ascontiguousarray(padded.reshape(depth, count, COLUMNS_AT_ONCE).transpose(1, 0, 2))


@intrinsic
def _multiply_block(typingctx, rows, row_size, panel, depth, out, out_size):
    """Multiplies four rows by a panel; arguments are addresses, and sizes of a row in bytes."""
    signature = types.void(rows, row_size, panel, depth, out, out_size)

    def codegen(context, builder, signature, args):
        rows, row_size, panel, depth, out, out_size = args
        word, number = ir.IntType(64), ir.FloatType()
        vector = ir.VectorType(number, COLUMNS_AT_ONCE)
        anything = ir.Constant(vector, ir.Undefined)
        every_lane = ir.Constant(ir.VectorType(ir.IntType(32), COLUMNS_AT_ONCE), [0] * COLUMNS_AT_ONCE)
        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{COLUMNS_AT_ONCE}f32"
        )

        def at(address, kind, size, index):
            return builder.inttoptr(builder.add(address, builder.mul(size, index)), kind.as_pointer())

        sums = [cgutils.alloca_once_value(builder, vector(None)) for _ in range(ROWS_AT_ONCE)]
        with cgutils.for_range(builder, depth) as loop:
            columns = builder.load(at(panel, vector, word(4 * COLUMNS_AT_ONCE), loop.index))
            columns.align = 4
            for r, total in enumerate(sums):
                row = builder.add(rows, builder.mul(row_size, word(r)))
                value = builder.insert_element(
                    anything, builder.load(at(row, number, word(4), loop.index)), ir.IntType(32)(0)
                )
                values = builder.shuffle_vector(value, anything, every_lane)
                builder.store(builder.call(multiply_add, [values, columns, builder.load(total)]), total)
        for r, total in enumerate(sums):
            builder.store(builder.load(total), at(out, vector, out_size, word(r))).align = 4
        return context.get_dummy_value()

    return signature, codegen


@compiled(nogil=True)
def multiply(rows, panels, count, out):
    """Writes the product of the first `count` rows and a matrix.

    Args:
        rows: (R, depth or more) float32 C-contiguous rows, where R is a multiple of 4.
        panels: The matrix as `pack` returns it.
        count: Number of rows; the rows up to the next multiple of 4 are multiplied too.
        out: (R, columns) float32 C-contiguous result, with columns filled up to a multiple of 16.
    """
    num_panels, depth, _ = panels.shape
    row_size, out_size = rows.shape[1] * 4, out.shape[1] * 4
    for p in range(num_panels):
        for r in range(0, count, ROWS_AT_ONCE):
            _multiply_block(
                rows.ctypes.data + r * row_size,
                row_size,
                panels.ctypes.data + p * depth * COLUMNS_AT_ONCE * 4,
                depth,
                out.ctypes.data + r * out_size + p * COLUMNS_AT_ONCE * 4,
                out_size,
            )
