"""How much memory there is, and a refusal of what cannot fit before any of it is taken.

Linux promises more memory than there is, and ends a process that uses it: without a look beforehand, a number that is
too large by a few zeros ends without a message, and other processes with it.
"""

import os
from pathlib import Path

_SYSTEM, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")
_COUNTED = ("MemAvailable", "SwapFree")


class TooManyError(MemoryError):
    """More of something than there is memory for; the message begins with the name of the argument."""


def available_memory() -> int | None:
    """Returns the bytes that this process can be given at most; None where the system does not say."""
    if _SYSTEM.exists():
        entries = dict(line.split(":") for line in _SYSTEM.read_text().splitlines())
        bounds = [sum(int(entries[name].split()[0]) * 1024 for name in _COUNTED if name in entries)]
        limit = _GROUP.read_text().strip() if _GROUP.exists() else "max"
        return min(bounds + ([] if limit == "max" else [int(limit)]))
    names = "SC_PHYS_PAGES", "SC_PAGE_SIZE"
    if set(names) <= set(getattr(os, "sysconf_names", ())):
        return os.sysconf(names[0]) * os.sysconf(names[1])
    return None


def check_memory(name: str, number: int, bytes_each: int) -> None:
    """Checks that there can be memory for a number of equal things.

    Args:
        name: Name of the argument that is this number, for the message.
        number: How many.
        bytes_each: Bytes that each takes at least.

    Raises:
        TooManyError: If there is too little.
    """
    available = available_memory()
    if available is not None and number * bytes_each > available:
        memory = f"not enough memory, {bytes_each / 1e3:,.1f} kB for each of them and {available / 1e9:,.1f} GB left"
        raise TooManyError(f"{name}: expected at most {available // bytes_each:,}, got {number:,}: {memory}")
