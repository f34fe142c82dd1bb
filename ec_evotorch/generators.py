"""PyTorch's generators as functions of a key and a generation, so that no stream has a state to keep."""

import torch

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
