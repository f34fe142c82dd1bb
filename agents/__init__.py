"""Networks that act, batched over a population."""

from native.fresh_cache import drop_outdated

drop_outdated(__file__)  # before anything is compiled or loaded

from agents.gru import GRU  # noqa: E402
from agents.lstm import LSTM  # noqa: E402
from agents.module_agent import ModuleAgent  # noqa: E402
from agents.rnn import RNN  # noqa: E402
from agents.rsnn.agent import RSNN, RSNNState  # noqa: E402

__all__ = ["GRU", "LSTM", "RNN", "RSNN", "ModuleAgent", "RSNNState"]
