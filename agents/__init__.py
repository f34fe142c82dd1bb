"""Networks that act, batched over a population."""

from agents.rsnn import RSNN, RSNNState

__all__ = ["RSNN", "RSNNState"]
