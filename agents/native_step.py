"""An agent's step as a C function, for code that acts without Python."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NativeStep:
    """The step of one slot as a C function `void step(int64 context, int64 slot, float* observation, float* action)`.

    The function reads `obs_length` numbers, updates the state of the slot and writes `act_length` numbers in [−1, 1].
    Different slots may run at the same time in different threads.

    Attributes:
        function: Address of the C function.
        context: Address of its context.
        keepalive: What `context` points to, which lives as long as this object.
    """

    function: int
    context: int
    keepalive: tuple
