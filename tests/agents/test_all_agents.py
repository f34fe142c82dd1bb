"""The contract of every agent; kernels and torch definitions act alike."""

import ctypes
from dataclasses import fields
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_leaves

from agents import GRU, LSTM, RNN, RSNN, ModuleAgent
from agents.dense_kernel import sigmoid, tanh


def cell(obs_length, act_length):
    """A recurrent module of the kind that users write."""
    return Cell(obs_length, act_length)


class Cell(torch.nn.Module):
    def __init__(self, obs_length, act_length):
        super().__init__()
        self.cell = torch.nn.GRUCell(obs_length, 6)
        self.out = torch.nn.Linear(6, act_length)

    def forward(self, x, h):
        h = self.cell(x, h)
        return self.out(h), h


COMPILED = {
    "rsnn boolean": lambda d, a, **kw: RSNN(d, a, 21, "boolean", **kw),
    "rsnn real": lambda d, a, **kw: RSNN(d, a, 21, "real", **kw),
    "rsnn sign": lambda d, a, **kw: RSNN(d, a, 21, "sign", **kw),
    "rnn boolean": lambda d, a, **kw: RNN(d, a, 21, "boolean", **kw),
    "rnn real": lambda d, a, **kw: RNN(d, a, 21, "real", **kw),
    "rnn sign": lambda d, a, **kw: RNN(d, a, 21, "sign", **kw),
    "gru": lambda d, a, **kw: GRU(d, a, 21, **kw),
    "lstm": lambda d, a, **kw: LSTM(d, a, 21, **kw),
}
DEFINITIONS = {f"{name} in torch": partial(make, backend="torch") for name, make in COMPILED.items()}
ON_WARP = {f"rsnn {kind} on warp": partial(COMPILED[f"rsnn {kind}"], backend="warp") for kind in ("boolean", "real")}
if find_spec("warp") is None:  # an extra
    ON_WARP = {}
MAKERS = {**COMPILED, **DEFINITIONS, **ON_WARP, "module": lambda d, a: ModuleAgent(d, a, cell)}
EVERY = pytest.mark.parametrize("name", MAKERS)
EVERY_COMPILED = pytest.mark.parametrize("name", COMPILED)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def one_slot(agent):
    return agent.initial_state(1, generator=generator())


def observations(steps, batch_size, seed=2):
    return np.random.default_rng(seed).standard_normal((steps, batch_size, 7)).astype(np.float32)


def play(agent, solutions, members, obs, state):
    return torch.stack([agent.step(solutions, members, x, state) for x in obs])


@EVERY
def test_a_solution_holds_the_arrays_in_order(name):
    agent = MAKERS[name](7, 3)
    solutions = agent.initial_solutions(2, generator())
    assert solutions.shape == (2, agent.solution_length)
    assert solutions.dtype == agent.dtype
    parts = agent.split(solutions)
    assert {key: tuple(part.shape[1:]) for key, part in parts.items()} == agent.parameter_shapes
    assert torch.equal(torch.cat([part.flatten(1) for part in parts.values()], dim=1), solutions)


@EVERY
def test_the_blocks_are_all_of_a_solution(name):
    agent = MAKERS[name](7, 3)
    places = np.concatenate(list(agent.solution_blocks().values()))
    assert sorted(places) == list(range(agent.solution_length))


@EVERY
def test_initial_solutions_are_a_function_of_the_generator_alone(name):
    agent, before = MAKERS[name](7, 3), torch.random.get_rng_state()
    first = agent.initial_solutions(3, generator(5))
    assert torch.equal(first, agent.initial_solutions(3, generator(5)))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, agent.initial_solutions(3, generator(6)))
    assert torch.equal(torch.random.get_rng_state(), before)


@EVERY
def test_a_batch_is_a_loop_over_slots(name):
    agent = MAKERS[name](7, 3)
    solutions, members, obs = agent.initial_solutions(3, generator()), np.array([2, 0, 0, 1]), observations(6, 4)
    state = agent.initial_state(4, generator=generator())
    agent.reset(state, range(4), range(4))
    together = play(agent, solutions, members, obs, state)
    for slot in range(4):
        alone = agent.initial_state(1, generator=generator())
        agent.reset(alone, [0], [slot])
        actions = play(agent, solutions, members[slot : slot + 1], obs[:, slot : slot + 1], alone)
        tolerance = 0 if name in {**COMPILED, **ON_WARP} else 1e-5
        torch.testing.assert_close(actions[:, 0], together[:, slot], atol=tolerance, rtol=tolerance)
    assert together.abs().max() <= 1
    assert together.std(dim=0).min() > 0


