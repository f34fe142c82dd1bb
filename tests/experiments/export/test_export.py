"""An exported policy acts as the agent does: NIR, a PyTorch program without this package, and NumPy alone."""

import importlib.util
import io
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents import GRU, LSTM, RNN, RSNN, ModuleAgent
from ec_evotorch import Policy
from ec_evotorch.rollout.normalizer import normalize_row
from experiments import load_policy
from experiments.cli import main
from experiments.errors import UserError
from experiments.export import FORMATS, export_bytes, nir_graph, npz_arrays, torch_program
from tests.experiments.export.nir_interpreter import Interpreter

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SEED = 5
OBS_LENGTH, ACT_LENGTH, STEPS = 5, 2, 60
FAST = {"num_neurons": 12, "dt": 2.0}  # eight substeps
AGENTS = {
    "bits": lambda d, a: RSNN(d, a, **FAST),
    "sign": lambda d, a: RSNN(d, a, connections="sign", **FAST),
    "real": lambda d, a: RSNN(d, a, connections="real", gain_in=0.5, **FAST),
    "rnn": lambda d, a: RNN(d, a, num_neurons=13),
    "rnn of bits": lambda d, a: RNN(d, a, num_neurons=13, connections="boolean"),
    "gru": lambda d, a: GRU(d, a, num_neurons=7),
    "lstm": lambda d, a: LSTM(d, a, num_neurons=7),
}
WITHOUT_THIS_PACKAGE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("agents", "envs", "ec_evotorch", "experiments", "native", "evotorch", "snntorch"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())

import numpy as np
import torch

program = torch.export.load(sys.argv[1])
(observation, state), _ = program.example_inputs
step = program.module()
actions = []
with torch.no_grad():
    for observation in np.load(sys.argv[2]):
        action, state = step(torch.from_numpy(observation), state)
        actions.append(action.numpy())
np.save(sys.argv[3], actions)
"""


def from_file(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NumpyPolicy = from_file(ROOT / "docs" / "examples" / "numpy_policy.py").NumpyPolicy


@dataclass
class Recorded:
    """An episode: the policy, and for each step its observation and its action, and the state after it."""

    policy: Policy
    observations: np.ndarray
    actions: np.ndarray
    states: list[dict[str, np.ndarray]]

    def spikes(self) -> np.ndarray:
        """Returns the spikes of all substeps by the agent's definition, (steps, substeps, n)."""
        agent, policy = self.policy.agent, self.policy
        state, spikes = agent.initial_state(1), []
        agent.reset(state, [0], [SEED])
        for observation in self.observations:
            x = normalised(policy, observation)
            spikes.append(agent.spike_trains(policy.solution[None], [0], x, state)[:, 0].numpy())
            agent.step(policy.solution[None], [0], x, state)
        return np.abs(spikes)


def normalised(policy: Policy, observation: np.ndarray) -> np.ndarray:
    x = np.array(observation, dtype=np.float32)[None]
    if policy.observation_mean is not None:
        normalize_row(observation, policy.observation_mean, policy.observation_stdev, x[0])
    return x


def make_policy(name: str, normalised: bool = True) -> Policy:
    agent = AGENTS[name](OBS_LENGTH, ACT_LENGTH)
    solution = agent.initial_solutions(1, torch.Generator().manual_seed(1))[0]
    statistics = (np.linspace(-1, 1, OBS_LENGTH), np.linspace(0.2, 3, OBS_LENGTH)) if normalised else ()
    return Policy(agent, solution, np.array([-1.0, 0.0]), np.array([3.0, 0.5]), *statistics)


def act(policy: Policy, next_observation) -> Recorded:
    """Lets a policy act; `next_observation(action)` returns None at the end, and is called with None first."""
    agent, observations, actions, states = policy.agent, [], [], []
    state = agent.initial_state(1)
    agent.reset(state, [0], [SEED])
    policy.reset(SEED)
    observation = next_observation(None)
    while observation is not None:
        agent.step(policy.solution[None], [0], normalised(policy, observation), state)
        states.append({name: part[0].numpy().copy() for name, part in vars(state).items()})
        observations.append(observation)
        actions.append(policy(observation))
        observation = next_observation(actions[-1])
    return Recorded(policy, np.array(observations), np.array(actions), states)


