"""Runs are written whole and never lost by accident."""

import pytest

from experiments.errors import UserError
from experiments.run_folder.atomic_write import partial_path, write_atomic
from experiments.run_folder.layout import RUN_FILES, VIDEOS, check_vacant, open_run_folder


@pytest.mark.parametrize("name", RUN_FILES)
def test_any_file_of_a_run_marks_its_folder_as_taken(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=name):
        check_vacant(tmp_path, overwrite=False)


def test_files_of_others_do_not_mark_a_folder_as_taken(tmp_path):
    (tmp_path / "notes.txt").touch()
    check_vacant(tmp_path, overwrite=False)


def test_overwriting_deletes_the_runs_files_and_no_other(tmp_path):
    unfinished = partial_path(tmp_path / RUN_FILES[0])
    for path in (*(tmp_path / name for name in (*RUN_FILES, *VIDEOS)), unfinished, tmp_path / "notes.txt"):
        path.touch()
    with open_run_folder(tmp_path, overwrite=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_writing_replaces_the_old_content_and_leaves_nothing_else(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    write_atomic(tmp_path / "file", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"new"}


def test_a_write_that_fails_keeps_the_old_content(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomic(tmp_path / "file", None)
    assert (tmp_path / "file").read_bytes() == b"old"