def everything_of(state, slot):
    """Copies of all that a state holds about a slot."""
    leaves = tree_leaves([getattr(state, field.name) for field in fields(state)])
    return [leaf[slot].clone() for leaf in leaves if isinstance(leaf, torch.Tensor)]


@EVERY
@pytest.mark.parametrize("first", [0, -1])
def test_a_negative_member_rests(name, first):
    agent = MAKERS[name](7, 3)
    solutions, obs = agent.initial_solutions(1, generator()), observations(2, 2)
    state = agent.initial_state(2, generator=generator())
    agent.step(solutions, np.array([0, 0]), obs[0], state)
    before = everything_of(state, 1)
    action = agent.step(solutions, np.array([first, -1]), obs[1], state)
    assert not action[1].any()
    torch.testing.assert_close(everything_of(state, 1), before, atol=0, rtol=0)


@EVERY
def test_a_slot_is_reset_alone_and_then_plays_as_if_for_the_first_time(name):
    agent = MAKERS[name](7, 3)
    solutions, members, obs = agent.initial_solutions(1, generator()), np.zeros(2, dtype=int), observations(4, 2)
    fresh, used, untouched = (agent.initial_state(2, generator=generator()) for _ in range(3))
    for state in (fresh, used, untouched):
        agent.reset(state, [0, 1], [8, 9])
    first = play(agent, solutions, members, obs, fresh)
    play(agent, solutions, members, obs, used)
    play(agent, solutions, members, obs, untouched)
    agent.reset(used, [0], [8])
    again = play(agent, solutions, members, obs, used)
    going_on = play(agent, solutions, members, obs, untouched)
    torch.testing.assert_close(again[:, 0], first[:, 0], atol=0, rtol=0)
    torch.testing.assert_close(again[:, 1], going_on[:, 1], atol=0, rtol=0)


@EVERY
def test_the_next_generation_in_the_same_memory_is_read_when_its_episode_begins(name):
    agent = MAKERS[name](7, 3)
    solutions, obs = agent.initial_solutions(1, generator()), observations(3, 1)
    state = agent.initial_state(1, generator=generator())
    agent.reset(state, [0], [1])
    before = play(agent, solutions, [0], obs, state)
    solutions.numpy()[:] = agent.initial_solutions(1, generator(9)).numpy()  # unseen by torch's version counter
    agent.reset(state, [0], [1])
    assert not torch.equal(play(agent, solutions, [0], obs, state), before)


@EVERY_COMPILED
def test_kernel_and_definition_act_alike(name):
    fast, slow = (COMPILED[name](7, 3, backend=backend) for backend in ("numba", "torch"))
    solutions, obs = fast.initial_solutions(4, generator(3)), observations(8, 6)
    members = np.array([3, 0, 0, 2, -1, 1])
    states = [agent.initial_state(6, generator=generator(1)) for agent in (fast, slow)]
    actions = [play(agent, solutions, members, obs, s) for agent, s in zip((fast, slow), states, strict=True)]
    torch.testing.assert_close(*actions, atol=2e-5, rtol=1e-5)
    for field in fields(states[0]):
        torch.testing.assert_close(*(getattr(s, field.name) for s in states), atol=2e-5, rtol=1e-5)


@EVERY_COMPILED
def test_the_native_function_is_the_step(name):
    agent = MAKERS[name](7, 3)
    solutions, members, obs = agent.initial_solutions(3, generator()), np.array([2, 0, 1]), observations(5, 3)
    batched, native = (agent.initial_state(3, generator=generator(3)) for _ in range(2))
    step = agent.native(solutions, members, native)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(step.function)
    for x in obs:
        expected = agent.step(solutions, members, x, batched)
        action = np.empty((3, 3), dtype=np.float32)
        for slot in range(3):
            call(step.context, slot, x[slot].ctypes.data, action[slot].ctypes.data)
        np.testing.assert_array_equal(action, expected)
    for field in fields(batched):
        assert torch.equal(getattr(batched, field.name), getattr(native, field.name))


