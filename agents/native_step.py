"""What an agent hands to code that acts without Python."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NativeStep:
    """One slot's step as a C function ``void step(int64 context, int64 slot, float* observation, float* action)``.

    The function reads obs_length numbers, updates that slot's state and writes act_length numbers in [−1, 1]. Different
    slots may run at once in different threads. What ``context`` points to lives as long as this object.
    """

    function: int
    context: int
    keepalive: tuple
