"""Philox4x32-10 within kernels of NVIDIA Warp, the same words as those of `ec_evotorch.randomness`."""

import torch

from ec_evotorch.randomness import MULTIPLIER_0, MULTIPLIER_1, NUM_ROUNDS, WEYL_0, WEYL_1, WORD_MASK, split_key
from native.arguments import check_whole
from native.warp_device import EXACT, load_warp

wp = load_warp()
wp.set_module_options(EXACT)

_M0, _M1 = wp.constant(wp.uint64(MULTIPLIER_0)), wp.constant(wp.uint64(MULTIPLIER_1))
_W0, _W1 = wp.constant(wp.uint32(WEYL_0)), wp.constant(wp.uint32(WEYL_1))
_ROUNDS = wp.constant(NUM_ROUNDS)
_HALF = wp.constant(wp.uint64(32))
Four = wp.types.vector(length=4, dtype=wp.uint32)


@wp.func
def philox4x32(counter: Four, key: wp.array[wp.uint32]):
    """Computes the four words of a counter, like `ec_evotorch.randomness.philox4x32`."""
    words = counter
    k0 = key[0]
    k1 = key[1]
    for _ in range(_ROUNDS):
        product_0 = _M0 * wp.uint64(words[0])
        product_1 = _M1 * wp.uint64(words[2])
        words = Four(
            wp.uint32(product_1 >> _HALF) ^ words[1] ^ k0,
            wp.uint32(product_1),
            wp.uint32(product_0 >> _HALF) ^ words[3] ^ k1,
            wp.uint32(product_0),
        )
        k0 = k0 + _W0
        k1 = k1 + _W1
    return words


class Generation:
    """Which generation of which search rows are of, in a device's memory, where a captured graph reads it.

    Attributes:
        arrays: Arrays of uint32 of Warp for kernels: the key (2,), and the number of the generation (1,).

    Args:
        device: Device of Warp.
    """

    def __init__(self, device):
        self._key, self._number = (torch.zeros(size, dtype=torch.int32, device=str(device)) for size in (2, 1))
        self.arrays = [wp.from_torch(words, dtype=wp.uint32) for words in (self._key, self._number)]

    def set(self, key: int, generation: int) -> None:
        """Takes another one.

        Args:
            key: Integer in [0, 2**64).
            generation: Number of the generation, in [0, 2**32).

        Raises:
            ValueError: If a number is out of its range.
        """
        key_words = split_key(key)
        generation = check_whole("generation", generation, minimum=0, maximum=WORD_MASK)
        self._key.copy_(torch.tensor(key_words).to(torch.int32))
        self._number.copy_(torch.tensor([generation]).to(torch.int32))
