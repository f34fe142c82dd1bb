"""Both implementations fire the spikes of the published JAX networks."""

from pathlib import Path

import numpy as np
import pytest
import torch

from agents import RSNN

GOLDEN = Path(__file__).parents[2] / "golden"


def load(name):
    data = dict(np.load(GOLDEN / f"{name}.npz"))
    _, members, obs_length = data["obs"].shape
    neurons, act_length = data["v_init"].shape[1], data["output"].shape[2]
    boolean = data["kernel_in"].dtype == np.uint8
    kernels = []
    for kernel, columns in (("kernel_in", neurons), ("kernel_h", neurons), ("kernel_out", act_length)):
        values = data[kernel]
        if boolean and values.dtype == np.uint8:
            values = np.unpackbits(values, axis=-1, count=columns) if values.shape[-1] != columns else values
        kernels.append(values.reshape(members, -1))
    solutions = torch.from_numpy(np.concatenate(kernels, axis=1))
    solutions = solutions.bool() if boolean else solutions.float()
    return data, obs_length, act_length, neurons, boolean, solutions


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("name", ["conn_snn_small", "conn_snn_hopper", "dense_snn_small"])
def test_spikes_are_those_of_the_published_network(name, backend):
    data, obs_length, act_length, neurons, boolean, solutions = load(name)
    agent = RSNN(obs_length, act_length, neurons, "boolean" if boolean else "real", backend=backend)
    state = agent.initial_state(v_mem=torch.from_numpy(data["v_init"]))
    members = torch.arange(len(solutions))
    fired = 0
    for t, obs in enumerate(data["obs"]):
        action = agent.step(solutions, members, torch.from_numpy(obs), state)
        if boolean:
            np.testing.assert_array_equal(state.spikes.numpy(), data["signed_spikes"][t])
        fired += int((state.spikes != 0).sum())
        np.testing.assert_allclose(state.v_mem, data["v"][t], atol=2e-6)
        np.testing.assert_allclose(state.i_syn, data["i_syn"][t], atol=2e-5)
        np.testing.assert_allclose(state.rate, data["rate"][t], atol=2e-6)
        np.testing.assert_allclose(agent.readout(state), data["output"][t], atol=2e-5)
        np.testing.assert_array_equal(action, agent.readout(state).clamp(-1, 1))
    assert fired > 0
