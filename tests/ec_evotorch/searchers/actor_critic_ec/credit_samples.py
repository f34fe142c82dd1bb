"""Networks that were sampled, what they were worth, and what was kept of their steps, drawn at random."""

from functools import partial

import pytest
import torch

from agents import RSNN

AGENTS = {
    "all connections": partial(RSNN, 3, 2, 6),
    "few connections": partial(RSNN, 3, 2, 6, connection_mask={"density": 0.4, "seed": 1}),
}
EVERY = pytest.mark.parametrize("make", AGENTS.values(), ids=AGENTS)
NUM_NETWORKS, NUM_STEPS, RIDGE = 9, 3, 0.1


def samples(agent, seed=0):
    """Returns networks, ρ, utilities, and what was transmitted, with the membranes before each step."""
    generator = torch.Generator().manual_seed(seed)
    rho = torch.rand(agent.solution_length, generator=generator) * 0.8 + 0.1
    networks = torch.rand(NUM_NETWORKS, agent.solution_length, generator=generator) < rho
    sizes = {"input": agent.obs_length, "recurrent": agent.num_neurons, "rate": agent.num_neurons}
    record = {name: torch.randn(NUM_NETWORKS, NUM_STEPS, size, generator=generator) for name, size in sizes.items()}
    utilities = torch.randn(NUM_NETWORKS, generator=generator)
    record["membranes"] = torch.rand(NUM_NETWORKS, NUM_STEPS, agent.num_neurons, generator=generator)
    return networks, rho, utilities, record
