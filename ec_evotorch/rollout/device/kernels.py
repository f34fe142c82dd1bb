"""The kernels of slots that play episodes on a device.

Numbers are added and rounded as in `ec_evotorch.rollout.normalizer`, in the same order, so that equal observations and
rewards give equal results to the last bit. Nothing depends on the order in which threads run: what slots share are
whole numbers that are added, and lowest indices.

Throughout, a slot plays the episode `episode_of[slot]` of the queue, and −1 stands for none.
"""

from ec_evotorch.rollout.finite_observations import FINITE
from ec_evotorch.rollout.normalizer import CLIP
from native.warp_device import EXACT, load_warp

wp = load_warp()
wp.set_module_options(EXACT)

IDLE = -1
NO_SENSOR = 2**31 - 1  # in the place of the lowest index of a sensor that was not finite in a step

_IDLE, _NO_SENSOR, _FINITE = wp.constant(IDLE), wp.constant(NO_SENSOR), wp.constant(FINITE)
_CLIP = wp.constant(wp.float64(CLIP))

# ---------------------------------------------------------------------------------------------------------------------
# Between environment and network
# ---------------------------------------------------------------------------------------------------------------------


@wp.kernel
def pass_on(
    episode_of: wp.array[int],  # (B,)
    observations: wp.array2d[float],  # (B, d)
    found: wp.array[int],  # (B,) lowest index of a sensor that is not finite
    inputs: wp.array2d[float],  # (B, d)
):
    """Lets the network see observations as they are."""
    slot, i = wp.tid()
    if episode_of[slot] == _IDLE:
        return
    if not wp.isfinite(observations[slot, i]):
        wp.atomic_min(found, slot, i)
    inputs[slot, i] = observations[slot, i]


@wp.kernel
def normalize(
    episode_of: wp.array[int],
    observations: wp.array2d[float],
    mean: wp.array[wp.float64],  # (d,)
    stdev: wp.array[wp.float64],  # (d,)
    found: wp.array[int],
    sums: wp.array2d[wp.float64],  # (B, d)
    sums_of_squares: wp.array2d[wp.float64],
    inputs: wp.array2d[float],
):
    """Counts observations, and lets the network see them normalised."""
    slot, i = wp.tid()
    if episode_of[slot] == _IDLE:
        return
    if not wp.isfinite(observations[slot, i]):
        wp.atomic_min(found, slot, i)
    x = wp.float64(observations[slot, i])
    sums[slot, i] = sums[slot, i] + x
    sums_of_squares[slot, i] = sums_of_squares[slot, i] + x * x
    value = (x - mean[i]) / stdev[i]
    if value > _CLIP:
        value = _CLIP
    elif value < -_CLIP:
        value = -_CLIP
    inputs[slot, i] = float(value)


@wp.func
def notice(slot: int, found: wp.array[int], nonfinite: wp.array[int]):
    """Keeps the sensor that was found in a step, unless one was found in an earlier step of the episode."""
    if found[slot] != _NO_SENSOR:
        if nonfinite[slot] == _FINITE:
            nonfinite[slot] = found[slot]
        found[slot] = _NO_SENSOR


@wp.kernel
def rescale(
    episode_of: wp.array[int],
    outputs: wp.array2d[float],  # (B, a) of the network, in [−1, 1] or not finite
    middle: wp.array[float],  # (a,)
    half_range: wp.array[float],  # (a,)
    found: wp.array[int],
    nonfinite: wp.array[int],  # (B,) first sensor of the episode that was not finite
    failed: wp.array[bool],  # (B,) whether an output of the episode was not finite
    actions: wp.array2d[float],  # (B, a) in the environment's own range
):
    """Brings outputs to the action space; those that are not finite, and those of idle slots, become its middle."""
    slot = wp.tid()
    playing = episode_of[slot] != _IDLE
    for i in range(outputs.shape[1]):
        if playing and wp.isfinite(outputs[slot, i]):
            actions[slot, i] = middle[i] + half_range[i] * outputs[slot, i]
        else:
            actions[slot, i] = middle[i]
            if playing:
                failed[slot] = True
    if playing:
        notice(slot, found, nonfinite)


# ---------------------------------------------------------------------------------------------------------------------
# Results
# ---------------------------------------------------------------------------------------------------------------------


