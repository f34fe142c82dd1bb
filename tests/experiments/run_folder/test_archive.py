"""What is saved is read back to the bit, whatever its shape; a file that was changed is refused."""

import numpy as np
import pytest
import torch

from experiments.run_folder.archive import check_format, checksum, load_checkpoint, pack, save_checkpoint, unpack

TREE = {
    "step": torch.tensor(3.0),  # 0-d, as Adam's; read back with one axis
    "weights": {"a": np.arange(6, dtype=np.float32).reshape(2, 3).T, "b": torch.tensor([True, False])},
    "empty": {},
    "name": "a/b",
    "nothing": None,
    "count": 7,
}


def test_a_checkpoint_is_read_back_to_the_bit(tmp_path):
    save_checkpoint(tmp_path / "file", TREE)
    tree = load_checkpoint(tmp_path / "file")
    assert tree["step"].tolist() == [3.0]
    np.testing.assert_array_equal(tree["weights"]["a"], TREE["weights"]["a"])
    assert tree["weights"]["b"].tolist() == [True, False]
    assert {key: tree[key] for key in ("empty", "name", "nothing", "count")} == {
        key: TREE[key] for key in ("empty", "name", "nothing", "count")
    }


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_no_flipped_bit_goes_unseen(tmp_path, place):
    path = tmp_path / "file"
    save_checkpoint(path, TREE)
    content = bytearray(path.read_bytes())
    content[place * len(content) // 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged|foreign|format_version"):
        load_checkpoint(path)


def test_arrays_and_metadata_are_unpacked_as_they_were_packed():
    arrays, metadata = unpack(pack({"a": np.arange(3)}, {"key": "value"}))
    assert arrays["a"].tolist() == [0, 1, 2]
    assert metadata == {"key": "value"}
    assert unpack(pack({}))[1] == {}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, "foreign: expected an ec-evotorch checkpoint"),
        ({"format": "ec-evotorch checkpoint", "format_version": "2"}, "expected format_version 1; got '2'"),
    ],
)
def test_another_format_is_refused(description, message):
    with pytest.raises(ValueError, match=message):
        check_format(description, "ec-evotorch checkpoint", "1")


def test_the_checksum_leaves_itself_out():
    assert checksum({"a": 1, "sha256": "x"}, b"b") == checksum({"a": 1}, b"b") != checksum({"a": 1}, b"c")
