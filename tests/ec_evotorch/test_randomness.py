"""Philox4x32-10 against the known answers of its authors, and keys from every kind of generator."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ec_evotorch import randomness
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


# --- the table of streams ---

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("native", "envs", "agents", "ec_evotorch", "experiments")
# What makes or uses a source of random numbers.
SOURCES = re.compile(
    r"""\b(?:default_rng|SeedSequence|RandomState|np_random|Generator|manual_seed|get_state|set_state|fork_rng
    |make_generator|draw_key|philox4x32|philox4x32_words
    |rand|randn|randint|randperm|rand_like|randn_like|normal_|uniform_|bernoulli_|orthogonal_|random_)\(""",
    re.VERBOSE,
)


def draws(source):
    """Whether a file makes or uses a source of random numbers, comments and text aside."""
    code = re.sub(r'"""(?s:.*?)"""|#.*', "", source)
    return SOURCES.search(code) is not None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = torch.randn(3, generator=g)", True),
        ("np.random.default_rng(3).normal()", True),
        ("draw_key(problem)", True),
        ('"""Calls `torch.randn(3)`."""\nx = 3  # not rand(3)', False),
        ("expand(3)", False),
    ],
)
def test_draws_are_recognised(source, expected):
    assert draws(source) == expected


def test_every_file_that_draws_is_in_the_table():
    files = {str(path.relative_to(ROOT)): path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    drawing = {name for name, source in files.items() if draws(source)} - {"ec_evotorch/randomness.py"}
    unnamed = {name for name in drawing if f"`{name}`" not in randomness.__doc__}
    assert len(drawing) > 10
    assert {name for name in unnamed if not name.startswith("experiments/bench/")} == set()


def test_every_file_in_the_table_is_there():
    named = re.findall(r"`([\w/]+\.py)`", randomness.__doc__)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_no_file_uses_the_global_generator_of_numpy_or_python():
    global_draw = re.compile(
        r"np\.random\.(?!default_rng|SeedSequence|Generator|PCG64|Philox)\w+\(|^import random\b", re.M
    )
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert [str(path) for path in files if global_draw.search(path.read_text())] == []
