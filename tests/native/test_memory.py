"""What cannot fit into memory is refused before any of it is taken."""

import os

import pytest

from native import memory
from native.memory import TooManyError, available_memory, check_memory


def test_no_more_is_available_than_there_is():
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < available_memory() <= 4 * total  # with what is swapped out


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Lets the test say what the system says."""

    def say(of_system=None, of_group=None):
        for name, text in (("_SYSTEM", of_system), ("_GROUP", of_group)):
            path = tmp_path / name
            monkeypatch.setattr(memory, name, path)
            if text is not None:
                path.write_text(text)

    return say


MEMINFO = "MemTotal:  9000 kB\nMemAvailable:    5000 kB\nSwapFree:   1000 kB\nHugePages_Total:       0\n"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((MEMINFO,), 6000 * 1024),
        ((MEMINFO, "max\n"), 6000 * 1024),
        ((MEMINFO, "12345\n"), 12345),
        ((), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")),
    ],
    ids=["Linux", "a group without a limit", "a group with a limit", "elsewhere"],
)
def test_the_least_bound_counts(said, expected, system):
    system(*said)
    assert available_memory() == expected


def test_as_many_as_fit_are_accepted_and_one_more_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 3_500_000)
    check_memory("num_envs", 3500, 1000)
    message = "num_envs: expected at most 3,500, got 3,501: not enough memory, 1.0 kB for each of them and 0.0 GB left"
    with pytest.raises(TooManyError, match=f"^{message}$"):
        check_memory("num_envs", 3501, 1000)


def test_where_nothing_is_known_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    check_memory("num_envs", 10**30, 1)
