"""Vectorised Gymnasium environments of ec-evotorch; MuJoCo locomotion runs at the speed of the physics."""

from envs.go_nogo import GoNoGo, register_go_nogo
from envs.make import make_vec
from envs.make_plain import make_plain
from envs.model_digest import is_other_model, model_digest
from envs.tasks import TASKS

register_go_nogo(TASKS)

__all__ = ["GoNoGo", "is_other_model", "make_plain", "make_vec", "model_digest"]