def record(policy: Policy) -> Recorded:
    observations = iter(np.random.default_rng(0).normal(scale=4, size=(STEPS, OBS_LENGTH)))
    return act(policy, lambda action: next(observations, None))


@pytest.fixture(scope="module")
def hopper() -> Recorded:
    """A whole episode of the zoo's Hopper."""
    loaded = load_policy("zoo/hopper")
    env = loaded.make_env()

    def next_observation(action):
        if action is None:
            return env.reset(seed=SEED)[0]
        observation, _, terminated, truncated, _ = env.step(action)
        return None if terminated or truncated else observation

    return act(loaded.saved.policy, next_observation)


@pytest.fixture(params=AGENTS)
def recorded(request) -> Recorded:
    return record(make_policy(request.param))


@dataclass
class Interpreted:
    """What a graph of NIR did in the steps of an episode: all spikes, and its actions and values after each step."""

    spikes: np.ndarray
    actions: np.ndarray
    states: list[dict[str, np.ndarray]]


def interpret(recorded: Recorded, path: Path) -> Interpreted:
    """Exports the policy of an episode to NIR, reads it back, and steps it with the same observations."""
    path.write_bytes(export_bytes(recorded.policy, "nir", SEED))
    graph = nir.read(path)
    said = graph.metadata
    clip = {"normalize": float(said["observation_clip"])}
    interpreter = Interpreter(graph, float(said["dt"]), {"neurons": said["initial_v"]}, clip)
    spikes, actions, states = [], [], []
    for observation in recorded.observations:
        for _ in range(int(said["substeps"])):
            output = interpreter.step(observation)
            spikes.append(interpreter.value["neurons"])
        actions.append(np.clip(output, said["action_low"], said["action_high"]))
        states.append(
            {"v_mem": interpreter.v["neurons"], "i_syn": interpreter.v["synapses"], "rate": interpreter.v["rate"]}
        )
    return Interpreted(np.reshape(spikes, (len(actions), int(said["substeps"]), -1)), np.array(actions), states)


# --- NIR ---


def test_a_graph_read_back_is_the_trained_network_to_the_bit_over_a_whole_episode(hopper, tmp_path):
    """Were one spike another, the potential of its neuron or the current of its targets would be another too."""
    played, dale = interpret(hopper, tmp_path / "hopper.nir"), np.repeat([1, -1], 32)
    assert len(hopper.observations) > 500
    assert played.spikes.sum() > 10_000
    for name in ("v_mem", "i_syn"):
        np.testing.assert_array_equal([state[name] for state in played.states], [s[name] for s in hopper.states])
    rates = [state["rate"] * dale for state in played.states]
    np.testing.assert_allclose(rates, [state["rate"] for state in hopper.states], atol=1e-6)
    np.testing.assert_allclose(played.actions, hopper.actions, atol=1e-6)


@pytest.mark.slow
def test_it_fires_every_spike_of_the_trained_network_over_a_whole_episode(hopper, tmp_path):
    np.testing.assert_array_equal(interpret(hopper, tmp_path / "hopper.nir").spikes, hopper.spikes())


@pytest.mark.parametrize("name", ["bits", "sign", "real"])
@pytest.mark.parametrize("normalised", [True, False])
def test_a_graph_fires_the_spikes_of_every_kind_of_network(name, normalised, tmp_path):
    recorded = record(make_policy(name, normalised))
    played = interpret(recorded, tmp_path / "policy.nir")
    assert played.spikes.any()
    np.testing.assert_array_equal(played.spikes, recorded.spikes())
    np.testing.assert_allclose(played.actions, recorded.actions, atol=1e-5)


def test_weights_of_bits_are_minus_one_zero_and_one():
    nodes = nir_graph(make_policy("bits")).nodes
    for name in ("encode", "recurrent", "decode"):
        assert set(np.unique(nodes[name].weight)) == {-1.0, 0.0, 1.0}