@EVERY
def test_only_kernels_are_native(name):
    agent = MAKERS[name](7, 3)
    native = agent.native(agent.initial_solutions(1, generator()), np.zeros(1, dtype=np.int64), one_slot(agent))
    assert (native is not None) == (name in COMPILED)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([0], "members: expected a NumPy array, got list"),
        (np.zeros(1, np.int32), r"int64 array of shape \(1,\), got int32 of shape \(1,\)"),
        (np.zeros(2, np.int64), r"int64 array of shape \(1,\), got int64 of shape \(2,\)"),
    ],
)
def test_members_that_c_would_misread_are_refused(members, message):
    agent = GRU(7, 3, 21)
    with pytest.raises(ValueError, match=message):
        agent.native(agent.initial_solutions(1, generator()), members, one_slot(agent))


def test_a_kernel_is_refused_where_there_is_none():
    agent = GRU(7, 3, 21, backend="numba")
    elsewhere = torch.empty(1, agent.solution_length, device="meta")
    with pytest.raises(ValueError, match="solutions: expected a tensor on the CPU with backend='numba', got meta"):
        agent.step(elsewhere, [0], np.zeros((1, 7)), one_slot(agent))


@pytest.mark.parametrize("name", ["rsnn real", "rnn real", "gru", "lstm"])
def test_a_failed_solution_does_not_look_sound(name):
    agent = COMPILED[name](7, 3)
    solutions = torch.full((1, agent.solution_length), float("nan"))
    assert agent.step(solutions, [0], np.ones((1, 7)), one_slot(agent)).isnan().all()


@EVERY_COMPILED
def test_a_pure_step_is_what_a_step_does_and_changes_nothing(name):
    agent = COMPILED[name](7, 3)
    solution = agent.initial_solutions(1, generator())
    parameters = {key: part[0] for key, part in agent.split(agent._connect(solution)).items()}
    state = agent.initial_state(4, generator=generator(1))
    tolerance = 0 if name.startswith("rsnn") else 1e-6
    for x in observations(5, 4):
        before = [part.clone() for part in agent.memory(state)]
        output, memory = agent.pure_step(parameters, torch.from_numpy(x), agent.memory(state))
        assert all(map(torch.equal, agent.memory(state), before))
        agent.step(solution, [0] * 4, x, state)
        torch.testing.assert_close(output, agent.readout(state), atol=tolerance, rtol=0)
        torch.testing.assert_close(memory, agent.memory(state), atol=tolerance, rtol=0)


@pytest.mark.parametrize("family", ["rsnn", "rnn"])
def test_signs_are_the_boolean_network_of_the_positive_numbers(family):
    boolean, sign = COMPILED[f"{family} boolean"](7, 3), COMPILED[f"{family} sign"](7, 3)
    solutions, members, obs = sign.initial_solutions(4, generator()), np.array([3, -1, 1]), observations(5, 3)
    states = [agent.initial_state(3, generator=generator(1)) for agent in (boolean, sign)]
    expected = play(boolean, solutions > 0, members, obs, states[0])
    torch.testing.assert_close(play(sign, solutions, members, obs, states[1]), expected, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("agent", "count"),
    [(RSNN(240, 17), 192_768), (GRU(240, 17), 386_321), (LSTM(240, 17), 191_121)],
    ids=["RSNN", "GRU", "LSTM"],
)
def test_parameter_counts_are_those_of_the_papers_table_1(agent, count):
    assert agent.solution_length == count


@pytest.mark.parametrize("make", [RNN, GRU, LSTM])
def test_real_weights_start_with_variance_one_over_rows_and_biases_at_zero(make):
    agent = make(64, 16, 64)
    for name, part in agent.split(agent.initial_solutions(4, generator())).items():
        if name.startswith("kernel"):  # at least 4096 draws: the standard deviation is within 6 % in all but 1 of 1e6
            assert part.std().item() * 64**0.5 == pytest.approx(1, abs=0.06)
        else:
            assert not part.any()


