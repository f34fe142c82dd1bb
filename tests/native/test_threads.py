"""The number of threads where nobody says: all cores, and no more than OMP_NUM_THREADS."""

import os

import pytest

from native.threads import default_num_threads

CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("asked", "threads"),
    [("1", 1), ("1,4", 1), (" 1 ", 1), ("1000000", CORES), ("", CORES), ("0", CORES), ("-1", CORES), ("many", CORES)],
)
def test_the_variable_lowers_the_number(monkeypatch, asked, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert default_num_threads() == threads


def test_without_the_variable_it_is_all_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert default_num_threads() == CORES
