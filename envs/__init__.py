"""Vectorised Gymnasium environments of ec-evotorch; MuJoCo locomotion runs at the speed of the physics."""

from envs.make import make_vec

__all__ = ["make_vec"]