@pytest.mark.parametrize(
    ("make", "make_cell", "biases"),
    [
        (RNN, torch.nn.RNNCell, lambda p: (p["bias"], torch.zeros(5))),
        (GRU, torch.nn.GRUCell, lambda p: (p["bias_in"], torch.cat([torch.zeros(10), p["bias_h"]]))),
        (LSTM, torch.nn.LSTMCell, lambda p: (p["bias"], torch.zeros(20))),
    ],
    ids=["RNN", "GRU", "LSTM"],
)
@torch.no_grad()
def test_real_networks_are_torchs_cells_with_the_biases_that_flax_has(make, make_cell, biases):
    agent, cell = make(7, 3, 5, backend="torch"), make_cell(7, 5)
    solution = agent.initial_solutions(1, generator())
    solution += 0.1 * torch.randn(solution.shape, generator=generator(1))
    p = {name: part[0] for name, part in agent.split(solution).items()}
    mapped = (p["kernel_in"].T, p["kernel_h"].T, *biases(p))
    for parameter, value in zip((cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh), mapped, strict=True):
        parameter.copy_(value)
    state, hidden = agent.initial_state(1), None
    for x in torch.from_numpy(observations(4, 1)):
        agent.step(solution, [0], x, state)
        hidden = cell(x, hidden)
        h, *c = hidden if make is LSTM else (hidden,)
        torch.testing.assert_close([state.h, *([state.c] if c else [])], [h, *c], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(agent.readout(state), h @ p["kernel_out"] + p["bias_out"])


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_two_boolean_units_by_hand(backend):
    """Unit 0 is excitatory and connected to unit 1 (inhibitory), which alone is read out; input reaches unit 0 only."""
    agent = RNN(1, 1, 2, "boolean", backend=backend)
    kernel_in, kernel_h, kernel_out = [1, 0, 0, 0], [0, 1, 0, 0], [0, 1]
    solution = torch.tensor([kernel_in + kernel_h + kernel_out], dtype=torch.bool)
    state = agent.initial_state(1)
    r_in, r = np.sqrt(1 / 0.5), np.sqrt(1 / (0.5 * 2))
    agent.step(solution, [0], torch.tensor([[0.5]]), state)
    np.testing.assert_allclose(state.h, [[np.tanh(0.5 * r_in), 0]], atol=1e-6)
    agent.step(solution, [0], torch.tensor([[0.0]]), state)
    second = np.tanh(r * np.tanh(0.5 * r_in))
    np.testing.assert_allclose(state.h, [[0, second]], atol=1e-6)
    np.testing.assert_allclose(agent.readout(state), [[-r * second]], atol=1e-6)


def test_the_kernels_activations_are_within_a_millionth():
    x = np.linspace(-20, 20, 200_001, dtype=np.float32)
    exact = np.tanh(x.astype(np.float64))
    assert max(abs(tanh(value) - e) for value, e in zip(x, exact, strict=True)) < 4e-7
    assert abs(tanh(np.float32(np.inf)) - 1) < 4e-7
    assert np.isnan(tanh(np.float32(np.nan)))
    assert sigmoid(np.float32(0)) == 0.5
    assert abs(sigmoid(np.float32(2)) - 1 / (1 + np.exp(-2.0))) < 4e-7


@EVERY
def test_bad_input_to_step_is_named(name):
    agent = MAKERS[name](7, 3)
    state, obs = agent.initial_state(2, generator=generator()), np.zeros((2, 7), np.float32)
    solutions, members = agent.initial_solutions(2, generator()), np.array([0, 1])
    for arguments, message in (
        ((solutions.double(), members, obs, state), rf"solutions: expected {agent.dtype}, got torch\.float64"),
        ((solutions[:, 1:], members, obs, state), "solutions: expected shape"),
        ((solutions, members[:1], obs, state), "members: expected 2 rows"),
        ((solutions, members + 1, obs, state), "members: expected rows below 2, got 2"),
        ((solutions, members, obs[:, :2], state), r"obs: expected shape \(2, 7\), got \(2, 2\)"),
        ((None, members, obs, state), "solutions: expected a torch.* tensor of shape .*, got None"),
        ((solutions.numpy(), members, obs, state), r"solutions: expected .*, got \w+ of shape \(2, \d+\)"),
        ((solutions, None, obs, state), "members: expected 2 rows, one for each slot, got object of shape"),
        ((solutions, [0.5, 1], obs, state), "members: expected 2 rows, one for each slot, got float64 of shape"),
        ((solutions, members > 0, obs, state), "members: expected 2 rows, one for each slot, got bool of shape"),
        ((solutions, torch.tensor([0.0, 1.0]), obs, state), "members: expected 2 rows, .*, got float32 of shape"),
        ((solutions, [[0], [0, 1]], obs, state), "members: expected 2 rows, .*, got a list of other things"),
        ((solutions, np.array([0, 2**63], np.uint64), obs, state), "members: expected rows below 2, got 92233720368"),
        ((solutions, members, None, state), "obs: expected a tensor or an array of numbers of shape .*, got None"),
        ((solutions, members, obs.tolist(), state), "obs: expected a tensor or an array of numbers .*, got a list"),
        ((solutions, members, obs.astype(complex), state), "obs: expected a tensor or an array of numbers"),
        ((solutions, members, obs, None), "state: expected what initial_state of this agent returns, got None"),
    ):
        with pytest.raises(ValueError, match=message):
            agent.step(*arguments)


@pytest.mark.parametrize("make", [RSNN, RNN, GRU, LSTM])
def test_bad_settings_are_named(make):
    for arguments, message in (
        ({"num_neurons": 0}, "num_neurons: expected a positive whole number, got 0"),
        ({"num_neurons": 2.5}, "num_neurons: expected a positive whole number, got 2.5"),
        ({"num_neurons": True}, "num_neurons: expected a positive whole number, got True"),
        ({"backend": "jax"}, "backend: expected one of 'auto', 'numba', 'torch'"),
    ):
        with pytest.raises(ValueError, match=message):
            make(3, 2, **arguments)
    with pytest.raises(ValueError, match="obs_length: expected a positive whole number, got 0"):
        make(0, 2)


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (RSNN, {"density": np.float32(0.5), "excitatory_ratio": np.float64(0.25), "dt": np.float64(0.5)}),
        (RNN, {"connections": "boolean", "gain_in": np.float32(0.5), "excitatory_ratio": np.float32(0.25)}),
        (GRU, {}),
        (LSTM, {}),
    ],
)
def test_numpys_numbers_are_numbers(make, settings):
    ours = make(np.int64(4), np.int32(2), np.int16(8), **settings)
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in settings.items()}
    theirs = make(4, 2, 8, **plain)
    solutions, obs = theirs.initial_solutions(1, generator()), observations(3, 1)[..., :4]
    actions = [play(agent, solutions, [0], obs, one_slot(agent)) for agent in (ours, theirs)]
    assert torch.equal(*actions)
    assert type(ours.num_neurons) is int


