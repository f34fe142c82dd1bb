"""A disk that is full at any write of a run: one line says so, nothing is lost, and the run goes on to the same end."""

import builtins
import errno
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.run_folder.checkpoints import find_checkpoints, read_checkpoint
from tests.experiments.training.tiny_runs import words

BUDGET, RAISED = "budget=450", "budget=600"


class FullDisk:
    """Refuses the writes into a folder from some number on, as a disk does that has no room.

    Writes are those that may need room: files and folders that are made, what is written, flushed and renamed. A file
    gets half of what is written when the room ends.

    Attributes:
        is_full: Whether a write was refused.
    """

    def __init__(self, folder: Path, first: int, stays: bool):
        self._folder, self._first, self._stays = folder.resolve(), first, stays
        self._number, self.is_full = 0, False

    def check(self) -> None:
        """Raises what the system does, if the time has come."""
        self._number += 1
        if self._number == self._first or (self._stays and self._number > self._first):
            self.is_full = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def is_here(self, path: object) -> bool:
        return isinstance(path, str | os.PathLike) and Path(path).resolve().is_relative_to(self._folder)

    def open(self, path, mode="r", *arguments, **keywords):
        if not (self.is_here(path) and set("wxa+") & set(mode)):
            return _OPEN(path, mode, *arguments, **keywords)
        if "r" not in mode:  # the file is made
            self.check()
        return _File(_OPEN(path, mode, *arguments, **keywords), self)


class _File:
    """A file on a `FullDisk`."""

    def __init__(self, file, disk: FullDisk):
        self._file, self._disk = file, disk

    def write(self, content: bytes) -> int:
        try:
            self._disk.check()
        except OSError:
            self._file.write(content[: len(content) // 2])
            raise
        return self._file.write(content)

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


_OPEN, _FSYNC, _REPLACE, _MKDIR = builtins.open, os.fsync, os.replace, os.mkdir


@contextmanager
def full_disk(folder: Path, first: int, stays: bool) -> Iterator[FullDisk]:
    disk = FullDisk(folder, first, stays)

    def checked(function, is_here=lambda *arguments: True):
        def call(*arguments, **keywords):
            if is_here(*arguments):
                disk.check()
            return function(*arguments, **keywords)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "open", disk.open)
        patch.setattr(io, "open", disk.open)
        patch.setattr(os, "fsync", checked(_FSYNC))
        patch.setattr(os, "replace", checked(_REPLACE, lambda source, target: disk.is_here(target)))
        patch.setattr(os, "mkdir", checked(_MKDIR, lambda path, *mode: disk.is_here(path) and not Path(path).exists()))
        yield disk


def whole_rows(metrics: Path) -> list[bytes]:
    """Returns the rows of a metrics.csv, without the header, the clocks, and a row that is half written."""
    lines = metrics.read_bytes().split(b"\n")[1:-1] if metrics.exists() else []
    return [b",".join(line.split(b",")[:12]) for line in lines]


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_disk_that_is_full_at_any_write_after_a_raised_budget_does_not_lose_the_rest(
    unbroken, assert_same_end, capsys
):
    run, raised = Path("run"), ["resume", "run", RAISED]
    before, expected = unbroken("ec", BUDGET), unbroken("ec", RAISED)
    for number in count(1):
        shutil.copytree(before, run)
        with full_disk(run, number, stays=False) as disk:
            code = main(raised)
        if not disk.is_full:
            break
        assert (code, capsys.readouterr().err.count("\n")) == (2, 1), number
        assert main(raised) == 0
        assert_same_end(run, expected)
        shutil.rmtree(run)
    assert code == 0
    assert number > 30
    assert_same_end(run, expected)
    with capsys.disabled():
        print(f"\n{number - 1} writes after a raised budget, each refused once: {number - 1} resumed")


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("stays", [False, True], ids=["once", "from then on"])
def test_a_disk_that_is_full_at_any_write_is_one_line_and_the_run_goes_on_to_the_same_end(
    stays, unbroken, assert_same_end, capsys
):
    run, train = Path("run"), ["train", *words("ec", BUDGET, "run_dir=run")]
    expected = unbroken("ec", BUDGET)
    tried = 0
    for number in count(1):
        with full_disk(run, number, stays) as disk:
            code = main(train)
        error = capsys.readouterr().err
        if not disk.is_full:
            break
        tried += 1
        assert (code, error.count("\n")) == (2, 1), (number, error)
        assert "No space left on device" in error
        assert not list(run.rglob("*.partial"))
        rows = whole_rows(run / "metrics.csv")
        assert rows == whole_rows(expected / "metrics.csv")[: len(rows)]
        for checkpoint in find_checkpoints(run):
            read_checkpoint(checkpoint)
        assert main(["resume", "run"] if (run / "config.yaml").exists() else train) == 0, (number, error)
        capsys.readouterr()
        assert_same_end(run, expected)
        shutil.rmtree(run)
    assert code == 0
    assert tried > 50
    with capsys.disabled():
        print(f"\n{tried} writes, each refused {'once' if not stays else 'and all after it'}: {tried} resumed")
