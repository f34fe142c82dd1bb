"""Users' own torch modules as agents."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from evotorch.neuroevolution.net import str_to_net
from torch import nn

from agents import ModuleAgent


class Recurrent(nn.Module):
    """A cell with a linear readout; its hidden state is what the cell's is."""

    def __init__(self, obs_length, act_length, make_cell):
        super().__init__()
        self.cell = make_cell(obs_length, 5)
        self.out = nn.Linear(5, act_length)

    def forward(self, x, h):
        h = self.cell(x, h)
        return self.out(h[0] if isinstance(h, tuple) else h), h


class Counter(nn.Module):
    """Starts from a state other than zero, kept in a dictionary; its buffer is a constant."""

    def __init__(self, obs_length, act_length):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(act_length))
        self.register_buffer("start", torch.tensor([3.0]))

    def initial_state(self):
        return {"left": [self.start.clone()]}

    def forward(self, x, h):
        left = h["left"][0]
        return 0.1 * left * self.weight, {"left": [left - 1]}


class Branches(nn.Module):
    """A program that depends on its data, which vmap cannot batch."""

    def __init__(self, obs_length, act_length):
        super().__init__()
        self.out = nn.Linear(obs_length, act_length)

    def forward(self, x, h):
        h = torch.zeros(1) if h is None else h
        return (self.out(x) if x.sum() + h > 0 else torch.tanh(self.out(x))), h + 1


class Linear(nn.Linear):
    """A module whose first hidden state and step are given."""

    def __init__(self, obs_length, act_length, step=None, first=None):
        super().__init__(obs_length, act_length)
        self.step = step
        if first is not None:
            self.initial_state = lambda: first(self)

    def forward(self, x, h):
        return self.step(super().forward(x), h)


MODULES = {
    "rnn cell": partial(Recurrent, make_cell=nn.RNNCell),
    "gru cell": partial(Recurrent, make_cell=nn.GRUCell),
    "lstm cell": partial(Recurrent, make_cell=nn.LSTMCell),
    "evotorch recurrent": partial(str_to_net, "RNN(obs_length, 6) >> Linear(6, act_length)"),
    "evotorch lstm": partial(str_to_net, "LSTM(obs_length, 6) >> Linear(6, act_length)"),
    "evotorch feed-forward": partial(str_to_net, "Linear(obs_length, 6) >> Tanh() >> Linear(6, act_length)"),
    "counter": Counter,
    "branches": Branches,
}
UNBATCHED = {"lstm cell", "branches"}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("make", MODULES.values(), ids=list(MODULES))
def test_a_population_acts_as_its_modules_do_one_by_one(make):
    agent = ModuleAgent(4, 2, make)
    solutions, members = agent.initial_solutions(3, generator()), [1, 0, 2, 1]
    obs = np.random.default_rng(1).standard_normal((5, 4, 4)).astype(np.float32)
    state = agent.initial_state(4)
    together = torch.stack([agent.step(solutions, members, x, state) for x in obs])
    for slot, member in enumerate(members):
        module = make(obs_length=4, act_length=2)
        nn.utils.vector_to_parameters(solutions[member], module.parameters())
        h = module.initial_state() if hasattr(module, "initial_state") else None
        for t in range(5):
            x = torch.from_numpy(obs[t, slot])
            returned = module(x, h)
            y, h = returned if isinstance(returned, tuple) else (returned, None)
            torch.testing.assert_close(together[t, slot], y.detach().clamp(-1, 1), atol=1e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_when_it_runs_in_a_loop(name):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        agent = ModuleAgent(4, 2, MODULES[name])
    said = any("runs in a loop over slots because vmap cannot batch it" in str(w.message) for w in caught)
    assert (agent.batched, said) == (name not in UNBATCHED, name in UNBATCHED)


def test_parameters_are_read_again_when_a_member_changes_or_torch_changes_the_population():
    agent = ModuleAgent(4, 2, MODULES["evotorch feed-forward"])
    solutions, x, state = agent.initial_solutions(2, generator()), np.ones((1, 4), np.float32), agent.initial_state(1)
    first = agent.step(solutions, [0], x, state)
    assert not torch.equal(agent.step(solutions, [1], x, state), first)
    assert torch.equal(agent.step(solutions, [0], x, state), first)
    solutions *= 0.5
    assert not torch.equal(agent.step(solutions, [0], x, state), first)


def test_another_population_in_freed_memory_is_not_taken_for_the_last_one():
    agent = ModuleAgent(4, 2, MODULES["evotorch feed-forward"])
    memory, x = np.empty((1, agent.solution_length), np.float32), np.ones((1, 4), np.float32)
    state = agent.initial_state(1)
    actions = []
    for seed in range(2):
        memory[:] = agent.initial_solutions(1, generator(seed))
        actions.append(agent.step(torch.from_numpy(memory), [0], x, state))
    assert not torch.equal(*actions)


def test_torchs_random_state_is_left_alone():
    before = torch.random.get_rng_state()
    ModuleAgent(4, 2, MODULES["gru cell"]).initial_solutions(2, generator())
    assert torch.equal(torch.random.get_rng_state(), before)


def from_ones(y, h):
    h = torch.ones(2) if h is None else h
    return y * h.sum(), h


def from_ones_at_the_second_step(y, h):
    return y, (torch.ones(2) if h is None else 2 * h)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda **_: 3, TypeError, r"expected a callable that returns a torch\.nn\.Module, got int"),
        (lambda **_: nn.Tanh(), ValueError, "expected parameters to search over"),
        (lambda obs_length, **_: nn.Linear(obs_length, 7), ValueError, r"output of shape \(2,\), got \(7,\)"),
        (
            lambda obs_length, act_length: nn.Linear(obs_length, act_length, dtype=torch.float64),
            ValueError,
            r"expected float32 parameters, got torch\.float64 for 'weight'",
        ),
        (partial(Linear, step=from_ones), ValueError, "expected a hidden state of zeros to mean the same as h=None"),
        (
            partial(Linear, step=from_ones_at_the_second_step),
            ValueError,
            "expected a hidden state of zeros to mean the same as h=None",
        ),
        (
            partial(Linear, step=lambda y, h: (y, h + 1)),
            ValueError,
            r"expected forward\(x, None\) to work, got TypeError.*initial_state\(\)",
        ),
        (
            partial(Linear, step=lambda y, h: (y, h), first=lambda module: module.bias),
            ValueError,
            r"expected an initial_state\(\) that does not depend on parameters",
        ),
        (
            partial(Linear, step=lambda y, h: (y, torch.cat([h, h])), first=lambda module: torch.zeros(1)),
            ValueError,
            "expected a hidden state like its first",
        ),
        (
            partial(Linear, step=lambda y, h: y, first=lambda module: torch.zeros(1)),
            TypeError,
            r"expected forward\(x, h\) to return \(y, h\), got Tensor",
        ),
        (partial(Linear, step=lambda y, h: (y, 0)), TypeError, "expected a hidden state of tensors, got int"),
    ],
)
def test_modules_that_cannot_act_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        ModuleAgent(4, 2, make)
