"""Calling a C function that acts, once for each slot."""

from native.compiled import compiled
from native.pointers import call_void


@compiled(nogil=True)
def step_slots(function, context, members, observations, actions):
    """Steps every slot whose member is not negative; the actions of the others become 0.

    Args:
        function: Address of `void step(int64 context, int64 slot, float* observation, float* action)`.
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
