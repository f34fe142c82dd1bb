"""Laws of the spiking agent's gradient."""

import gc
import math

import numba
import numpy as np
import pytest
import snntorch
import torch

from agents import RSNN
from agents.rsnn.differentiable_step import make_neuron
from agents.rsnn.matrix_product import multiply, pack
from agents.rsnn.surrogate import Surrogate

LENGTHS = [4, 4, 3, 3, 1]
BOTH = pytest.mark.parametrize("backend", ["numba", "torch"])
REAL_AND_SIGN = pytest.mark.parametrize("connections", ["real", "sign"])
SETTINGS = {
    "superspike": {"name": "superspike", "beta": 10.0},
    "piecewise_linear": {"name": "piecewise_linear", "beta": 2.0, "gamma": 0.8},
    "sigmoid_derivative": {"name": "sigmoid_derivative", "beta": 4.0, "gamma": 0.5},
}


@pytest.fixture(autouse=True)
def one_thread():
    """Small products wait for one another's threads on a busy machine, a hundred times as long as they take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def setting(*agents, lengths=LENGTHS, scale=2.0):
    """A solution, observations, the memory of slots that have played for a while, and lengths."""
    agent = agents[0]
    count = len(lengths)
    solution = agent.initial_solutions(1, generator(1))[0]
    state = agent.initial_state(count, generator=generator(2))
    x = scale * torch.randn(lengths[0] + 3, count, agent.obs_length, generator=generator(3))
    for step in x[:3]:
        agent.step(solution[None], np.zeros(count, dtype=np.int64), step, state)
    return solution, x[3:], agent.memory(state), torch.tensor(lengths)


def gradient(agent, solution, observations, memory, lengths, seed=4):
    """Outputs, and the gradient of a fixed weighted sum of them, also of those past the end of a sequence."""
    solution = solution.clone().requires_grad_()
    outputs = agent.unroll(solution, observations, memory, lengths)
    (outputs * torch.randn(outputs.shape, generator=generator(seed))).sum().backward()
    return outputs.detach(), solution.grad


def stepped(agent, solution, observations, memory, lengths):
    """Outputs of :meth:`step`, and how many neurons fired at the ends of steps."""
    v_mem, *others = memory
    state = agent.initial_state(v_mem=v_mem)
    for name, part in zip(("i_syn", "rate", "spikes"), others, strict=True):
        getattr(state, name).copy_(part)
    outputs, fired = [], 0
    for t, x in enumerate(observations):
        active = t < lengths
        agent.step(solution[None], torch.where(active, 0, -1).numpy(), x, state)
        outputs.append(torch.where(active[:, None], state.output, 0.0))
        fired += int((state.spikes != 0).sum())
    return torch.stack(outputs), fired


@BOTH
@REAL_AND_SIGN
@pytest.mark.parametrize("neurons", [21, 64])
def test_outputs_are_those_of_steps(backend, connections, neurons):
    agent = RSNN(7, 3, neurons, connections, backend=backend)
    sequences = setting(agent)
    expected, fired = stepped(agent, *sequences)
    outputs, _ = gradient(agent, *sequences)
    tolerance = 0 if backend == "numba" else 1e-6
    torch.testing.assert_close(outputs, expected, atol=tolerance, rtol=tolerance)
    assert fired > 0
    assert outputs.std() > 0


@REAL_AND_SIGN
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("detach_reset", [False, True])
def test_kernel_and_definition_have_the_same_gradient(connections, name, detach_reset):
    surrogate = SETTINGS[name] | {"detach_reset": detach_reset}
    fast, slow = (RSNN(7, 3, 21, connections, backend=b, surrogate=surrogate) for b in ("numba", "torch"))
    sequences = setting(fast)
    gradients = [gradient(agent, *sequences)[1] for agent in (fast, slow)]
    for parts in zip(*(fast.split(g[None]).values() for g in gradients), strict=True):
        torch.testing.assert_close(*parts, rtol=1e-4, atol=1e-5 * parts[1].abs().max().item())


@REAL_AND_SIGN
def test_kernel_and_definition_have_the_same_gradient_of_many_sequences(connections):
    fast, slow = (RSNN(5, 2, 40, connections, backend=b) for b in ("numba", "torch"))
    sequences = setting(fast, lengths=[3] * 20 + [2] * 10 + [1] * 7)
    gradients = [gradient(agent, *sequences)[1] for agent in (fast, slow)]
    for parts in zip(*(fast.split(g[None]).values() for g in gradients), strict=True):
        torch.testing.assert_close(*parts, rtol=1e-4, atol=1e-5 * parts[1].abs().max().item())


@BOTH
@pytest.mark.parametrize("detach_reset", [False, True])
def test_one_neuron_by_hand(backend, detach_reset):
    """Two substeps; the neuron fires in the first and has no weight to itself."""
    surrogate = {"name": "piecewise_linear", "beta": 0.5, "gamma": 0.8, "detach_reset": detach_reset}
    agent = RSNN(1, 1, 1, "real", step_duration=1.0, dt=0.5, surrogate=surrogate, backend=backend)
    w_in, w_out, x = 2.0, 3.0, 1.0
    memory = agent.memory(agent.initial_state(v_mem=torch.tensor([[0.99]])))
    outputs, by_solution = gradient_of_sum(agent, [w_in, 0.0, w_out], [[[x]]], memory, [1])

    mem, out = math.exp(-0.05), math.exp(-0.05)
    r_in, r_hidden, r_out = math.sqrt(2), 2 * math.sqrt(2), 5
    first = mem * 0.99 + (1 - mem) * r_in * w_in * x
    second = (1 - mem) * r_in * w_in * x
    assert first > 1 > second
    rate = (1 - out) / 0.5 * out
    assert outputs.item() == pytest.approx(r_out * w_out * rate, rel=1e-5)

    def slope(u):
        return 0.8 * max(0, 1 - 0.5 * abs(u - 1))

    by_rate = r_out * w_out
    by_second = slope(second) * by_rate * (1 - out) / 0.5
    by_v = mem * by_second  # the membrane after the reset
    by_first = slope(first) * (by_rate * rate - (0 if detach_reset else first * by_v))
    expected = [(by_first + by_second) * (1 - mem) * r_in * x, by_second * (1 - mem) * r_hidden, r_out * rate]
    assert by_solution.tolist() == pytest.approx(expected, rel=1e-5)


def gradient_of_sum(agent, solution, observations, memory, lengths):
    solution = torch.tensor(solution, requires_grad=True)
    outputs = agent.unroll(solution, torch.tensor(observations), memory, torch.tensor(lengths))
    outputs.sum().backward()
    return outputs.detach(), solution.grad


@pytest.mark.parametrize("name", SETTINGS)
def test_the_definition_is_snntorchs_neuron_with_reset_to_zero(name):
    surrogate = Surrogate.of(SETTINGS[name])
    ours = make_neuron(0.9, 1.0, surrogate)
    theirs = snntorch.Leaky(
        torch.tensor(0.9), 1.0, spike_grad=surrogate.spike, reset_mechanism="zero", reset_delay=False
    )
    snntorch.SpikingNeuron.instances.remove(theirs)
    currents = 0.5 * torch.rand(20, 2, 5, generator=generator())
    gradients = []
    for neuron in (ours, theirs):
        inputs, v_mem, total = currents.clone().requires_grad_(), torch.zeros(2, 5), 0.0
        for t, current in enumerate(inputs):
            spikes, v_mem = neuron(current, v_mem)
            if neuron is ours:
                v_mem = v_mem - v_mem * spikes
            total = total + t * spikes.sum() + v_mem.square().sum()
        gradients.append(torch.autograd.grad(total, inputs)[0])
    torch.testing.assert_close(*gradients)
    assert gradients[0].std() > 0


@BOTH
def test_past_the_end_of_a_sequence_there_is_neither_output_nor_gradient(backend):
    agent = RSNN(7, 3, 21, "real", backend=backend)
    solution, observations, memory, lengths = setting(agent)
    past = torch.arange(len(observations))[:, None] >= lengths
    outputs, expected = gradient(agent, solution, observations, memory, lengths)
    assert not outputs[past].any()
    changed = torch.where(past[..., None], 1e3, observations)
    assert torch.equal(gradient(agent, solution, changed, memory, lengths)[1], expected)


@BOTH
def test_a_batch_is_a_loop_over_sequences(backend):
    agent = RSNN(7, 3, 21, "real", backend=backend)
    solution, observations, memory, lengths = setting(agent)
    together, by_all = gradient(agent, solution, observations, memory, lengths)
    weights = torch.randn(together.shape, generator=generator(4))
    by_each = torch.zeros_like(by_all)
    for s, length in enumerate(lengths.tolist()):
        one = solution.clone().requires_grad_()
        outputs = agent.unroll(
            one, observations[:length, s : s + 1], tuple(part[s : s + 1] for part in memory), lengths[s : s + 1]
        )
        torch.testing.assert_close(outputs[:, 0].detach(), together[:length, s], atol=1e-6, rtol=1e-6)
        (outputs[:, 0] * weights[:length, s]).sum().backward()
        by_each += one.grad
    torch.testing.assert_close(by_all, by_each, rtol=1e-4, atol=1e-5 * by_all.abs().max().item())


@BOTH
def test_memory_observations_and_solution_are_left_as_they_are(backend):
    agent = RSNN(7, 3, 21, "real", backend=backend)
    sequences = setting(agent)
    solution, observations, memory, lengths = sequences
    before = [part.clone() for part in (solution, observations, *memory, lengths)]
    gradient(agent, *sequences)
    for part, copy in zip((solution, observations, *memory, lengths), before, strict=True):
        assert torch.equal(part, copy)
        assert not part.requires_grad


@REAL_AND_SIGN
def test_outputs_and_gradient_do_not_depend_on_the_number_of_threads(connections):
    agent = RSNN(7, 3, 21, connections)
    sequences = setting(agent, lengths=[3] * 30 + [2] * 20)
    before = numba.get_num_threads()
    results = []
    try:
        for threads in (1, numba.config.NUMBA_NUM_THREADS):
            numba.set_num_threads(threads)
            torch.set_num_threads(threads)
            results.append(gradient(agent, *sequences))
    finally:
        numba.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_a_failed_solution_does_not_look_sound():
    agent = RSNN(7, 3, 21, "real")
    solution, *others = setting(agent)
    outputs, by_solution = gradient(agent, torch.full_like(solution, float("nan")), *others)
    assert outputs[0].isnan().all()
    assert by_solution.isnan().any()


@BOTH
def test_no_graph_and_no_neuron_is_kept_alive(backend):
    agent = RSNN(3, 2, 5, "real", backend=backend)
    sequences = setting(agent)
    instances = len(snntorch.SpikingNeuron.instances)
    tensors = []
    for _ in range(3):
        gradient(agent, *sequences)
        gc.collect()
        tensors.append(sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects()))
    assert tensors[1] == tensors[2]
    assert len(snntorch.SpikingNeuron.instances) == instances


@BOTH
def test_bits_have_no_gradient(backend):
    agent = RSNN(7, 3, 21, "boolean", backend=backend)
    sequences = setting(agent)
    with pytest.raises(ValueError, match="solution: expected real numbers, which have a gradient"):
        agent.unroll(*sequences)


@BOTH
def test_memory_of_other_slots_is_refused(backend):
    agent = RSNN(7, 3, 21, "real", backend=backend)
    solution, observations, memory, lengths = setting(agent)
    with pytest.raises(ValueError, match=r"memory: expected what memory returns of 5 slots.*got \[\(4, 21\)"):
        agent.unroll(solution, observations, tuple(part[:4] for part in memory), lengths)


@pytest.mark.parametrize("depth", [1, 21, 64])
@pytest.mark.parametrize("columns", [1, 16, 33])
def test_the_packed_product_is_the_product(depth, columns):
    rng = np.random.default_rng(0)
    rows, matrix = rng.integers(-9, 9, (8, depth)), rng.integers(-9, 9, (depth, columns))
    panels = pack(matrix.astype(np.float32))
    out = np.full((8, panels.shape[0] * 16), np.nan, dtype=np.float32)
    multiply(rows.astype(np.float32), panels, 5, out)
    np.testing.assert_array_equal(out[:, :columns], rows @ matrix)
