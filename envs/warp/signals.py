"""GO and NOGO on the device: which signal it is, what is observed of it, and what it pays, see `envs.go_nogo`."""

import numpy as np

from envs.go_nogo import GoNoGo
from envs.go_nogo.schedule import NUM_INTERVALS, draw_schedule
from native.warp_device import check_array, launch, load_warp

wp = load_warp()
wp.set_module_options({"enable_backward": False})

_LAST_STEP = np.iinfo(np.int32).max  # that is counted; intervals that end later end there
_ZERO, _ONE = wp.constant(wp.float64(0.0)), wp.constant(wp.float64(1.0))


@wp.func
def is_go(step: int, go_first: bool, ends: wp.array2d[int], world: int):
    """Whether the signal is GO at a step of the episode, counted from 0."""
    last = ends.shape[1] - 1
    place = step % ends[world, last]
    interval = int(0)  # noqa: RUF046, UP018 - a literal would be a constant to Warp
    while ends[world, interval] <= place:
        interval += 1
    return go_first != (interval % 2 == 1)


@wp.kernel
def begin(
    starting: wp.array[bool],
    rows: wp.array[int],
    start_go_first: wp.array[bool],
    start_ends: wp.array2d[int],
    go_first: wp.array[bool],
    ends: wp.array2d[int],
):
    """Takes over the signals of the episodes that begin."""
    world, i = wp.tid()
    if not starting[world]:
        return
    ends[world, i] = start_ends[rows[world], i]
    if i == 0:
        go_first[world] = start_go_first[rows[world]]


@wp.kernel
def observe(
    observed: wp.array[bool],
    taken: int,  # steps that are not counted yet
    episode_lengths: wp.array[int],
    go_first: wp.array[bool],
    ends: wp.array2d[int],
    first: int,
    observations: wp.array2d[float],
):
    """Writes the signals of the step that comes next behind the task's observation."""
    world = wp.tid()
    if not observed[world]:
        return
    go = is_go(episode_lengths[world] + taken, go_first[world], ends, world)
    observations[world, first] = wp.where(go, 1.0, 0.0)
    observations[world, first + 1] = wp.where(go, 0.0, 1.0)


@wp.kernel
def pay(
    sound: wp.array[bool],
    episode_lengths: wp.array[int],
    go_first: wp.array[bool],
    ends: wp.array2d[int],
    forward_column: int,  # of `parts`; −1 where the task pays no speed
    first: int,  # column of `parts`
    still_reward: wp.float64,
    dt: wp.float64,
    before: wp.array[wp.vec2d],
    after: wp.array[wp.vec2d],
    parts: wp.array2d[wp.float64],
    rewards: wp.array[wp.float64],
):
    """Replaces what the task pays for moving forward by what the signal pays."""
    world = wp.tid()
    if not sound[world]:
        return
    forward = _ZERO
    movement = (after[world][0] - before[world][0]) / dt
    if forward_column >= 0:
        forward = parts[world, forward_column]
        movement = forward
    go = is_go(episode_lengths[world], go_first[world], ends, world)
    reward = wp.where(go, movement, still_reward - wp.abs(movement))
    rewards[world] = rewards[world] + (reward - forward)
    parts[world, first] = wp.where(go, _ONE, _ZERO)
    parts[world, first + 1] = reward


class Signals:
    """The signals of B slots.

    Args:
        wrapper: A `GoNoGo`, whose settings these are.
        part_names: Names of the parts of the task's own reward.
        num_sensors: Length of the task's own observation.
        dt: Time of a step of the environment, in seconds.
        num_envs: B.
        device: Device of Warp.
    """

    def __init__(
        self, wrapper: GoNoGo, part_names: tuple[str, ...], num_sensors: int, dt: float, num_envs: int, device
    ):
        self._num_envs, self._device = num_envs, device
        self._bounds, self._still_reward, self._dt = (wrapper.shortest, wrapper.longest), wrapper.still_reward, dt
        self._forward = part_names.index("reward_forward") if "reward_forward" in part_names else -1
        self._part, self._sensor = len(part_names), num_sensors
        self._go_first = wp.zeros(num_envs, dtype=wp.bool, device=device)
        self._ends = wp.ones((num_envs, NUM_INTERVALS), dtype=wp.int32, device=device)

    @property
    def memory(self) -> tuple:
        """Arrays on which it depends what comes, see `envs.warp.worlds.Worlds.memory`."""
        return self._go_first, self._ends

    def draw(self, generator: np.random.Generator) -> tuple[bool, np.ndarray]:
        """Draws the signals of an episode, from the generator that has drawn its first state."""
        go_first, ends = draw_schedule(generator, *self._bounds)
        return go_first, np.minimum(ends, _LAST_STEP)

    def launch_begin(self, starting, starts: tuple, rows) -> None:
        """Takes over the signals of episodes that begin.

        Args:
            starting: (B,) array of bool.
            starts: Which signal comes first, (E,) array of bool, and ends of intervals, (E, 64) array of int32.
            rows: (B,) array of int32, rows of these for the slots in which an episode begins.

        Raises:
            ValueError: If an array has another type or shape, or is elsewhere.
        """
        check_array("starts[2]", starts[0], wp.bool, (None,), self._device)
        check_array("starts[3]", starts[1], wp.int32, (None, NUM_INTERVALS), self._device)
        launch(begin, self._ends.shape, [starting, rows, *starts], [self._go_first, self._ends], self._device)

    def launch_observe(self, observed, taken: int, episode_lengths, observations) -> None:
        """Writes the signals of the next step to the last two columns of the observations of some slots.

        Args:
            observed: (B,) array of bool.
            taken: Steps that `episode_lengths` do not count yet.
            episode_lengths: (B,) array of int32.
            observations: (B, d) array of float32.
        """
        inputs = [observed, taken, episode_lengths, self._go_first, self._ends, self._sensor]
        launch(observe, self._num_envs, inputs, [observations], self._device)

    def launch_pay(self, sound, episode_lengths, before, after, parts, rewards) -> None:
        """Pays a step that `episode_lengths` do not count yet by its signal.

        Args:
            sound: (B,) array of bool, slots that have taken the step.
            episode_lengths: (B,) array of int32.
            before: (B,) array of vec2d, positions before the step.
            after: (B,) array of vec2d, positions after it.
            parts: (B, number of parts) array of float64; those of the task are read, and two are written.
            rewards: (B,) array of float64, changed.
        """
        columns = [self._forward, self._part, self._still_reward, self._dt, before, after]
        inputs = [sound, episode_lengths, self._go_first, self._ends, *columns]
        launch(pay, self._num_envs, inputs, [parts, rewards], self._device)
