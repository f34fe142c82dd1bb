"""Random streams that are functions of a key: Philox counters and PyTorch generators."""

import numpy as np
import torch

from native.compiled import compiled

NUM_ROUNDS = 10
WORD_MASK = 0xFFFFFFFF

MULTIPLIER_0 = 0xD2511F53
MULTIPLIER_1 = 0xCD9E8D57
WEYL_0 = 0x9E3779B9  # golden ratio
WEYL_1 = 0xBB67AE85  # sqrt(3) - 1

# The same constants with the types that keep numba in 32- and 64-bit unsigned arithmetic.
_M0, _M1 = np.uint64(MULTIPLIER_0), np.uint64(MULTIPLIER_1)
_W0, _W1 = np.uint32(WEYL_0), np.uint32(WEYL_1)
_HALF = np.uint64(32)


def split_key(key: int) -> tuple[int, int]:
    """Splits a 64-bit key into its (low, high) 32-bit words.

    Raises:
        ValueError: if `key` does not fit into 64 unsigned bits.
    """
    if not 0 <= key < 2**64:
        raise ValueError(f"key: expected an integer in [0, 2**64), got {key}")
    return key & WORD_MASK, key >> 32


def draw_key(generator=None) -> int:
    """Draws a 64-bit key.

    Args:
        generator: a `torch.Generator`, any object with a `generator` attribute (an EvoTorch `Problem`), or None for
            PyTorch's default generator.

    Returns:
        Uniform integer in [0, 2**64).
    """
    generator = getattr(generator, "generator", generator)
    device = "cpu" if generator is None else generator.device
    low, high = torch.randint(0, 2**32, (2,), dtype=torch.int64, generator=generator, device=device).tolist()
    return low | high << 32


def philox4x32(counter: tuple, key: tuple[int, int]) -> tuple:
    """Computes the four words of each counter, written for reading and for any device.

    Args:
        counter: four int64 tensors (or integers) that broadcast against one another, values in [0, 2**32).
        key: (low, high) words of the key.

    Returns:
        Four int64 tensors with values in [0, 2**32).
    """
    c0, c1, c2, c3 = (torch.as_tensor(word, dtype=torch.int64) for word in counter)
    k0, k1 = key
    for _ in range(NUM_ROUNDS):
        # The 64-bit products wrap to negative numbers but keep their bits; the mask takes the words back out.
        product_0 = c0 * MULTIPLIER_0
        product_1 = c2 * MULTIPLIER_1
        c0, c2 = (product_1 >> 32 & WORD_MASK) ^ c1 ^ k0, (product_0 >> 32 & WORD_MASK) ^ c3 ^ k1
        c1, c3 = product_1 & WORD_MASK, product_0 & WORD_MASK
        k0, k1 = (k0 + WEYL_0) & WORD_MASK, (k1 + WEYL_1) & WORD_MASK
    return c0, c1, c2, c3


@compiled(nogil=True)
def _round(state):
    c0, c1, c2, c3, k0, k1 = state
    product_0 = _M0 * np.uint64(c0)
    product_1 = _M1 * np.uint64(c2)
    return (
        np.uint32(product_1 >> _HALF) ^ c1 ^ k0,
        np.uint32(product_1),
        np.uint32(product_0 >> _HALF) ^ c3 ^ k1,
        np.uint32(product_0),
        np.uint32(k0 + _W0),
        np.uint32(k1 + _W1),
    )


@compiled(nogil=True)
def _five_rounds(state):
    return _round(_round(_round(_round(_round(state)))))


@compiled(nogil=True)
def philox4x32_words(c0, c1, c2, c3, k0, k1):
    """Computes the four words of one counter: `philox4x32` for numba kernels, all arguments and results uint32.

    The ten rounds are written out, not looped: LLVM then vectorises a caller's loop over counters.
    """
    return _five_rounds(_five_rounds((c0, c1, c2, c3, k0, k1)))[:4]


# 2^64 over the golden ratio. It is odd: key + k·WEYL mod 2^32 takes every value once before it repeats.
_WEYL = 0x9E3779B97F4A7C15


def make_generator(key: int, generation: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Makes a PyTorch generator whose stream is a function of (key, generation) and the type of device.

    The seeds of up to 2^32 generations differ in their lower 32 bits, the only ones that PyTorch's CPU generator uses.

    Args:
        key: integer in [0, 2**64).
        generation: integer in [0, 2**32), or another number that tells streams of one key apart.
        device: of the generator.
    """
    return torch.Generator(device).manual_seed((key + generation * _WEYL) % 2**64)
