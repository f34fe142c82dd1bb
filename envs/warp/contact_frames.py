"""MuJoCo's friction directions where a capsule touches a plane.

MuJoCo takes the capsule's axis, projected onto the plane, as the first direction of friction however steep the capsule
stands (`mjc_PlaneCapsule`). MuJoCo Warp does so only where the axis is more than 30° from the normal of the plane
(`plane_capsule` in `collision_primitive_core.py`, 4.0.0). Friction has the shape of a pyramid, so another direction is
another force: Ant and Humanoid would be other environments.
"""

import mujoco

from native.warp_device import launch, load_warp

wp = load_warp()

_PLANE = wp.constant(int(mujoco.mjtGeom.mjGEOM_PLANE))
_CAPSULE = wp.constant(int(mujoco.mjtGeom.mjGEOM_CAPSULE))
_UPRIGHT = wp.constant(1.0e-6)  # sine of the angle below which the axis has no direction on the plane


@wp.kernel(enable_backward=False)
def align(
    geom_type: wp.array[int],
    num_contacts: wp.array[int],  # (1,) of all worlds
    geoms: wp.array[wp.vec2i],
    worlds: wp.array[int],
    geom_xmat: wp.array2d[wp.mat33],
    frames: wp.array[wp.mat33],
):
    """Turns the frames of contacts between planes and capsules; the rows are the normal and two directions."""
    contact = wp.tid()
    if contact >= num_contacts[0]:
        return
    pair = geoms[contact]
    if geom_type[pair[0]] != _PLANE or geom_type[pair[1]] != _CAPSULE:
        return
    turned = geom_xmat[worlds[contact], pair[1]]
    frame = frames[contact]
    normal = wp.vec3(frame[0, 0], frame[0, 1], frame[0, 2])
    axis = wp.vec3(turned[0, 2], turned[1, 2], turned[2, 2])
    first = axis - normal * wp.dot(normal, axis)
    length = wp.length(first)
    if length < _UPRIGHT:
        return
    first = first / length
    second = wp.cross(normal, first)
    frames[contact] = wp.mat33(
        normal[0], normal[1], normal[2], first[0], first[1], first[2], second[0], second[1], second[2]
    )


def align_capsules(m, d) -> None:
    """Launches `align` for all contacts; MuJoCo Warp calls it after it has found them (`callback.contactfilter`)."""
    inputs = [m.geom_type, d.nacon, d.contact.geom, d.contact.worldid, d.geom_xmat]
    launch(align, d.naconmax, inputs, [d.contact.frame], d.nacon.device)
