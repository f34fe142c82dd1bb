"""Networks that act, batched over a population: the agents of ec-evotorch.

`RSNN` is the spiking network of one-bit connections; `RNN`, `GRU` and `LSTM` are networks of ordinary units; and
`ModuleAgent` makes an agent of any recurrent `torch.nn.Module`.
"""

from agents.gru import GRU
from agents.lstm import LSTM
from agents.module_agent import ModuleAgent
from agents.rnn import RNN
from agents.rsnn.agent import RSNN, RSNNState

__all__ = ["GRU", "LSTM", "RNN", "RSNN", "ModuleAgent", "RSNNState"]