@EVERY
def test_a_state_needs_no_generator_and_draws_from_no_global_one(name):
    agent, before = MAKERS[name](7, 3), torch.random.get_rng_state()
    states = [agent.initial_state(2), agent.initial_state(2)]
    torch.testing.assert_close(everything_of(states[0], 0), everything_of(states[1], 1), atol=0, rtol=0)
    assert torch.equal(torch.random.get_rng_state(), before)


@EVERY
def test_observations_of_any_layout_and_memory_are_read_alike(name):
    agent = MAKERS[name](7, 3)
    solutions, obs = agent.initial_solutions(2, generator()), np.random.default_rng(0).normal(size=(2, 7))
    frozen = obs.copy()
    frozen.flags.writeable = False
    backwards, strided = obs[::-1].copy()[::-1], np.repeat(obs, 2, axis=1)[:, ::2]
    ways = (obs.copy(order="F"), backwards, frozen, torch.tensor(obs, requires_grad=True), strided)
    states = [agent.initial_state(2, generator=generator()) for _ in range(len(ways) + 1)]
    expected = agent.step(solutions, [0, 1], obs, states.pop())
    for way, state in zip(ways, states, strict=True):
        assert torch.equal(agent.step(solutions, np.array([0, 1], np.uint8), way, state), expected)


@EVERY
def test_a_state_of_another_agent_is_refused_before_memory_is_touched(name):
    agent, smaller = MAKERS[name](7, 3), MAKERS[name](7, 2)
    state = smaller.initial_state(2, generator=generator())
    solutions = agent.initial_solutions(2, generator())
    for call in (
        lambda: agent.step(solutions, [0, 1], np.zeros((2, 7)), state),
        lambda: agent.reset(state, [0], [1]),
        lambda: agent.readout(state),
    ):
        with pytest.raises(ValueError, match=r"state: expected what initial_state of this agent returns, got one with"):
            call()


