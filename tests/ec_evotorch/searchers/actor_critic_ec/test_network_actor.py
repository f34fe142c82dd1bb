"""Acting with networks that are drawn anew: as the agent's own step does with each in its turn."""

from functools import partial

import numpy as np
import pytest
import torch

from agents import RNN, RSNN
from ec_evotorch.searchers.actor_critic_ec.network_actor import NetworkActor

NUM_ENVS, NUM_STEPS, HOLD = 3, 12, 4
AGENTS = {
    "in C": partial(RSNN, 4, 2, 10),
    "in Python": partial(RSNN, 4, 2, 10, backend="torch"),
    "few connections": partial(RSNN, 4, 2, 10, connection_mask={"density": 0.5, "seed": 0}),
    "rnn": partial(RNN, 4, 2, 10, connections="boolean"),
}


def played(agent, credit="networks"):
    """Returns the actor, the actions of all steps, observations, networks, and a fresh state like the first."""
    generator = torch.Generator().manual_seed(0)
    networks = agent.initial_solutions(NUM_STEPS // HOLD * NUM_ENVS, generator)
    observations = torch.randn(NUM_STEPS, NUM_ENVS, 4, generator=generator).numpy()
    state, twin = (agent.initial_state(NUM_ENVS, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    actor = NetworkActor(agent, networks, NUM_ENVS, HOLD, credit=credit)
    actions = [actor.act(t, seen, np.arange(NUM_ENVS), state).copy() for t, seen in enumerate(observations)]
    return actor, np.array(actions), observations, networks.unflatten(0, (-1, NUM_ENVS)), twin


@pytest.mark.parametrize("make", AGENTS.values(), ids=AGENTS)
def test_actions_are_those_of_the_agents_step_with_each_network_in_turn(make):
    agent = make()
    _, actions, observations, networks, state = played(agent)
    expected = [
        agent.step(networks[t // HOLD], np.arange(NUM_ENVS), seen, state).numpy().copy()
        for t, seen in enumerate(observations)
    ]
    np.testing.assert_array_equal(actions, expected)
    assert len(np.unique(actions)) > NUM_STEPS  # they are not all the same


def test_an_agent_that_has_no_step_in_c_acts():
    class Plain:
        """An agent with no more than it must have."""

        act_length = 2

        def step(self, solutions, members, obs, state):
            state += 1
            return solutions[members, :2].float() * torch.as_tensor(obs)[:, :2] * state

    networks = torch.rand(NUM_STEPS // HOLD * NUM_ENVS, 5) < 0.5
    actor, state = NetworkActor(Plain(), networks, NUM_ENVS, HOLD, credit="networks"), torch.zeros(1)
    seen = np.ones((NUM_ENVS, 4), dtype=np.float32)
    for t in range(NUM_STEPS):
        acting = networks[t // HOLD * NUM_ENVS :][:NUM_ENVS, :2].numpy()
        np.testing.assert_array_equal(actor.act(t, seen, np.arange(NUM_ENVS), state), acting * (t + 1.0))
    assert actor.record.steps() == {}


@pytest.mark.parametrize("name", ["in C", "in Python", "few connections"])
def test_what_is_transmitted_is_what_the_agents_own_state_says(name):
    agent = AGENTS[name]()
    actor, _, observations, networks, state = played(agent, credit="currents")
    got = actor.record.steps()
    for t, seen in enumerate(observations):
        agent.step(networks[t // HOLD], np.arange(NUM_ENVS), seen, state)
        for source, values in agent.transmitted(seen, state).items():
            assert torch.equal(got[source][t], values)
    assert {source: values.shape for source, values in got.items()} == {
        "input": (NUM_STEPS, NUM_ENVS, 4),
        "recurrent": (NUM_STEPS, NUM_ENVS, 10),
        "rate": (NUM_STEPS, NUM_ENVS, 10),
    }
    assert got["rate"].any()


@pytest.mark.parametrize("name", ["in C", "in Python", "few connections"])
def test_membranes_are_those_before_each_step(name):
    agent = AGENTS[name]()
    actor, _, observations, networks, state = played(agent, credit="outputs")
    got = actor.record.steps()
    assert set(got) == {"membranes", "input", "recurrent", "rate"}
    for t, seen in enumerate(observations):
        assert torch.equal(got["membranes"][t], state.v_mem)
        agent.step(networks[t // HOLD], np.arange(NUM_ENVS), seen, state)


def test_steps_are_sorted_by_the_networks_that_acted():
    actor, *_ = played(AGENTS["in C"](), credit="currents")
    steps, sorted_steps = (part["rate"] for part in (actor.record.steps(), actor.record.by_network(HOLD)))
    assert sorted_steps.shape == (NUM_STEPS // HOLD * NUM_ENVS, HOLD, 10)
    for m, rates in enumerate(sorted_steps):
        stretch, env = divmod(m, NUM_ENVS)
        assert torch.equal(rates, steps[stretch * HOLD :][:HOLD, env])
