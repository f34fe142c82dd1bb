"""Reading C memory and calling C functions from numba code.

C hands raw pointers to compiled code. They are carried as int64, which has the calling convention of a pointer on every
64-bit platform that MuJoCo supports, and become typed arrays here. Addresses of functions are values at run time rather
than constants in the code, so that everything built on them can be kept on disk.
"""

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from native.compiled import compiled


def pointer_cast(target: types.Type):
    """Makes a numba function that turns an int64 address into a pointer to the type `target`."""

    @intrinsic
    def cast(typingctx, address):
        signature = types.CPointer(target)(address)

        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return signature, codegen

    return cast


@intrinsic
def call_void(typingctx, function, arguments):
    """Calls the C function `void f(int64, …)` at an address with a tuple of int64 arguments."""
    signature = types.void(function, arguments)

    def codegen(context, builder, signature, args):
        word = ir.IntType(64)
        values = cgutils.unpack_tuple(builder, args[1])
        function_type = ir.FunctionType(ir.VoidType(), [word] * len(values))
        builder.call(builder.inttoptr(args[0], function_type.as_pointer()), values)
        return context.get_dummy_value()

    return signature, codegen


_as_float64 = pointer_cast(types.float64)
_as_float32 = pointer_cast(types.float32)
_as_int64 = pointer_cast(types.int64)
_as_int16 = pointer_cast(types.int16)
_as_int8 = pointer_cast(types.int8)
_as_uint8 = pointer_cast(types.uint8)
_as_bool = pointer_cast(types.boolean)


@compiled
def load_address(address):
    """Returns the pointer that is stored at an address, as int64."""
    return int64_row(address, 0, 1)[0]


@compiled
def float64_row(address, index, size):
    """Returns row `index` of a C-contiguous float64 array with rows of `size` numbers."""
    return numba.carray(_as_float64(address + index * size * 8), (size,))


@compiled
def float32_row(address, index, size):
    """Returns row `index` of a C-contiguous float32 array with rows of `size` numbers."""
    return numba.carray(_as_float32(address + index * size * 4), (size,))


@compiled
def int64_row(address, index, size):
    """Returns row `index` of a C-contiguous int64 array with rows of `size` numbers."""
    return numba.carray(_as_int64(address + index * size * 8), (size,))


@compiled
def int16_row(address, index, size):
    """Returns row `index` of a C-contiguous int16 array with rows of `size` numbers."""
    return numba.carray(_as_int16(address + index * size * 2), (size,))


@compiled
def int8_row(address, index, size):
    """Returns row `index` of a C-contiguous int8 array with rows of `size` numbers."""
    return numba.carray(_as_int8(address + index * size), (size,))


@compiled
def uint8_row(address, index, size):
    """Returns row `index` of a C-contiguous uint8 array with rows of `size` numbers."""
    return numba.carray(_as_uint8(address + index * size), (size,))


@compiled
def bool_array(address, size):
    """Returns the C-contiguous array of `size` one-byte booleans at an address."""
    return numba.carray(_as_bool(address), (size,))


@compiled
def copy_row(source, target):
    """Copies the numbers of one vector into another of the same size.

    `target[:] = source` would do the same, but numba takes two seconds longer to compile it, for its error message.
    """
    for i in range(target.size):
        target[i] = source[i]
