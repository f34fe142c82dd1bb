"""What tasks pay and when they end: one kernel for each kind of task, all with the same arguments.

A kernel looks at the worlds that are `sound` and writes their reward, its parts and whether the episode is terminated.
State and forces are float32; what is computed from them is float64, as in Gymnasium.
"""

from native.warp_device import load_warp

wp = load_warp()
wp.set_module_options({"enable_backward": False})

_ZERO, _ONE, _TWO = wp.constant(wp.float64(0.0)), wp.constant(wp.float64(1.0)), wp.constant(wp.float64(2.0))


@wp.struct
class Settings:
    """Settings of all kinds of tasks; a task leaves at 0 what it does not have."""

    dt: wp.float64
    forward_reward_weight: wp.float64
    ctrl_cost_weight: wp.float64
    healthy_reward: wp.float64
    terminate_when_unhealthy: bool
    contact_cost_weight: wp.float64
    force_low: wp.float64  # bounds of each contact force
    force_high: wp.float64
    cost_low: wp.float64  # bounds of the cost of contacts
    cost_high: wp.float64


@wp.struct
class Step:
    """What a step has left in B worlds; all arrays are live."""

    sound: wp.array[bool]  # (B,) worlds to look at
    healthy_low: wp.array[wp.float64]  # (nq + nv,) bounds between which a body is healthy
    healthy_high: wp.array[wp.float64]
    qpos: wp.array2d[float]  # (B, nq)
    qvel: wp.array2d[float]  # (B, nv)
    actions: wp.array2d[float]  # (B, nu)
    cfrc_ext: wp.array2d[wp.spatial_vector]  # (B, nbody)
    site_xpos: wp.array2d[wp.vec3]  # (B, nsite)
    before: wp.array[wp.vec2d]  # (B,) positions before and after the step
    after: wp.array[wp.vec2d]


@wp.func
def is_healthy(world: int, step: Step):
    """Whether every coordinate and velocity is between its bounds."""
    nq = step.qpos.shape[1]
    for i in range(nq):
        value = wp.float64(step.qpos[world, i])
        if not (step.healthy_low[i] < value and value < step.healthy_high[i]):
            return False
    for i in range(step.qvel.shape[1]):
        value = wp.float64(step.qvel[world, i])
        if not (step.healthy_low[nq + i] < value and value < step.healthy_high[nq + i]):
            return False
    return True


@wp.func
def control_cost(world: int, s: Settings, step: Step):
    """The weighted sum of squares of the actions."""
    total = wp.float64(0.0)
    for i in range(step.actions.shape[1]):
        action = wp.float64(step.actions[world, i])
        total += action * action
    return s.ctrl_cost_weight * total


@wp.func
def contact_cost(world: int, s: Settings, step: Step):
    """The weighted sum of squares of the external forces, with bounds on each and on the whole."""
    total = wp.float64(0.0)
    if s.contact_cost_weight != _ZERO:
        for body in range(step.cfrc_ext.shape[1]):
            for i in range(6):
                force = wp.clamp(wp.float64(step.cfrc_ext[world, body][i]), s.force_low, s.force_high)
                total += force * force
    return wp.clamp(s.contact_cost_weight * total, s.cost_low, s.cost_high)


@wp.kernel
def move(
    s: Settings,
    step: Step,
    rewards: wp.array[wp.float64],  # (B,)
    parts: wp.array2d[wp.float64],  # (B, number of parts)
    terminated: wp.array[bool],  # (B,)
):
    """Pays progress and health, less control and contacts (Hopper, Walker2d, HalfCheetah, Swimmer, Ant, Humanoid)."""
    world = wp.tid()
    if not step.sound[world]:
        return
    healthy = is_healthy(world, step)
    velocity = (step.after[world] - step.before[world]) / s.dt
    forward = s.forward_reward_weight * velocity[0]
    survive = wp.where(healthy, s.healthy_reward, _ZERO)
    ctrl = control_cost(world, s, step)
    contact = contact_cost(world, s, step)
    rewards[world] = (forward + survive) - (ctrl + contact)
    terminated[world] = s.terminate_when_unhealthy and not healthy
    parts[world, 0] = velocity[0]
    parts[world, 1] = velocity[1]
    parts[world, 2] = forward
    parts[world, 3] = -ctrl
    parts[world, 4] = -contact
    parts[world, 5] = survive


@wp.kernel
def stand_up(
    s: Settings,
    step: Step,
    rewards: wp.array[wp.float64],
    parts: wp.array2d[wp.float64],
    terminated: wp.array[bool],
):
    """Pays height in units of the physics' time step, less control and impact (HumanoidStandup)."""
    world = wp.tid()
    if not step.sound[world]:
        return
    height = wp.float64(step.qpos[world, 2]) / s.dt
    ctrl = control_cost(world, s, step)
    impact = contact_cost(world, s, step)
    rewards[world] = height - ctrl - impact + _ONE
    terminated[world] = False
    parts[world, 0] = height
    parts[world, 1] = -ctrl
    parts[world, 2] = -impact


@wp.kernel
def balance(
    s: Settings,
    step: Step,
    rewards: wp.array[wp.float64],
    parts: wp.array2d[wp.float64],
    terminated: wp.array[bool],
):
    """Pays the bonus while a pole stands (InvertedPendulum)."""
    world = wp.tid()
    if not step.sound[world]:
        return
    healthy = is_healthy(world, step)
    survive = wp.where(healthy, s.healthy_reward, _ZERO)
    rewards[world] = survive
    terminated[world] = not healthy
    parts[world, 0] = survive


@wp.kernel
def balance_two(
    s: Settings,
    step: Step,
    rewards: wp.array[wp.float64],
    parts: wp.array2d[wp.float64],
    terminated: wp.array[bool],
):
    """Pays a bonus while the tip of two poles is high, less its distance and their speeds (InvertedDoublePendulum)."""
    world = wp.tid()
    if not step.sound[world]:
        return
    x = wp.float64(step.site_xpos[world, 0][0])
    z = wp.float64(step.site_xpos[world, 0][2])
    first = wp.float64(step.qvel[world, 1])
    second = wp.float64(step.qvel[world, 2])
    is_low = z <= _ONE
    bonus = wp.where(is_low, _ZERO, s.healthy_reward)
    distance = wp.float64(0.01) * x * x + (z - _TWO) * (z - _TWO)
    speed = wp.float64(0.001) * first * first + wp.float64(0.005) * second * second
    rewards[world] = bonus - distance - speed
    terminated[world] = is_low
    parts[world, 0] = bonus
    parts[world, 1] = -distance
    parts[world, 2] = -speed
