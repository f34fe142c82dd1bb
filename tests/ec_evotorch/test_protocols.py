"""Our agents, environments, problems, searchers and distributions have the members that the protocols ask for."""

import inspect
from functools import partial
from typing import Protocol, runtime_checkable

import gymnasium
import pytest
import torch
from evotorch import Problem
from evotorch.neuroevolution.net import str_to_net
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from agents import GRU, LSTM, RNN, RSNN, ModuleAgent
from ec_evotorch import (
    PPO,
    ActorCriticEC,
    EvolutionStrategy,
    EvolvingConnectivity,
    RolloutProblem,
    SeparableBernoulli,
    protocols,
)
from ec_evotorch.distributions.antithetic_gaussian import AntitheticGaussian
from ec_evotorch.distributions.philox_gaussian import PhiloxGaussian
from ec_evotorch.rollout.resting import RestingSlots
from envs import make_vec

SIZES = 3, 2  # of observations and actions
MODULE = partial(str_to_net, "RNN(obs_length, 4) >> Linear(4, act_length)")
AGENTS = {
    "rsnn": lambda: RSNN(*SIZES, num_neurons=4),
    "rsnn, real": lambda: RSNN(*SIZES, num_neurons=4, connections="real"),
    "rnn": lambda: RNN(*SIZES, num_neurons=4),
    "gru": lambda: GRU(*SIZES, num_neurons=4),
    "lstm": lambda: LSTM(*SIZES, num_neurons=4),
    "module": lambda: ModuleAgent(*SIZES, module=MODULE),
}
NATIVE_ENV, OTHER_ENV = "InvertedPendulum-v5", "Pendulum-v1"


def members_of(protocol):
    """The names that a protocol asks for, those of the protocols it extends included."""
    own = [base for base in protocol.__mro__ if getattr(base, "_is_protocol", False) and base is not Protocol]
    names = {name for base in own for name in (*vars(base), *getattr(base, "__annotations__", {}))}
    return {name for name in names if not name.startswith("_")}


def find_faults(thing, protocol):
    """What a thing lacks of a protocol: its missing members, and its methods that refuse the protocol's arguments."""
    faults = []
    for name in sorted(members_of(protocol)):
        definition = getattr(protocol, name, None)
        if not hasattr(thing, name):
            faults.append(f"{name}: missing")
        elif inspect.isfunction(definition):
            faults += find_refusals(name, inspect.signature(definition), inspect.signature(getattr(thing, name)))
    return faults


def find_refusals(name, definition, signature):
    """What is wrong with the signature of a method, which is to take the arguments of its definition."""
    _, *parameters = definition.parameters.values()
    named = {p.name: None for p in parameters if p.kind == p.KEYWORD_ONLY}
    ordered = [p for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
    for given in (ordered, [p for p in ordered if p.default is p.empty]):  # with the optional ones, and without
        arguments = [p.name for p in given]
        try:
            bound = signature.bind(*arguments, **named).arguments
        except TypeError as error:
            return [f"{name}: {error}"]
        elsewhere = [p for p in arguments if p in signature.parameters and bound.get(p) != p]
        if elsewhere:
            return [f"{name}: {', '.join(elsewhere)} stands elsewhere"]
    return []


def assert_offers(thing, *wanted):
    for protocol in wanted:
        assert find_faults(thing, protocol) == []
        assert isinstance(thing, protocol)


@runtime_checkable
class Greeting(Protocol):
    tone: str

    def greet(self, name, *, loudly=False):
        """Greets."""


@pytest.mark.parametrize(
    ("members", "faults"),
    [
        ({"tone": "kind", "greet": lambda self, name, *, loudly=False: None}, []),
        ({"tone": "kind", "greet": lambda self, name, more=1, **options: None}, []),
        ({"greet": lambda self, name, *, loudly=False: None}, ["tone: missing"]),
        ({"tone": "kind"}, ["greet: missing"]),
        ({"tone": "kind", "greet": lambda self, name: None}, ["greet: got an unexpected keyword argument 'loudly'"]),
        (
            {"tone": "kind", "greet": lambda self, name, of, *, loudly: None},
            ["greet: missing a required argument: 'of'"],
        ),
        ({"tone": "kind", "greet": lambda self, other=1, name=2, *, loudly: None}, ["greet: name stands elsewhere"]),
    ],
)
def test_a_fault_is_found(members, faults):
    assert find_faults(type("Greeter", (), members)(), Greeting) == faults


@pytest.mark.parametrize("make", AGENTS.values(), ids=AGENTS)
def test_agents_offer_what_problems_and_searchers_use(make):
    assert_offers(
        make(), protocols.Agent, protocols.InitializingAgent, protocols.DifferentiableAgent, protocols.BlockAgent
    )


@pytest.mark.parametrize("name", ["rsnn", "rsnn, real"])
def test_spiking_agents_say_what_their_connections_transmit(name):
    assert_offers(AGENTS[name](), protocols.SynapticAgent, protocols.ResponsiveAgent)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "module"])