@pytest.mark.parametrize("make", [RSNN, RNN, GRU, LSTM])
def test_a_state_that_c_would_misread_is_refused(make):
    agent = make(7, 3, 21)
    solutions, state = agent.initial_solutions(2, generator()), make(7, 3, 9).initial_state(2, generator=generator())
    with pytest.raises(
        ValueError, match=r"state: expected what initial_state returns of 2 slots, parts of .*\(2, 21\)"
    ):
        agent.step(solutions, [0, 1], np.zeros((2, 7)), state)
    for output, message in (
        (torch.zeros(2, 6)[:, ::2], "state: expected contiguous tensors"),
        (torch.zeros(2, 3, dtype=torch.float16), "state: expected what initial_state of this agent returns, got one"),
    ):
        state = agent.initial_state(2, generator=generator())
        state.output = output
        with pytest.raises(ValueError, match=message):
            agent.step(solutions, [0, 1], np.zeros((2, 7)), state)


@EVERY
def test_wrong_slots_seeds_counts_and_generators_are_named(name):
    agent = MAKERS[name](7, 3)
    state = agent.initial_state(2, generator=generator())
    before = [leaf.clone() for leaf in tree_leaves(agent.memory(state))]
    for call, message in (
        (lambda: agent.reset(state, [2], [0]), r"slots\[0\]: expected a whole number in \[0, 1\], got 2"),
        (lambda: agent.reset(state, [0, -1], [0, 0]), r"slots\[1\]: expected a whole number in \[0, 1\], got -1"),
        (lambda: agent.reset(state, [0.5], [0]), r"slots\[0\]: expected a whole number in \[0, 1\], got 0.5"),
        (lambda: agent.reset(state, [0], ["a"]), r"seeds\[0\]: expected a whole number of at least 0, got 'a'"),
        (lambda: agent.reset(state, [0], [-1]), r"seeds\[0\]: expected a whole number of at least 0, got -1"),
        (lambda: agent.reset(state, [0, 1], [1]), "seeds: expected 2, one for each slot, got 1"),
        (lambda: agent.reset(state, None, [1]), "slots, seeds: expected two lists, got None and a list"),
        (lambda: agent.initial_state(0), "batch_size: expected a positive whole number, got 0"),
        (lambda: agent.initial_state(2, generator=5), "generator: expected a torch.Generator, got a int"),
        (lambda: agent.initial_solutions(-1, generator()), "count: expected a whole number of at least 0, got -1"),
        (lambda: agent.initial_solutions(2, None), "generator: expected a torch.Generator, got None"),
        (lambda: agent.split(torch.zeros(7)), r"solutions: expected shape \(N, \d+\), got torch.float32 of shape"),
        (lambda: agent.split(None), r"solutions: expected shape \(N, \d+\), got None"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    for leaf, expected in zip(tree_leaves(agent.memory(state)), before, strict=True):
        assert torch.equal(leaf, expected)


@pytest.mark.parametrize("name", ["rsnn real", "rnn real", "gru", "lstm", "module"])
def test_wrong_sequences_are_named(name):
    agent = MAKERS[name](7, 3)
    sequences = {
        "solution": torch.zeros(agent.solution_length),
        "observations": torch.zeros(4, 2, 7),
        "memory": agent.memory(agent.initial_state(2, generator=generator())),
        "lengths": torch.tensor([4, 3]),
    }
    for argument, value, message in (
        ("solution", None, "solution: expected a torch.float32 tensor"),
        ("solution", np.zeros(agent.solution_length), "solution: expected a torch.float32 tensor .* got float64"),
        ("observations", torch.zeros(4, 2, 7).double(), "observations: expected torch.float32, got torch.float64"),
        ("observations", np.zeros((4, 2, 7)), "observations: expected a torch.float32 tensor"),
        ("memory", 5, "memory: expected what memory returns of 2 slots"),
        ("memory", agent.memory(agent.initial_state(3, generator=generator())), "memory: expected what memory returns"),
        ("lengths", [4, 3], "lengths: expected a torch.int64 tensor of shape .*, got a list"),
        ("lengths", torch.tensor([4.0, 3.0]), "lengths: expected torch.int64, got torch.float32"),
    ):
        with pytest.raises(ValueError, match=message):
            agent.unroll(**{**sequences, argument: value})
