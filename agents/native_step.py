"""An agent's step as a C function, for code that acts without Python."""

from dataclasses import dataclass

from native.compiled import compiled
from native.pointers import call_void


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


@compiled(nogil=True)
def step_slots(function, context, members, observations, actions):
    """Steps every slot whose member is not negative; the actions of the others become 0.

    Args:
        function: Address of the C function.
        context: Address of its context.
        members: (B,) int64 row of each slot.
        observations: (B, obs_length) float32 observations.
        actions: (B, act_length) float32 actions, overwritten.
    """
    for slot in range(members.size):
        if members[slot] < 0:
            actions[slot] = 0
        else:
            call_void(function, (context, slot, observations[slot].ctypes.data, actions[slot].ctypes.data))
