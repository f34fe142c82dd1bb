"""A task with signals: move on GO, keep still on NOGO. It plays as a plain environment and natively."""

from envs.go_nogo.wrapper import GoNoGo, make_go_nogo, register_go_nogo

__all__ = ["GoNoGo", "make_go_nogo", "register_go_nogo"]
