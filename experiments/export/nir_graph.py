"""A spiking policy as a graph of the Neuromorphic Intermediate Representation (NIR), for chips and their simulators.

NIR describes neurons by differential equations in continuous time (Pedersen et al. 2024,
https://doi.org/10.1038/s41467-024-52259-9). The network is their exact solution in steps of dt, in which every signal
is constant and a spike is the number 1: a node τ dv/dt = −v + R I advances by v ← v d + R (1 − d) I with d = e^(−dt/τ).

    input ─▶ normalize ─▶ encode ─▶ input_gain ─▶ neurons ─▶ rate ─▶ decode ─▶ rescale ─▶ output
             (Affine)     (Linear)   (Scale)      (LIF)      (LI)    (Linear)  (Affine)
                                                   ▲  │
                                        synapses ──┘  └──▶ recurrent        one step of delay
                                          (LI)    ◀─────── (Linear)

The input enters the membranes directly; spikes do so through exponential synapses. Weights of bits are −1, 0 and 1: the
two channels [x, −x] of the input are the difference of two bits, and the sign of a neuron (Dale's law) is that of its
row. All gains are in other nodes.
"""

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from agents import RSNN
from ec_evotorch import Policy
from experiments.errors import UserError
from experiments.export.parts import compiled_agent, first_memory, kernels, normalisation, scale, signs

if TYPE_CHECKING:
    import nir

SECONDS = 1e-3  # in a millisecond


def nir_graph(policy: Policy, seed: int = 0) -> "nir.NIRGraph":
    """Returns a spiking policy as a graph of NIR.

    Times are in seconds. `graph.metadata` holds what a graph of NIR cannot say: `dt` (seconds), `substeps` (steps of dt
    in an environment step, after which the output is read), `initial_v` (n,) (first membrane potentials of an episode),
    `observation_clip` (of what `normalize` gives), and `action_low` and `action_high` (to which the output is clipped).

    Args:
        policy: A policy whose agent is an `RSNN`.
        seed: Seed of the episode whose first membrane potentials are in the metadata.

    Raises:
        UserError: If the agent is another one, or the package nir is not installed.
    """
    agent = compiled_agent(policy)
    if not isinstance(agent, RSNN):
        raise UserError(f"export: expected an agent RSNN for NIR, whose neurons spike; got {type(agent).__name__}")
    nir = _import_nir()
    constants, arrays, dale = agent.constants, kernels(policy), signs(agent)
    numbers, (middle, half_range) = normalisation(policy), scale(policy)
    kernel_in = arrays["kernel_in"].astype(np.float32)
    if agent.connections != "real":
        kernel_in = kernel_in[: agent.obs_length] - kernel_in[agent.obs_length :]
    n, dt = agent.num_neurons, constants.dt
    ones = np.ones(n)
    nodes = {
        "input": nir.Input({"input": np.array([agent.obs_length])}),
        "normalize": nir.Affine(np.diag(1 / numbers["stdev"]), -numbers["mean"] / numbers["stdev"]),
        "encode": nir.Linear(kernel_in.T),
        "input_gain": nir.Scale(np.full(n, np.float32(constants.r_in))),
        "neurons": nir.LIF(
            tau=ones * _tau(dt, constants.decay_mem),
            r=ones,
            v_leak=0 * ones,
            v_threshold=ones * constants.threshold,
            v_reset=0 * ones,
        ),
        "recurrent": nir.Linear(_signed(arrays["kernel_h"], dale)),
        "synapses": nir.LI(
            tau=ones * _tau(dt, constants.decay_syn),
            r=ones * float(np.float32(constants.r_hidden)) / (1 - constants.decay_syn),
            v_leak=0 * ones,
        ),
        "rate": nir.LI(tau=ones * _tau(dt, constants.decay_out), r=ones / dt, v_leak=0 * ones),
        "decode": nir.Linear(_signed(arrays["kernel_out"], dale)),
        "rescale": nir.Affine(np.diag(half_range.astype(np.float64) * constants.r_out), middle.astype(np.float64)),
        "output": nir.Output({"output": np.array([agent.act_length])}),
    }
    path = ("input", "normalize", "encode", "input_gain", "neurons", "rate", "decode", "rescale", "output")
    loop = ("neurons", "recurrent", "synapses", "neurons")
    metadata = {
        "dt": dt * SECONDS,
        "substeps": constants.substeps,
        "initial_v": first_memory(policy, seed)["v_mem"].numpy(),
        "observation_clip": numbers["clip"],
        "action_low": (middle - half_range).astype(np.float32),
        "action_high": (middle + half_range).astype(np.float32),
    }
    return nir.NIRGraph(nodes, [*pairwise(path), *pairwise(loop)], metadata)


def _import_nir():
    try:
        import nir
    except ImportError as error:
        message = "export: NIR needs the package nir: pip install 'ec-evotorch[nir]'"
        raise UserError(message) from error
    return nir


def _tau(dt: float, decay: float) -> float:
    """Returns the time constant in seconds of which `decay` is left after `dt` milliseconds."""
    return -dt * SECONDS / math.log(decay)


def _signed(kernel: np.ndarray, dale: np.ndarray) -> np.ndarray:
    """Returns a (presynaptic, postsynaptic) kernel as NIR's (postsynaptic, presynaptic) weights with their signs."""
    return (kernel.astype(np.float32) * dale[:, None]).T
