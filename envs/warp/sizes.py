"""How many contacts and rows of constraints a world can have at most.

MuJoCo Warp allocates both once. What does not fit is left out, and the physics are other ones; so there is room for
all.
"""

from typing import NamedTuple

import mujoco
import numpy as np
from mujoco import mjtCone, mjtDisableBit, mjtGeom

_CONTACTS = {
    (mjtGeom.mjGEOM_PLANE, mjtGeom.mjGEOM_SPHERE): 1,
    (mjtGeom.mjGEOM_PLANE, mjtGeom.mjGEOM_CAPSULE): 2,
    (mjtGeom.mjGEOM_SPHERE, mjtGeom.mjGEOM_SPHERE): 1,
    (mjtGeom.mjGEOM_SPHERE, mjtGeom.mjGEOM_CAPSULE): 1,
    (mjtGeom.mjGEOM_CAPSULE, mjtGeom.mjGEOM_CAPSULE): 2,
}
"""Most contacts of two geoms, of other types than these `mujoco.mjMAXCONPAIR`."""

_EQUALITY_ROWS = 6  # of a weld; the others have less


class Sizes(NamedTuple):
    """Room for one world.

    Attributes:
        contacts: Number of contacts. All worlds share that of all.
        rows: Number of rows of constraints: of contacts, limits, friction in joints, and equalities.
    """

    contacts: int
    rows: int


def bound_sizes(model: mujoco.MjModel) -> Sizes:
    """Returns as much as a world of a model can ever need, at least 1 of each.

    Raises:
        ValueError: If there is no bound, as with flexible bodies.
    """
    if model.nflex:
        raise ValueError("physics: expected a model without flexible bodies with physics='warp'")
    contacts, rows = 0, 0
    for one, other, dimension in _colliding_pairs(model):
        types = sorted((int(model.geom_type[one]), int(model.geom_type[other])))
        number = _CONTACTS.get(tuple(map(mjtGeom, types)), mujoco.mjMAXCONPAIR)
        contacts += number
        rows += number * _contact_rows(model, dimension)
    for limited, margin in (
        (model.jnt_limited, model.jnt_margin),
        (model.tendon_limited, model.tendon_margin),
    ):
        rows += int(np.where(margin > 0, 2, 1)[limited.astype(bool)].sum())  # both ends within a margin
    rows += int((model.dof_frictionloss > 0).sum() + (model.tendon_frictionloss > 0).sum())
    rows += _EQUALITY_ROWS * model.neq
    return Sizes(max(1, contacts), max(1, rows))


def _contact_rows(model: mujoco.MjModel, dimension: int) -> int:
    if dimension == 1 or model.opt.cone == mjtCone.mjCONE_ELLIPTIC:
        return dimension
    return 2 * (dimension - 1)


def _colliding_pairs(model: mujoco.MjModel) -> list[tuple[int, int, int]]:
    """Returns the geoms that can touch and the dimension of their contact, as `mj_collision` chooses them."""
    pairs = {}
    one_of, other_of = np.triu_indices(model.ngeom, k=1)
    welded, filters_parents = model.body_weldid, not model.opt.disableflags & mjtDisableBit.mjDSBL_FILTERPARENT
    excluded = set(model.exclude_signature.tolist())
    for one, other in zip(one_of.tolist(), other_of.tolist(), strict=True):
        bodies = model.geom_bodyid[one], model.geom_bodyid[other]
        roots = welded[bodies[0]], welded[bodies[1]]
        parents = [welded[model.body_parentid[root]] for root in roots]
        is_family = 0 not in roots and (roots[0] == parents[1] or roots[1] == parents[0])
        meet = model.geom_contype[one] & model.geom_conaffinity[other]
        meet |= model.geom_contype[other] & model.geom_conaffinity[one]
        signature = (int(bodies[0]) << 16) + int(bodies[1])
        if meet and roots[0] != roots[1] and not (filters_parents and is_family) and signature not in excluded:
            pairs[one, other] = max(model.geom_condim[one], model.geom_condim[other])
    for one, other, dimension in zip(model.pair_geom1, model.pair_geom2, model.pair_dim, strict=True):
        pairs[min(one, other), max(one, other)] = dimension
    return [(one, other, int(dimension)) for (one, other), dimension in pairs.items()]
