"""What every export needs of a policy: its connections as the network uses them, and how numbers go in and out."""

import numpy as np
import torch
from gymnasium.spaces import Box

from agents.compiled_agent import CompiledAgent
from ec_evotorch import Policy
from ec_evotorch.rollout.normalizer import CLIP, action_scale
from experiments.errors import UserError


def compiled_agent(policy: Policy) -> CompiledAgent:
    """Returns the agent of a policy.

    Raises:
        UserError: If it is not one of those that can be exported, or observations or actions are not vectors of real
            numbers.
    """
    for what, space in (("observations", policy.observation_space), ("actions", policy.action_space)):
        if space is not None and not (what == "observations" and isinstance(space, Box) and len(space.shape) == 1):
            raise UserError(f"export: expected {what} that are vectors of real numbers; got {space}")
    agent = policy.agent
    if not isinstance(agent, CompiledAgent):
        raise UserError(f"export: expected an agent RSNN, RNN, GRU or LSTM; got {type(agent).__name__}")
    return agent


def kernels(policy: Policy) -> dict[str, np.ndarray]:
    """Returns the arrays of a policy's network by name, as the network uses them.

    Returns:
        Name -> array of the agent's `parameter_shapes`: bool for one-bit connections, also for those of
        `connections="sign"`, else float32.
    """
    agent = compiled_agent(policy)
    solution = policy.solution > 0 if agent.connections == "sign" else policy.solution
    parts = agent.split(solution[None].to(torch.bool if agent.connections != "real" else torch.float32))
    return {name: part[0].numpy() for name, part in parts.items()}


def signs(agent: CompiledAgent) -> np.ndarray:
    """Returns (n,) int8, 1 for each excitatory neuron of a spiking network and −1 for each inhibitory one."""
    return np.where(np.arange(agent.num_neurons) < agent.num_excitatory, 1, -1).astype(np.int8)


def normalisation(policy: Policy) -> dict[str, np.ndarray]:
    """Returns mean, stdev and clip of observations; 0, 1 and infinity change nothing where there is no normalisation.

    What the agent sees is clip((observation − mean) / stdev, −clip, clip), in float64 and rounded once to float32.
    """
    if policy.observation_mean is None:
        length = policy.agent.obs_length
        return {"mean": np.zeros(length), "stdev": np.ones(length), "clip": np.float64(np.inf)}
    return {"mean": policy.observation_mean, "stdev": policy.observation_stdev, "clip": np.float64(CLIP)}


def scale(policy: Policy) -> tuple[np.ndarray, np.ndarray]:
    """Returns middle and half range of the actions, (act_length,) float32: action = middle + half_range · output."""
    return action_scale(policy.action_low, policy.action_high)


def first_memory(policy: Policy, seed: int) -> dict[str, torch.Tensor]:
    """Returns the state with which an episode begins, by name, without the readout.

    Args:
        policy: The policy.
        seed: Seed of the episode.
    """
    agent = compiled_agent(policy)
    state = agent.initial_state(1)
    agent.reset(state, [0], [seed])
    return {name: getattr(state, name)[0].clone() for name in memory_names(agent)}


def memory_names(agent: CompiledAgent) -> list[str]:
    """Returns the names of the parts of an agent's state that the next step depends on, in the order of `memory`."""
    return [name for name in vars(agent.initial_state(1)) if name != "output"]
