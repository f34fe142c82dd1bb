"""Philox4x32-10 against the known answers of its authors, and keys from every kind of generator."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ec_evotorch.randomness import draw_key, philox4x32, philox4x32_words, split_key

# (counter, key, words), from https://github.com/DEShawResearch/random123/blob/main/tests/kat_vectors
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_tensor_definition_gives_the_published_words(counter, key, words):
    assert tuple(word.item() for word in philox4x32(counter, key)) == words


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_numba_function_gives_the_published_words(counter, key, words):
    assert philox4x32_words(*np.array(counter + key, dtype=np.uint32)) == words


def test_counters_broadcast():
    words = philox4x32((torch.arange(3), torch.arange(2)[:, None], 0, 7), (1, 2))
    alone = philox4x32((2, 1, 0, 7), (1, 2))
    assert [word[1, 2].item() for word in words] == [word.item() for word in alone]


def test_a_key_splits_into_its_low_and_high_words():
    assert split_key(0x0123456789ABCDEF) == (0x89ABCDEF, 0x01234567)


@pytest.mark.parametrize("key", [-1, 2**64])
def test_a_key_beyond_64_bits_is_refused(key):
    with pytest.raises(ValueError, match=r"key: expected an integer in \[0, 2\*\*64\)"):
        split_key(key)


def test_equal_generator_states_draw_equal_keys_and_advance():
    first, second = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    key = draw_key(first)
    assert key == draw_key(SimpleNamespace(generator=second))
    assert key != draw_key(first)


def test_without_a_generator_the_default_one_is_used():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        key = draw_key(None)
        torch.manual_seed(5)
        assert draw_key(SimpleNamespace(generator=None)) == key