def test_a_chip_is_told_time_constants_thresholds_and_resets():
    policy = make_policy("bits")
    graph = nir_graph(policy)
    neurons, synapses, rate = (graph.nodes[name] for name in ("neurons", "synapses", "rate"))
    np.testing.assert_allclose(neurons.tau, 10e-3, rtol=1e-6)
    np.testing.assert_allclose(synapses.tau, 5e-3, rtol=1e-6)
    np.testing.assert_allclose(rate.tau, 10e-3, rtol=1e-6)
    assert (set(neurons.v_threshold), set(neurons.v_reset), set(neurons.v_leak)) == ({1.0}, {0.0}, {0.0})
    assert (graph.metadata["dt"], graph.metadata["substeps"]) == (2e-3, 8)


def test_only_spiking_networks_are_graphs_of_nir():
    with pytest.raises(UserError, match=r"export: expected an agent RSNN for NIR.* got GRU"):
        nir_graph(make_policy("gru"))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(UserError, match=r"export: NIR needs the package nir: pip install 'ec-evotorch\[nir\]'"):
        export_bytes(make_policy("bits"), "nir")


# --- PyTorch ---


def acted_elsewhere(recorded: Recorded, folder: Path) -> np.ndarray:
    """Returns the actions of an exported program in a process that cannot import this package."""
    program, observations, actions = (folder / name for name in ("policy.pt2", "observations.npy", "actions.npy"))
    program.write_bytes(export_bytes(recorded.policy, "torch", SEED))
    np.save(observations, recorded.observations)
    words = [sys.executable, "-c", WITHOUT_THIS_PACKAGE, *map(str, (program, observations, actions))]
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return np.load(actions)


def test_a_program_equals_the_agent_to_the_bit_without_this_package(tmp_path):
    recorded = record(make_policy("bits"))
    np.testing.assert_array_equal(acted_elsewhere(recorded, tmp_path), recorded.actions)


@pytest.mark.slow
def test_a_program_equals_the_trained_network_to_the_bit_over_a_whole_episode(hopper, tmp_path):
    np.testing.assert_array_equal(acted_elsewhere(hopper, tmp_path), hopper.actions)


def test_a_program_equals_the_agent(recorded):
    stream = io.BytesIO(export_bytes(recorded.policy, "torch", SEED))
    program = torch.export.load(stream)
    (_, state), _ = program.example_inputs
    step, actions = program.module(), []
    for observation in recorded.observations:
        action, state = step(torch.from_numpy(observation), state)
        actions.append(action.detach().numpy())
    if isinstance(recorded.policy.agent, RSNN):
        np.testing.assert_array_equal(actions, recorded.actions)
    else:
        np.testing.assert_allclose(actions, recorded.actions, atol=1e-6)
    assert np.std(actions) > 0.1


def test_a_program_takes_observations_of_float32_and_names_no_file_of_this_machine():
    content = export_bytes(make_policy("gru"), "torch")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not any(str(ROOT).encode() in archive.read(name) for name in archive.namelist())
    program = torch.export.load(io.BytesIO(content))
    (observation, state), _ = program.example_inputs
    actions = [program.module()(x, state)[0] for x in (observation, observation.float())]
    assert torch.equal(*actions)


def test_an_output_that_is_not_a_number_becomes_the_middle():
    policy = make_policy("rnn")
    policy.solution[:] = torch.nan
    program = torch_program(policy)
    (observation, state), _ = program.example_inputs
    action, _ = program.module()(observation, state)
    np.testing.assert_array_equal(action.detach().numpy(), policy(observation.numpy()))
    assert action.tolist() == [1.0, 0.25]


# --- NumPy ---


@pytest.mark.parametrize("name", ["bits", "sign", "real"])
def test_the_program_of_the_page_acts_as_the_agent(name, tmp_path):
    recorded = record(make_policy(name))
    path = tmp_path / "policy.npz"
    path.write_bytes(export_bytes(recorded.policy, "npz", SEED))
    policy = NumpyPolicy(path)
    actions = [policy(observation) for observation in recorded.observations]
    np.testing.assert_allclose(actions, recorded.actions, atol=1e-5)


