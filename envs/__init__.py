"""Vectorised Gymnasium environments; MuJoCo locomotion runs at the speed of the physics."""

from native.fresh_cache import drop_outdated

drop_outdated(__file__)  # before anything is compiled or loaded

from envs.make import make_vec  # noqa: E402

__all__ = ["make_vec"]
