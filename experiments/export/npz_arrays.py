"""A policy as named NumPy arrays: its bits or weights, its constants, and how numbers go in and out."""

from dataclasses import asdict

import numpy as np

from agents import RNN, RSNN
from ec_evotorch import Policy
from experiments.export.parts import compiled_agent, first_memory, kernels, normalisation, scale, signs

FORMAT_VERSION = 1


def npz_arrays(policy: Policy, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns everything that is needed to act with NumPy alone.

    Keys:
        - format, format_version: "ec-evotorch npz", 1.
        - agent, connections: The class of the agent, and "boolean", "real" or "sign"; bits of "sign" connections are
          those of the network, not the numbers that were searched over.
        - kernel_in, kernel_h, kernel_out and, where there are biases, bias…: As the agent's `parameter_shapes`;
          presynaptic index first; bool for bits, else float32.
        - initial_…: The parts of the state with which an episode begins, by their names in the agent's state.
        - observation_mean, observation_stdev, observation_clip: (d,), (d,) and a number, float64. The network sees
          clip((observation − mean) / stdev, −clip, clip), rounded once to float32.
        - action_middle, action_half_range: (a,) float32. action = middle + half_range · clip(output, −1, 1).
        - of a spiking network: signs (n,) int8, 1 for excitatory and −1 for inhibitory neurons; substeps; and as
          float32 the constants dt (ms), decay_syn, decay_mem, decay_out, r_in, r_hidden, r_out and threshold, see
          `agents.rsnn.constants.LIFConstants`.
        - of an RNN of bits: signs (n,) and r_in, r_hidden and r_out, likewise.

    Args:
        policy: A policy whose agent is an `RSNN`, `RNN`, `GRU` or `LSTM`.
        seed: Seed of the episode whose first state it is.

    Raises:
        UserError: If the agent is another one.
    """
    agent = compiled_agent(policy)
    middle, half_range = scale(policy)
    arrays = {
        "format": np.array("ec-evotorch npz"),
        "format_version": np.array(FORMAT_VERSION),
        "agent": np.array(type(agent).__name__),
        "connections": np.array(agent.connections),
        **kernels(policy),
        **{f"initial_{name}": part.numpy() for name, part in first_memory(policy, seed).items()},
        **{f"observation_{name}": number for name, number in normalisation(policy).items()},
        "action_middle": middle,
        "action_half_range": half_range,
    }
    if isinstance(agent, RSNN):
        constants = asdict(agent.constants)
        arrays |= {"signs": signs(agent), "substeps": np.array(constants.pop("substeps"))}
        arrays |= {name: np.float32(value) for name, value in constants.items()}
    elif isinstance(agent, RNN) and agent.connections != "real":
        arrays["signs"] = agent.signs.numpy().astype(np.int8)
        arrays |= {name: np.float32(getattr(agent, name)) for name in ("r_in", "r_hidden", "r_out")}
    return {name: np.asarray(array) for name, array in arrays.items()}