def test_arrays_hold_what_the_network_uses():
    policy, arrays = make_policy("sign"), npz_arrays(make_policy("sign"), SEED)
    kernels = [arrays[name].ravel() for name in ("kernel_in", "kernel_h", "kernel_out")]
    np.testing.assert_array_equal(np.concatenate(kernels), policy.solution.numpy() > 0)
    assert arrays["signs"].tolist() == [1] * 6 + [-1] * 6
    assert npz_arrays(make_policy("rnn of bits"))["signs"].tolist() == [1] * 6 + [-1] * 7
    assert {"bias_in", "bias_h", "bias_out", "initial_h"} <= set(npz_arrays(make_policy("gru")))
    assert not {"signs", "r_in"} & set(npz_arrays(make_policy("rnn")))


def test_every_key_is_in_the_description():
    for name in AGENTS:
        for key in npz_arrays(make_policy(name)):
            stem = "initial_…" if key.startswith("initial_") else "bias…" if key.startswith("bias") else key
            assert stem in re.findall(r"[\w…]+", npz_arrays.__doc__)


# --- the command ---


@pytest.mark.parametrize("name", ["nir", "npz"])  # a program takes seconds
def test_the_command_names_a_file_after_the_run_and_reads_the_format_from_a_name(name, working_directory, capsys):
    assert main(["export", "zoo/inverted_pendulum", "--format", name, "--seed", "3"]) == 0
    written = Path(f"inverted_pendulum{FORMATS[name].suffix}")
    assert capsys.readouterr().out == f"{written}\n"
    assert main(["export", "zoo/inverted_pendulum", "-o", f"again{written.suffix}", "--seed", "3"]) == 0
    assert written.stat().st_size == Path(f"again{written.suffix}").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["zoo/hopper"], "--format: expected one of nir, torch, npz, or --output FILE; got neither"),
        (["zoo/hopper", "--format", "nir", "-o", "a.npz"], "--output: expected a name that ends in .nir"),
        (["zoo/hoper", "--format", "nir"], "did you mean 'zoo/hopper'?"),
        (["nowhere", "-o", "a.nir"], "'nowhere' holds no policy"),
        (["zoo/hopper", "-o", "no/such/folder/a.npz"], "--output: 'no/such/folder' is not a folder"),
    ],
)
def test_a_wrong_word_is_one_line_and_writes_nothing(words, message, working_directory, capsys):
    assert main(["export", *words]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("ec-evotorch: error: ")
    assert said.err.count("\n") == 1
    assert message in said.err
    assert list(working_directory.iterdir()) == []


def test_an_agent_of_ones_own_is_refused():
    agent = ModuleAgent(OBS_LENGTH, ACT_LENGTH, lambda obs_length, act_length: torch.nn.Linear(obs_length, act_length))
    policy = Policy(agent, torch.zeros(agent.solution_length), np.full(2, -1.0), np.ones(2))
    for name in ("torch", "npz"):
        with pytest.raises(UserError, match="export: expected an agent RSNN, RNN, GRU or LSTM; got ModuleAgent"):
            export_bytes(policy, name)


def test_a_policy_of_a_run_is_exported(finished_run, working_directory):
    assert main(["export", str(finished_run), "-o", "run.npz"]) == 0
    assert (
        str(np.load("run.npz")["agent"])
        == json.loads((finished_run / "policy.json").read_text())["agent"]["_target_"].rpartition(".")[2]
    )


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "spaces", [{"action_space": spaces.Discrete(2)}, {"observation_space": spaces.Discrete(OBS_LENGTH)}]
)
def test_what_is_no_vector_of_numbers_is_refused(name, spaces):
    policy = make_policy("bits")
    other = Policy(policy.agent, policy.solution, np.full(2, -1.0), np.ones(2), **spaces)
    with pytest.raises(UserError, match=r"export: expected \w+ that are vectors of real numbers; got Discrete"):
        export_bytes(other, name)


def test_observations_of_float32_are_vectors_too():
    policy = make_policy("bits")
    box = spaces.Box(-1, 1, (OBS_LENGTH,), np.float32)
    same = Policy(policy.agent, policy.solution, np.full(2, -1.0), np.ones(2), observation_space=box)
    assert len(npz_arrays(same)["initial_v_mem"]) == 12
