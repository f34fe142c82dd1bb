"""GO and NOGO within the C callbacks of a native task."""

from dataclasses import replace

import gymnasium
import numpy as np
from numba import carray, from_dtype

from envs.episode_kernel import TASK_SIGNATURE, call_record
from envs.go_nogo.schedule import NUM_INTERVALS, draw_schedule, is_go
from envs.go_nogo.wrapper import GoNoGo
from envs.tasks import Task
from native.compiled import callback, compiled
from native.pointers import bool_array, call_void, float64_row, int64_row, pointer_cast

SIGNALS = np.dtype(
    [(name, np.int64) for name in ("observe", "transition", "go_first", "ends", "forward")]
    + [("still_reward", np.float64)]
)
"""Addresses of the task's own functions and of the schedules of all slots, and what `GoNoGo` pays by: the column of
`reward_forward` in the task's `info` (−1 for none), and the reward of keeping still."""

STEP_INFO = ("go", "reward_signal")
_as_signals = pointer_cast(from_dtype(SIGNALS))


@compiled
def _is_go(signals, slot, step):
    return is_go(step, bool_array(signals.go_first, slot + 1)[slot], int64_row(signals.ends, slot, NUM_INTERVALS))


@callback(TASK_SIGNATURE)
def observe(data, argument, slot):
    """Writes the task's observation, and the signals of the step that comes next."""
    call = call_record(argument)
    signals = carray(_as_signals(call.signals), (1,))[0]
    call_void(signals.observe, (data, argument, slot))
    go = _is_go(signals, slot, int64_row(call.episode_length, 0, slot + 1)[slot])
    observation = float64_row(call.observations, slot, call.num_observations)
    observation[call.num_observations - 2] = 1.0 if go else 0.0
    observation[call.num_observations - 1] = 0.0 if go else 1.0


@callback(TASK_SIGNATURE)
def transition(data, argument, slot):
    """Writes what the task does, with the reward of `GoNoGo` and its entries of `info`."""
    call = call_record(argument)
    signals = carray(_as_signals(call.signals), (1,))[0]
    call_void(signals.transition, (data, argument, slot))
    info = float64_row(call.info, slot, call.num_info)
    if signals.forward >= 0:
        forward = info[signals.forward]
        movement = forward
    else:
        before, after = float64_row(call.before, slot, 2), float64_row(call.after, slot, 2)
        forward = 0.0
        movement = (after[0] - before[0]) / call.dt
    go = _is_go(signals, slot, int64_row(call.episode_length, 0, slot + 1)[slot] - 1)
    pay = movement if go else signals.still_reward - abs(movement)
    reward = float64_row(call.rewards, slot, 1)
    reward[0] = reward[0] + (pay - forward)
    info[call.num_info - 2] = 1.0 if go else 0.0
    info[call.num_info - 1] = pay


class NativeGoNoGo:
    """The signals of all slots of a native task, which pays as a `GoNoGo` around the plain one does.

    Attributes:
        task: The task with signals. Its call record needs `address` as `signals`.

    Args:
        task: The task without signals.
        wrapper: A `GoNoGo`, whose settings these are.
        num_envs: Number of slots.
    """

    def __init__(self, task: Task, wrapper: GoNoGo, num_envs: int):
        self.task = replace(task, observe=observe, transition=transition, step_info=(*task.step_info, *STEP_INFO))
        self._bounds = wrapper.shortest, wrapper.longest
        self._go_first = np.zeros(num_envs, dtype=bool)
        self._ends = np.ones((num_envs, NUM_INTERVALS), dtype=np.int64)
        self._record = np.zeros(1, dtype=SIGNALS)
        record = self._record[0]
        record["observe"], record["transition"] = task.observe.address, task.transition.address
        record["go_first"], record["ends"] = self._go_first.ctypes.data, self._ends.ctypes.data
        record["forward"] = task.step_info.index("reward_forward") if "reward_forward" in task.step_info else -1
        record["still_reward"] = wrapper.still_reward

    @property
    def address(self) -> int:
        """The address of the record of `SIGNALS`, for as long as this object lives."""
        return self._record.ctypes.data

    def draw(self, slot: int, generator: np.random.Generator) -> None:
        """Draws the signals of a slot's episode, from the generator that has drawn its first state."""
        self._go_first[slot], self._ends[slot] = draw_schedule(generator, *self._bounds)


def find_go_nogo(env: gymnasium.Env) -> GoNoGo | None:
    """Returns the `GoNoGo` among the wrappers of an environment; None if there is none."""
    while isinstance(env, gymnasium.Wrapper):
        if type(env) is GoNoGo:
            return env
        env = env.env
    return None