@wp.kernel
def hand_in_sums(
    episode_of: wp.array[int],
    finished: wp.array[bool],
    observations: wp.array2d[float],
    sums: wp.array2d[wp.float64],
    sums_of_squares: wp.array2d[wp.float64],
    found: wp.array[int],
    all_sums: wp.array2d[wp.float64],  # (E, d)
    all_sums_of_squares: wp.array2d[wp.float64],
):
    """Writes the sums of episodes that have ended, and looks at their last observations."""
    slot, i = wp.tid()
    episode = episode_of[slot]
    if episode == _IDLE or not finished[slot]:
        return
    if not wp.isfinite(observations[slot, i]):
        wp.atomic_min(found, slot, i)
    all_sums[episode, i] = sums[slot, i]
    all_sums_of_squares[episode, i] = sums_of_squares[slot, i]


@wp.kernel
def hand_in(
    finished: wp.array[bool],
    rewards: wp.array[wp.float64],  # (B,) of the last step
    diverged: wp.array[bool],
    overflowed: wp.array[bool],
    found: wp.array[int],
    nonfinite: wp.array[int],
    failed: wp.array[bool],
    episode_of: wp.array[int],  # from here on overwritten
    members: wp.array[int],  # (B,) network of each slot, which has its own
    episode_return: wp.array[wp.float64],  # (B,) of the episode so far
    episode_length: wp.array[int],
    free: wp.array[int],  # (B,) 1 where a slot can take an episode
    unfinished: wp.array[int],  # (1,) episodes
    all_returns: wp.array[wp.float64],  # (E,), as all that follow
    all_lengths: wp.array[int],
    all_failed: wp.array[bool],
    all_diverged: wp.array[bool],
    all_overflowed: wp.array[bool],
    all_nonfinite: wp.array[int],
):
    """Counts a step, and writes the results of episodes that have ended."""
    slot = wp.tid()
    episode = episode_of[slot]
    if episode == _IDLE:
        free[slot] = 1
        return
    episode_return[slot] = episode_return[slot] + rewards[slot]
    episode_length[slot] = episode_length[slot] + 1
    if not finished[slot]:
        free[slot] = 0
        return
    notice(slot, found, nonfinite)
    all_returns[episode] = episode_return[slot]
    all_lengths[episode] = episode_length[slot]
    all_failed[episode] = failed[slot]
    all_diverged[episode] = diverged[slot]
    all_overflowed[episode] = overflowed[slot]
    all_nonfinite[episode] = nonfinite[slot]
    episode_of[slot] = _IDLE
    members[slot] = _IDLE
    free[slot] = 1
    wp.atomic_sub(unfinished, 0, 1)


# ---------------------------------------------------------------------------------------------------------------------
# Queue
# ---------------------------------------------------------------------------------------------------------------------


@wp.kernel
def take(
    free: wp.array[int],
    before: wp.array[int],  # (B,) free slots before each
    head: wp.array[int],  # (1,) the next episode
    num_episodes: wp.array[int],  # (1,)
    row_of: wp.array[wp.int64],  # (E,) row of the solution that plays each episode
    episode_of: wp.array[int],  # from here on overwritten
    members: wp.array[int],
    rows: wp.array[wp.int64],  # (B,) row of the solution that plays in each slot
    starting: wp.array[bool],  # (B,) whether an episode begins
    episode_return: wp.array[wp.float64],
    episode_length: wp.array[int],
    failed: wp.array[bool],
    nonfinite: wp.array[int],
):
    """Lets free slots take the next episodes, in the order of the slots."""
    slot = wp.tid()
    episode = head[0] + before[slot]
    starting[slot] = free[slot] == 1 and episode < num_episodes[0]
    if not starting[slot]:
        return
    episode_of[slot] = episode
    members[slot] = slot
    rows[slot] = row_of[episode]
    episode_return[slot] = wp.float64(0.0)
    episode_length[slot] = 0
    failed[slot] = False
    nonfinite[slot] = _FINITE


@wp.kernel
def advance(free: wp.array[int], before: wp.array[int], num_episodes: wp.array[int], head: wp.array[int]):
    """Moves the queue on by the episodes that were taken."""
    last = free.shape[0] - 1
    head[0] = wp.min(head[0] + before[last] + free[last], num_episodes[0])


@wp.kernel
def clear_sums(starting: wp.array[bool], sums: wp.array2d[wp.float64], sums_of_squares: wp.array2d[wp.float64]):
    """Begins the sums of new episodes."""
    slot, i = wp.tid()
    if starting[slot]:
        sums[slot, i] = wp.float64(0.0)
        sums_of_squares[slot, i] = wp.float64(0.0)


@wp.kernel
def copy_members(
    starting: wp.array[bool],
    rows: wp.array[wp.int64],
    solutions: wp.array2d[wp.uint32],  # (N, words)
    taken: wp.array2d[wp.uint32],  # (B, words)
):
    """Copies the solutions of new episodes."""
    slot, w = wp.tid()
    if starting[slot]:
        taken[slot, w] = solutions[rows[slot], w]