def test_other_agents_do_not(name):
    assert not isinstance(AGENTS[name](), protocols.SynapticAgent)


@pytest.mark.parametrize("name", ["rsnn", "rnn", "gru", "lstm"])
def test_compiled_agents_act_without_python(name):
    agent = AGENTS[name]()
    assert_offers(agent, protocols.NativeAgent)
    solutions = agent.initial_solutions(2, torch.Generator().manual_seed(0))
    state = agent.initial_state(2, generator=torch.Generator().manual_seed(0))
    assert_offers(agent.native(solutions, torch.arange(2).numpy(), state), protocols.NativeFunction)


@pytest.mark.parametrize("env_id", [NATIVE_ENV, OTHER_ENV])
def test_environments_offer_what_problems_use(env_id):
    env = make_vec(env_id, 2)
    try:
        assert_offers(env, protocols.VectorEnv, protocols.RestingVectorEnv, protocols.LimitedVectorEnv)
    finally:
        env.close()


def test_the_native_environment_lets_c_act_and_notices_unstable_physics():
    env = make_vec(NATIVE_ENV, 2)
    try:
        assert_offers(env, protocols.NativeVectorEnv, protocols.DivergingVectorEnv)
    finally:
        env.close()


def test_what_lets_slots_rest_is_an_environment_itself():
    env = RestingSlots(SyncVectorEnv([partial(gymnasium.make, OTHER_ENV)] * 2, autoreset_mode=AutoresetMode.DISABLED))
    assert_offers(env, protocols.VectorEnv, protocols.RestingVectorEnv, protocols.DivergingVectorEnv)


def make_problem(connections="real"):
    agent = partial(RSNN, num_neurons=4, connections=connections)
    return RolloutProblem(partial(make_vec, NATIVE_ENV), agent, num_envs=2, num_threads=1)


def test_the_rollout_problem_takes_part_in_generations_and_can_be_saved():
    assert_offers(make_problem(), protocols.GenerationProblem, protocols.CountingProblem, protocols.Stateful)


def test_a_plain_problem_of_evotorch_does_neither():
    problem = Problem("max", lambda x: x.sum(), solution_length=3, initial_bounds=(-1, 1))
    for protocol in (protocols.GenerationProblem, protocols.CountingProblem, protocols.Stateful):
        assert not isinstance(problem, protocol)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EvolvingConnectivity(make_problem("boolean"), popsize=4),
        lambda: EvolutionStrategy(make_problem(), popsize=4, stdev=0.1, center_learning_rate=0.1),
        lambda: PPO(make_problem(), batch_size=8, num_envs=2),
        lambda: ActorCriticEC(make_problem("boolean"), batch_size=16, num_envs=2),
    ],
    ids=["ec", "es", "ppo", "ec with a critic"],
)
def test_searchers_can_be_saved(make):
    assert_offers(make(), protocols.Stateful)


BITS, PAIRS, PAIRS_ANYWHERE = (
    SeparableBernoulli({"rho": [0.5]}),
    AntitheticGaussian(torch.zeros(1), 0.1),
    PhiloxGaussian(torch.zeros(1), 0.1),
)


@pytest.mark.parametrize("distribution", [BITS, PAIRS, PAIRS_ANYWHERE])
def test_distributions_are_seeded(distribution):
    assert_offers(distribution, protocols.SeededDistribution)


@pytest.mark.parametrize("distribution", [BITS, PAIRS_ANYWHERE])
def test_some_are_for_devices(distribution):
    assert_offers(distribution, protocols.DeviceDistribution)


def test_noise_of_pytorch_is_for_no_device_of_warp():
    assert not isinstance(PAIRS, protocols.DeviceDistribution)


def test_a_problem_of_ones_own_is_told_of_each_generation():
    heard = []

    class Told(Problem):
        def begin_generation(self, rows, learner):
            bits = torch.empty(2, 30, dtype=torch.bool)
            rows.fill(bits, 3)  # any row, before the population is sampled
            heard.append(("begin", bits.tolist(), learner.popsize))

        def end_generation(self, evals, learner):
            heard.append(("end", evals.tolist(), learner.key))

    count_ones = lambda x: x.sum(dim=1).float()  # noqa: E731
    problem = Told("max", count_ones, solution_length=30, dtype=torch.bool, vectorized=True, seed=3)
    search = EvolvingConnectivity(problem, popsize=6)
    for _ in range(2):
        heard.clear()
        search.step()
        population = search.population
        assert heard == [
            ("begin", population.access_values(keep_evals=True)[3:5].tolist(), 6),
            ("end", population.access_evals(0).tolist(), search.key),
        ]
