"""What every task does around its physics: acts, begins and ends episodes, and looks whether the physics are sound."""

from envs.warp.tasks import BODY, CENTRE
from native.warp_device import load_warp

wp = load_warp()
wp.set_module_options({"enable_backward": False})

_BODY, _CENTRE = wp.constant(BODY), wp.constant(CENTRE)
_LARGEST_STATE = wp.constant(1.0e6)  # beyond it a float32 has steps of more than a twentieth
_LARGEST_ACCELERATION = wp.constant(1.0e10)  # mjMAXVAL, beyond which MuJoCo calls a simulation unstable
_ZERO = wp.constant(wp.float64(0.0))


@wp.kernel
def act(
    finished: wp.array[bool],
    actions: wp.array2d[float],
    ctrl: wp.array2d[float],
    diverged: wp.array[bool],
):
    """Sets the controls; 0 in resting worlds and for an action that is not finite, with which an episode diverges."""
    world, i = wp.tid()
    action = actions[world, i]
    ctrl[world, i] = 0.0
    if finished[world]:
        return
    if wp.isfinite(action):
        ctrl[world, i] = action
    else:
        diverged[world] = True


@wp.kernel
def watch(
    finished: wp.array[bool],
    qpos: wp.array2d[float],
    qvel: wp.array2d[float],
    qacc: wp.array2d[float],
    diverged: wp.array[bool],
):
    """Finds the running worlds that a step of the physics has left unstable."""
    world = wp.tid()
    if finished[world]:
        return
    stable = not diverged[world]  # each comparison is false of NaN
    for i in range(qpos.shape[1]):
        stable = stable and wp.abs(qpos[world, i]) < _LARGEST_STATE
    for i in range(qvel.shape[1]):
        stable = stable and wp.abs(qvel[world, i]) < _LARGEST_STATE
        stable = stable and wp.abs(qacc[world, i]) < _LARGEST_ACCELERATION
    diverged[world] = not stable


@wp.kernel
def judge(
    finished: wp.array[bool],
    diverged: wp.array[bool],
    lost: int,  # bits of `overflow` that say that contacts or constraints were lost
    overflow: wp.array[int],
    sound: wp.array[bool],
    overflowed: wp.array[bool],
):
    """Finds the running worlds whose physics are sound."""
    world = wp.tid()
    sound[world] = not finished[world] and not diverged[world]
    if not finished[world] and (overflow[world] & lost) != 0:
        overflowed[world] = True


@wp.kernel
def locate(
    located: wp.array[bool],
    kind: int,
    main_body: int,
    body_mass: wp.array2d[float],
    qpos: wp.array2d[float],
    qvel: wp.array2d[float],
    xpos: wp.array2d[wp.vec3],
    xipos: wp.array2d[wp.vec3],
    last_qpos: wp.array2d[float],
    last_qvel: wp.array2d[float],
    before: wp.array[wp.vec2d],
    after: wp.array[wp.vec2d],
):
    """Notes the states, and finds the positions that velocities are taken from."""
    world = wp.tid()
    if not located[world]:
        return
    for i in range(qpos.shape[1]):
        last_qpos[world, i] = qpos[world, i]
    for i in range(qvel.shape[1]):
        last_qvel[world, i] = qvel[world, i]
    before[world] = after[world]
    x = wp.float64(qpos[world, 0])
    y = _ZERO
    if qpos.shape[1] > 1:
        y = wp.float64(qpos[world, 1])
    if kind == _BODY:
        x = wp.float64(xpos[world, main_body][0])
        y = wp.float64(xpos[world, main_body][1])
    if kind == _CENTRE:
        x = _ZERO
        y = _ZERO
        total = wp.float64(0.0)
        for body in range(body_mass.shape[1]):
            mass = wp.float64(body_mass[0, body])
            x += mass * wp.float64(xipos[world, body][0])
            y += mass * wp.float64(xipos[world, body][1])
            total += mass
        x = x / total
        y = y / total
    after[world] = wp.vec2d(x, y)


@wp.kernel
def conclude(
    sound: wp.array[bool],
    max_episode_steps: wp.array[int],  # (1,)
    finished: wp.array[bool],
    rewards: wp.array[wp.float64],
    episode_returns: wp.array[wp.float64],
    episode_lengths: wp.array[int],
    terminated: wp.array[bool],
    truncated: wp.array[bool],
):
    """Counts the step, and ends the episodes that are over; one that has diverged is terminated and pays 0."""
    world = wp.tid()
    if not sound[world]:
        rewards[world] = _ZERO
    if finished[world]:
        return
    if not sound[world]:
        terminated[world] = True
    episode_returns[world] = episode_returns[world] + rewards[world]
    episode_lengths[world] = episode_lengths[world] + 1
    truncated[world] = episode_lengths[world] >= max_episode_steps[0]
    finished[world] = terminated[world] or truncated[world]


@wp.kernel
def begin(
    starting: wp.array[bool],
    rows: wp.array[int],
    start_qpos: wp.array2d[float],
    start_qvel: wp.array2d[float],
    qpos: wp.array2d[float],
    qvel: wp.array2d[float],
    qacc_warmstart: wp.array2d[float],
    ctrl: wp.array2d[float],
    act: wp.array2d[float],
    time: wp.array[float],
    overflow: wp.array[int],
    rewards: wp.array[wp.float64],
    episode_returns: wp.array[wp.float64],
    episode_lengths: wp.array[int],
    terminated: wp.array[bool],
    truncated: wp.array[bool],
    diverged: wp.array[bool],
    overflowed: wp.array[bool],
    finished: wp.array[bool],
):
    """Begins episodes. All that MuJoCo keeps from step to step is written, so nothing is left of what was there."""
    world = wp.tid()
    if not starting[world]:
        return
    row = rows[world]
    for i in range(qpos.shape[1]):
        qpos[world, i] = start_qpos[row, i]
    for i in range(qvel.shape[1]):
        qvel[world, i] = start_qvel[row, i]
        qacc_warmstart[world, i] = 0.0
    for i in range(ctrl.shape[1]):
        ctrl[world, i] = 0.0
    for i in range(act.shape[1]):
        act[world, i] = 0.0
    time[world] = 0.0
    overflow[world] = 0
    rewards[world] = _ZERO
    episode_returns[world] = _ZERO
    episode_lengths[world] = 0
    terminated[world] = False
    truncated[world] = False
    diverged[world] = False
    overflowed[world] = False
    finished[world] = False


@wp.kernel
def rest(resting: wp.array[bool], terminated: wp.array[bool], finished: wp.array[bool]):
    """Ends episodes that run."""
    world = wp.tid()
    if resting[world] and not finished[world]:
        terminated[world] = True
        finished[world] = True
